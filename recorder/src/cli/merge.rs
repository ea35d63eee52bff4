//! `recorder merge`.

use std::path::PathBuf;

use clap::ValueEnum;
use common::exit::Exit;

use super::bar::Watched;
use super::files::new_trace;
use super::output::print;
use crate::Error;
use crate::edit::merge::{Align, merge};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  recorder merge web.trace.jsonl.zst app.trace.jsonl.zst \\
    --out both.trace.jsonl.zst")]
pub(super) struct Args {
    /// The traces
    #[arg(value_name = "FILE", required = true, num_args = 2..)]
    traces: Vec<PathBuf>,

    /// The new trace; compressed if it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Where each begins
    #[arg(long, value_name = "WHERE", default_value = "wall-clock")]
    align: AlignArg,

    /// Replace a trace that is there already
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AlignArg {
    /// When it was recorded
    WallClock,
    /// All at once
    Start,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Error> {
        new_trace(&self.out, self.force)?;
        let align = match self.align {
            AlignArg::WallClock => Align::WallClock,
            AlignArg::Start => Align::Start,
        };
        let watched = Watched::new(self.traces.iter().map(|trace| &**trace), 2);
        let (end, prefixes) = merge(&self.traces, &self.out, align)?;
        drop(watched);
        for (index, prefix) in prefixes {
            let trace = self.traces[index].display();
            common::say!(
                "{trace}: its ids and sessions begin with {prefix} now, others have the same"
            );
        }
        print(&format!(
            "{}: {} requests of {} sessions\n{}",
            self.out.display(),
            end.requests,
            end.sessions,
            end.digest
        ))?;
        Ok(Exit::Good)
    }
}
