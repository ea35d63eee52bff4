//! Finished documents: a file appears whole, or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
#[error("cannot write {}; its folder must be there and writable", path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// A document in progress, in a temporary file beside its destination.
pub struct Document {
    path: PathBuf,
    /// None once it is finished.
    temporary: Option<(PathBuf, File)>,
}

impl Document {
    /// Checks that the document can be written, before the work of filling it begins.
    ///
    /// # Errors
    /// When its folder is missing or not writable, or its path is a folder.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let fail = |source| WriteError { path: path.to_owned(), source };
        if path.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let temporary = path.with_file_name(name);
        let file = File::create(&temporary).map_err(fail)?;
        Ok(Self { path: path.to_owned(), temporary: Some((temporary, file)) })
    }

    /// Moves the document to its destination.
    ///
    /// # Errors
    /// When it cannot be written; an earlier document stays as it was.
    pub fn finish(mut self, text: &str) -> Result<(), WriteError> {
        let Some((temporary, mut file)) = self.temporary.take() else { return Ok(()) };
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &self.path))
            .map_err(|source| {
                // A leftover file does no harm.
                let _ = fs::remove_file(&temporary);
                WriteError { path: self.path.clone(), source }
            })
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        if let Some((temporary, _)) = self.temporary.take() {
            // Abandoned: an error elsewhere is being reported.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Creates a folder unless it exists.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError { path: path.to_owned(), source })
}
