//! Digests of the files that the report is based on.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use common::digest;
use sha2::{Digest, Sha256};

/// The contents of a run directory.
pub struct Evidence {
    /// `sha256:…` by file name.
    pub files: BTreeMap<String, String>,
    /// `sha256:…` of the lines that `LC_ALL=C sha256sum *` prints in the directory.
    pub digest: String,
}

/// Digests of all files of a run directory.
///
/// # Errors
/// With the path that cannot be read.
pub fn of_run(dir: &Path) -> Result<Evidence, (PathBuf, io::Error)> {
    let in_dir = |error| (dir.to_owned(), error);
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(in_dir)? {
        let path = entry.map_err(in_dir)?.path();
        if path.is_file()
            && let Some(name) = path.file_name()
        {
            let digest = digest::of_file(&path).map_err(|error| (path.clone(), error))?;
            files.insert(name.to_string_lossy().into_owned(), digest);
        }
    }
    let mut all = Sha256::new();
    for (name, digest) in &files {
        let hex = digest.trim_start_matches("sha256:");
        all.update(format!("{hex}  {name}\n").as_bytes());
    }
    Ok(Evidence { files, digest: digest::text(&all.finalize()) })
}

/// The first few digits, enough to compare by eye.
pub fn short(digest: &str) -> String {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.chars().take(12).collect()
}
