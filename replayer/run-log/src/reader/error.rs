//! Why a run directory cannot be read.

use std::io;
use std::path::PathBuf;

use crate::format::{self, RUN_JSON};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("no {RUN_JSON} in {}, so it is not a run directory", dir.display())]
    NotARun { dir: PathBuf },
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
    TooNew { path: PathBuf, found: u32 },
    #[error(
        "{} has version {found}, this tool reads {}; run the scenario again",
        path.display(), format::VERSION
    )]
    TooOld { path: PathBuf, found: u32 },
}
