//! Output files that exist already.

use std::path::Path;

use common::output::{self, OutputError};
use trace::journal::Journal;

use crate::Error;

/// Refuses to replace a file unless that is wanted, and anything that is no file.
pub(super) fn new_trace(path: &Path, force: bool) -> Result<(), Error> {
    Ok(output::check(path, force)?)
}

/// As [`new_trace`], for a recording: with `force` the journal of an earlier one goes, too.
pub(super) fn new_recording(path: &Path, force: bool) -> Result<(), Error> {
    new_trace(path, force)?;
    let journal = Journal::path_for(path);
    match output::check(&journal, force) {
        // Told when the journal is begun, with what can be done about it.
        Err(OutputError::Exists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => remove(&journal),
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => {
            Err(Error::File { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
