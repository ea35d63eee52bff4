//! The command line.

mod arguments;
mod asked;
mod audited;
mod between;
mod dry_run;
mod finish;
mod fire;
#[cfg(feature = "fleet")]
mod fleet;
mod initial_record;
mod input;
mod lead;
mod live;
mod load;
mod merge;
mod names;
mod observed;
mod one_run;
mod planned;
mod preflight;
mod probe;
mod run;
mod run_args;
mod search;
mod signals;
mod start_at;
mod suite;
mod summary;

use clap::{Parser, Subcommand};
use common::exit::Exit;

pub use signals::WatchSignals;

use crate::error::Error;

/// Re-fires recorded traffic at scaled rates and measures what came back.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Replay a trace as it was recorded:
    replayer run --trace day.trace.jsonl.zst --manifest manifest.json --target http://127.0.0.1:8080 --out runs/day
  Ten times the sessions, at twice the pace, for five minutes:
    replayer run … --clones 10 --speed 2 --duration 5m
  A scenario, scaled down:
    replayer run … --scenario fixtures/scenarios/01-baseline.toml --profile quick
  All scenarios of a folder, the data put back before each; the same again goes on where it was cut off:
    replayer suite fixtures/scenarios … --runs runs --before 'seeder apply --plan plan.toml --reset'
  The most users at whom it holds, by runs of more and fewer:
    replayer search 'p95 < 200ms, failed < 1%' --by users --from 100 --to 20000 --pacing closed … --runs search
  See what would be sent, and send nothing:
    replayer run … --rate 1000/s --duration 1m --dry-run
  One load from two machines:
    replayer run … --shard 1/2 --start-at 2026-11-24T10:00:00Z --out runs/1
    replayer run … --shard 2/2 --start-at 2026-11-24T10:00:00Z --out runs/2
    replayer merge runs/1 runs/2 --out runs/all

Exit codes: 0 good, 1 internal or I/O, 2 usage, 3 refused for safety, 4 environment,
10 a threshold failed, 11 fidelity failed, 12 run invalid, 13 incomplete, 130/143 by signal.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Replay a trace against a target, and write a run directory
    Run(Box<run_args::Args>),
    /// Run scenarios one after the other, the data put back before each
    Suite(Box<suite::Args>),
    /// Find the highest load at which what is expected holds, by runs of more and less
    Search(Box<search::Args>),
    /// Look at a target as a run does before it begins: one session of each persona, once
    #[command(visible_alias = "preflight")]
    Probe(probe::Args),
    /// Add the run directories of shards up to one
    Merge(merge::Args),
    /// One run on many machines, which find each other over NATS
    #[cfg(feature = "fleet")]
    Fleet(fleet::Args),
}

impl Cli {
    /// Runs what was asked for. `signals` is called where something is under way that has
    /// to be ended well.
    ///
    /// # Errors
    /// Whatever kept it from being done; [`Error::exit`] gives the exit code.
    pub fn run(self, signals: WatchSignals) -> Result<Exit, Error> {
        match self.command {
            Command::Run(args) => run::run(&args, signals),
            Command::Suite(args) => suite::run(&args, signals),
            Command::Search(args) => search::run(&args, signals),
            Command::Probe(args) => probe::run(&args),
            Command::Merge(args) => merge::run(&args),
            #[cfg(feature = "fleet")]
            Command::Fleet(args) => fleet::run(&args, signals),
        }
    }
}
