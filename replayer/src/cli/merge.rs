//! `replayer merge`.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use common::exit::Exit;

use super::finish::{exit_of, finish};
use super::summary::print_summary;
use crate::error::Error;
use crate::merge::{Merged, merge};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The run directories of the shards
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Folder for their sum
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace a run that is in the folder already
    #[arg(long)]
    force: bool,
    /// Print what was measured as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    concluded(merge(&args.dirs, &args.out, args.force)?, &args.out, args.json)
}

/// Judges what was added up, writes and prints it.
pub(super) fn concluded(merged: Merged, out: &Path, as_json: bool) -> Result<Exit, Error> {
    let Merged { collector, run, writer, expectations } = merged;
    // Judged anew: a percentile of the whole does not follow from those of the parts.
    let (run, judged) = finish(&collector, run, writer, &expectations)?;
    print_summary(&run, &judged, out, as_json)?;
    Ok(exit_of(&run, &judged.conclusion, None))
}
