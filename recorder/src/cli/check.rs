//! `recorder check`.

use std::collections::BinaryHeap;
use std::path::PathBuf;

use common::exit::Exit;

use super::bar::Watched;
use super::output::print;
use crate::Error;
use crate::edit::check::check;

/// Problems that are shown; all are counted.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  recorder check vigilia.trace.jsonl.zst && echo it can be replayed")]
pub(super) struct Args {
    /// The trace
    #[arg(value_name = "FILE")]
    trace: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let path = self.trace;
        let mut problems = 0;
        // The first by their lines.
        let mut shown = BinaryHeap::new();
        let watched = Watched::new([&*path], 1);
        let end = check(&path, |problem| {
            problems += 1;
            shown.push((problem.line, problem.request, problem.message));
            if shown.len() > SHOWN {
                shown.pop();
            }
        })?;
        drop(watched);
        for (line, request, message) in shown.into_sorted_vec() {
            print(&format!("{} line {line}: request {request}: {message}", path.display()))?;
        }
        if problems > 0 {
            return Err(Error::Faulty { path, problems });
        }
        print(&format!(
            "{}: good, {} requests of {} sessions",
            path.display(),
            end.requests,
            end.sessions
        ))?;
        Ok(Exit::Good)
    }
}
