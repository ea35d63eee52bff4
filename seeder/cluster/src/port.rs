//! Loopback ports.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::error::ClusterError;
use super::home::{file, put};
use super::user::RunAs;

/// The port in `path` if it is still free, else a free one, which is noted there.
pub(super) fn choose(path: &Path, user: RunAs) -> Result<u16, ClusterError> {
    let noted = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    if let Some(port) = noted.filter(|&port| bind(port).is_ok()) {
        return Ok(port);
    }
    let port = bind(0).map_err(file("no free loopback port for", path))?;
    put(path, &format!("{port}\n"), user)?;
    Ok(port)
}

fn bind(port: u16) -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()?.port())
}
