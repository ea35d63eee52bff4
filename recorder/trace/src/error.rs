//! Why a trace or a journal cannot be read, written or finished.

use std::io;
use std::path::{Path, PathBuf};

use common::output::OutputError;

use super::format;
use super::paths::is_journal;

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} line {line}: {message}", path.display())]
    Damaged { path: PathBuf, line: u64, message: String },
    #[error("{} has format {found:?}, expected {:?}", path.display(), format::FORMAT)]
    Format { path: PathBuf, found: String },
    #[error(
        "{} has version {found}, this tool reads {}; use the newer tool that wrote it",
        path.display(), format::VERSION
    )]
    TooNew { path: PathBuf, found: String },
    #[error(
        "{} has version {found}, this tool reads {}; record again",
        path.display(), format::VERSION
    )]
    TooOld { path: PathBuf, found: String },
    /// Passed over, it would change what is sent.
    #[error(
        "{} line {line}: the {what} {name:?} needs minor {needed} or later of the format; \
         this tool reads minor {}: use a newer recorder or replayer",
        path.display(), format::MINOR
    )]
    NeedsMinor { path: PathBuf, line: u64, what: &'static str, name: String, needed: u32 },
    /// Everything up to `line` is whole.
    #[error("{}", incomplete(path, *line))]
    Incomplete { path: PathBuf, line: u64 },
}

fn incomplete(path: &Path, line: u64) -> String {
    let file = path.display();
    if is_journal(path) {
        format!(
            "{file} is the journal of a recording that was not finished; \
             make a trace of it with: recorder finish {file}"
        )
    } else {
        format!(
            "{file} ends after line {line} without its end line; \
             it was cut off, copy it again or record again"
        )
    }
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("request {id} is sent at {at} µs, before the one that was written last")]
    Order { id: String, at: u64 },
    #[error("request {id} takes {bytes} bytes, more than the 16 MiB of a line")]
    TooLong { id: String, bytes: usize },
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{} is there already, from a recording that was not finished; make a trace of it with: recorder finish {}", path.display(), path.display())]
    Exists { path: PathBuf },
    #[error("{} is empty: its recording ended before anything was kept; remove it", path.display())]
    Empty { path: PathBuf },
    #[error("{} is not a journal, whose name ends in .part", path.display())]
    Name { path: PathBuf },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}
