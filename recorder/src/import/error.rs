//! What can be wrong with a recording.

use std::io;
use std::path::{Path, PathBuf};

use crate::persona::RecordError;
use trace::journal::JournalError;
use trace::writer::WriteError;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is empty", path.display())]
    Empty { path: PathBuf },
    #[error("{}{}: {message}", path.display(), line.map_or(String::new(), |line| format!(" line {line}")))]
    Content { path: PathBuf, line: Option<u64>, message: String },
    /// It ends early.
    #[error("{} ends early: {message}; copy it again", path.display())]
    Cut { path: PathBuf, message: String },
    #[error("{}: {message}", path.display())]
    Nothing { path: PathBuf, message: String },
    #[error("{option}: {message}")]
    Option { option: &'static str, message: String },
    #[error(transparent)]
    Login(#[from] RecordError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl ImportError {
    /// An error of the operating system, or of the compression.
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                Self::Cut { path, message: "its compression is not complete".to_owned() }
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                Self::Content { path, line: None, message: source.to_string() }
            }
            _ => Self::Io { path, source },
        }
    }
}
