//! Why shards are not added up.

use std::path::PathBuf;

use run_log::format::Shard;
use run_log::reader::ReadError;
use run_log::writer::WriteError;

#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("{} is incomplete: its run was killed; run the shard again", dir.display())]
    Incomplete { dir: PathBuf },
    #[error("{} is not a shard: it was run without --shard", dir.display())]
    NotAShard { dir: PathBuf },
    #[error("{} and {} are both shard {shard}", one.display(), other.display())]
    Overlap { shard: Shard, one: PathBuf, other: PathBuf },
    #[error("{} differs from {} in its {what}, so they are not parts of one run", other.display(), one.display())]
    Differs { what: &'static str, one: PathBuf, other: PathBuf },
    #[error(
        "{} began {apart_ms} ms before or after {}, over 100 ms; give all shards the same --start-at, \
         and set the clocks of their machines",
        other.display(), one.display()
    )]
    Apart { apart_ms: i64, one: PathBuf, other: PathBuf },
    #[error("{} has no row of second {second} in its timeline", dir.display())]
    Gap { dir: PathBuf, second: u64 },
    #[error("{}: {message}", dir.display())]
    Content { dir: PathBuf, message: String },
}
