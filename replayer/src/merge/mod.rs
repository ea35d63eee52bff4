//! Adds the shards of a plan up to one run, exactly: counts are summed, histograms are
//! added bucket by bucket, and percentiles are taken of the sums, never averaged.

mod check;
mod sum;

use std::path::{Path, PathBuf};

use crate::measure::Collector;
use run_log::format::{Run, Shard};
use run_log::reader::{ReadError, RunReader};
use run_log::writer::{RunWriter, WriteError};

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

/// Shards that were added up, with the run directory still to be finished.
pub struct Merged {
    pub collector: Collector,
    pub run: Run,
    pub writer: RunWriter,
}

/// Adds the run directories of shards up, into the folder `out`.
///
/// # Errors
/// When they are not parts of one run, cannot be read, or `out` cannot be written. A shard
/// that is missing is no error: the run that comes out is invalid and says so.
pub fn merge(dirs: &[PathBuf], out: &Path, force: bool) -> Result<Merged, MergeError> {
    let mut shards = Vec::with_capacity(dirs.len());
    for dir in dirs {
        shards.push(RunReader::open(dir)?);
    }
    shards.sort_by_key(|shard| shard.run().shard);
    check::parts_of_one_run(&shards)?;
    let run = sum::run(&shards);
    let writer = RunWriter::create(out, force, &run)?;
    sum::seconds(&shards, run, writer)
}
