//! `recorder merge`.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::ValueEnum;
use common::exit::Exit;

use super::bar::Watched;
use super::files::new_trace;
use super::output::print;
use crate::Error;
use crate::edit::merge::{Align, apart, merge};

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

    /// Where each begins; without it when it was recorded, if that is the same day
    #[arg(long, value_name = "WHERE")]
    align: Option<AlignArg>,

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

/// Traces of one recording begin within it. What lies further apart would be replayed with the
/// time between them, and that is asked for.
fn most_apart() -> TimeDelta {
    TimeDelta::days(1)
}

impl Args {
    /// The wall clock, where nobody would wonder at it; says how far apart the traces begin.
    fn by_wall_clock(&self) -> Result<Align, Error> {
        let apart = apart(&self.traces)?;
        if apart > most_apart() {
            return Err(Error::Apart { days: apart.num_seconds() as f64 / 86_400.0 });
        }
        common::say!("recorder: the traces begin {:.1} s apart", apart.as_seconds_f64());
        Ok(Align::WallClock)
    }

    pub(super) fn run(self) -> Result<Exit, Error> {
        new_trace(&self.out, self.force)?;
        let align = match self.align {
            Some(AlignArg::WallClock) => Align::WallClock,
            Some(AlignArg::Start) => Align::Start,
            None => self.by_wall_clock()?,
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
