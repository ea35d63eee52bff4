//! The password of the superuser, for whoever comes by TCP.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use common::digest;

use super::error::ClusterError;
use super::home::{file, put};
use super::user::RunAs;

/// The one in this file, if there is one.
pub(super) fn known(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Another one each time: 128 bits of the system's randomness.
pub(super) fn new() -> Result<String, ClusterError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(file("cannot read", source))?;
    Ok(digest::hex(&bytes))
}

/// Keeps it, readable by the server's user and root alone.
pub(super) fn keep(path: &Path, password: &str, user: RunAs) -> Result<(), ClusterError> {
    put(path, &format!("{password}\n"), user)
}
