//! Adds the shards of a plan up to one run, exactly: counts are summed, histograms are
//! added bucket by bucket, and percentiles are taken of the sums, never averaged.

mod check;
mod error;
mod sum;

use std::path::{Path, PathBuf};

pub use error::MergeError;
pub use sum::Merged;

use crate::config::descriptors_for;
use run_log::reader::RunReader;
use run_log::writer::RunWriter;

/// Adds the run directories of shards up, into the folder `out`.
///
/// # Errors
/// When they are not parts of one run, cannot be read, or `out` cannot be written. A shard
/// that is missing is no error: the run that comes out is invalid and says so.
pub fn merge(dirs: &[PathBuf], out: &Path, force: bool) -> Result<Merged, MergeError> {
    // Of each, its seconds and its histograms are read side by side; where so many cannot be had, the
    // first that cannot be opened is told.
    descriptors_for(2 * dirs.len() as u64);
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
