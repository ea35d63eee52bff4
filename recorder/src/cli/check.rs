//! `recorder check`.

use std::path::PathBuf;

use seeder::exit::Exit;

use super::print;
use crate::Error;
use crate::check::check;

/// Problems that are shown; all are counted.
const SHOWN: u64 = 20;

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
        let mut shown = Vec::new();
        let end = check(&path, |problem| {
            problems += 1;
            if problems <= SHOWN {
                let at = format!("{} line {}", path.display(), problem.line);
                shown.push(format!("{at}: request {}: {}", problem.request, problem.message));
            }
        })?;
        for problem in shown {
            print(&problem)?;
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
