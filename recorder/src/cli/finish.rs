//! `recorder finish`.

use std::path::PathBuf;

use common::exit::Exit;

use super::files::new_trace;
use super::output::print;
use crate::Error;
use trace::finish::{RUN_BYTES, finish};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  recorder finish vigilia.trace.jsonl.zst.part     # makes vigilia.trace.jsonl.zst")]
pub(super) struct Args {
    /// The journal, FILE.part; the trace becomes FILE
    #[arg(value_name = "FILE.part")]
    journal: PathBuf,

    /// Replace a trace that is there already
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let trace = self.journal.with_extension("");
        if trace != self.journal {
            new_trace(&trace, self.force)?;
        }
        let finished = finish(&self.journal, RUN_BYTES)?;
        if let Some(line) = finished.cut_line {
            common::say!("line {line} was cut off and is left out");
        }
        let end = &finished.end;
        print(&format!(
            "{}: {} requests of {} sessions\n{}",
            finished.path.display(),
            end.requests,
            end.sessions,
            end.digest
        ))?;
        Ok(Exit::Good)
    }
}
