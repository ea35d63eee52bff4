//! Finished documents: a file appears whole, or not at all, and replaces nothing but a file.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::output::{Output, OutputError};

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot write {}; its folder must be there and writable", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Output(OutputError),
}

impl From<OutputError> for WriteError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Io { path, source } => Self::Io { path, source },
            other => Self::Output(other),
        }
    }
}

/// A report holds nothing secret, and is there to be read.
const MODE: u32 = 0o644;

/// A document in progress.
pub struct Document {
    path: PathBuf,
    output: Output,
}

impl Document {
    /// Checks that the document can be written, before the work of filling it begins.
    ///
    /// # Errors
    /// When its folder is missing or not writable, or something other than a file is there.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        Ok(Self { path: path.to_owned(), output: Output::create(path)? })
    }

    /// Moves the document to its destination.
    ///
    /// # Errors
    /// When it cannot be written; an earlier document stays as it was.
    pub fn finish(mut self, text: &str) -> Result<(), WriteError> {
        self.output
            .write_all(text.as_bytes())
            .map_err(|source| WriteError::Io { path: self.path.clone(), source })?;
        self.output
            .reopen()?
            .set_permissions(Permissions::from_mode(MODE))
            .map_err(|source| WriteError::Io { path: self.path.clone(), source })?;
        Ok(self.output.publish()?)
    }
}

/// Creates a folder unless it exists.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError::Io { path: path.to_owned(), source })
}

/// Creates the folder that a file is to be in, unless it exists.
///
/// # Errors
/// When it cannot be made.
pub fn folder_of(path: &Path) -> Result<(), WriteError> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder)
            .map_err(|source| WriteError::Io { path: path.to_owned(), source }),
        None => Ok(()),
    }
}

/// Appends to a file that others write to as well, such as the summary of a step.
///
/// # Errors
/// When it cannot be written.
pub fn append(path: &Path, text: &str) -> Result<(), WriteError> {
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| WriteError::Io { path: path.to_owned(), source })
}
