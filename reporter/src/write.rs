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

/// A document that is being made, in a file beside its place.
pub struct Document {
    path: PathBuf,
    /// None once it is finished.
    temporary: Option<(PathBuf, File)>,
}

impl Document {
    /// Shows that the document can be written, before the work to fill it begins.
    ///
    /// # Errors
    /// When its folder is missing or not writable, or a folder is in its place.
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

    /// Puts the document in its place.
    ///
    /// # Errors
    /// When it cannot be written; what was there before stays.
    pub fn finish(mut self, text: &str) -> Result<(), WriteError> {
        let Some((temporary, mut file)) = self.temporary.take() else { return Ok(()) };
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &self.path))
            .map_err(|source| {
                // What is left over is only clutter.
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

/// Makes a folder unless it is there.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|source| WriteError { path: path.to_owned(), source })
}
