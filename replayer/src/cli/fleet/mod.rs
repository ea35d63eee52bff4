//! `replayer fleet`.

mod access;
mod collect;
mod lead;
mod status;
mod work;

use clap::{Args as ClapArgs, Subcommand};
use common::exit::Exit;

use super::signals::WatchSignals;
use crate::error::Error;

const EXAMPLES: &str = "\
Examples:
  On each machine that is to send, with the accounts that it logs in with:
    replayer fleet work --nats tls://nats.example:4222 --allow-host nats.example --allow-host shop.example --manifest manifest.json
  Lead them: four parts of one load, begun at the same moment, judged as one run:
    replayer fleet run --nats tls://nats.example:4222 --shards 4 --trace day.trace.jsonl.zst --manifest manifest.json \\
      --target https://shop.example --allow-host shop.example --allow-host nats.example --clones 100 --out runs/day
  See who is there:
    replayer fleet status --nats tls://nats.example:4222 --allow-host nats.example
  Collect a run whose lead has gone:
    replayer fleet resume day-1f3a9c27 --nats tls://nats.example:4222 --allow-host nats.example --out runs/day";

#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lead a run: send what workers lack, begin it on all of them at once, add it up
    Run(Box<lead::Args>),
    /// Wait for a run, take a part of it, and send what was measured
    Work(work::Args),
    /// Show the runs that there are, and who has which part
    Status(status::Args),
    /// Collect a run whose lead has gone
    Resume(collect::Args),
}

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    match &args.command {
        Command::Run(args) => lead::run(args, watch),
        Command::Work(args) => work::run(args, watch),
        Command::Status(args) => status::run(args),
        Command::Resume(args) => collect::run(args),
    }
}
