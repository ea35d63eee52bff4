//! Output files that exist already.

use std::path::Path;

use crate::Error;

/// Removes a file if it exists.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => {
            Err(Error::File { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Refuses to replace a file unless that is wanted.
pub(super) fn new_trace(path: &Path, force: bool) -> Result<(), Error> {
    if !force && path.exists() {
        return Err(Error::Exists { path: path.to_owned() });
    }
    Ok(())
}
