//! The command line.

mod audit;
mod bar;
mod check;
mod cut;
mod diff;
mod export;
mod files;
mod finish;
mod import;
mod inspect;
mod merge;
mod mock;
mod output;
mod personas;
mod progress;
mod proxy;
mod table;

use clap::{Parser, Subcommand};
use common::exit::Exit;
use common_net::signals::Shutdown;

use crate::Error;

/// Records what real clients and simulated personas do, as timed request logs.
#[derive(Debug, Parser)]
#[command(
    name = "recorder",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes: 0 good, 1 I/O, 2 usage or a file's content, 3 refused for safety, 4 target
unreachable or login refused, 10 values vary (diff), 13 file incomplete, 130/143 ended by a signal, trace written"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record simulated personas
    Personas(personas::Args),
    /// Record what clients send through a reverse proxy
    Proxy(proxy::Args),
    /// Answer chosen routes as a recording has it, and pass on all else
    Mock(mock::Args),
    /// Make a trace of a recording that another tool made
    #[command(subcommand)]
    Import(import::Command),
    /// Make a trace of the journal that a killed recording left
    Finish(finish::Args),
    /// Say what is in a trace
    Inspect(inspect::Args),
    /// Check format, order, digest, and that every binding can be satisfied
    Check(check::Args),
    /// List what was taken for secret in files, and what was left that looks like one
    Audit(audit::Args),
    /// Say what two recordings of the same client differ in that a replay would send as recorded
    Diff(diff::Args),
    /// Make a trace of a part of one, with what that needs
    Cut(cut::Args),
    /// Make one trace of several
    Merge(merge::Args),
    /// Write a trace in a format of other tools
    #[command(subcommand)]
    Export(export::Command),
}

impl Cli {
    /// Does what was asked for; data go to stdout, all else to stderr.
    /// `listen` begins to turn signals into cancelled tokens.
    ///
    /// # Errors
    /// With the reason, in one line with its causes, and an exit code.
    pub async fn run(self, listen: impl FnOnce() -> Shutdown) -> Result<Exit, Error> {
        match self.command {
            Command::Personas(args) => args.run(listen).await,
            Command::Proxy(args) => args.run(listen).await,
            Command::Mock(args) => args.run(listen).await,
            Command::Import(command) => command.run(),
            Command::Finish(args) => args.run(),
            Command::Inspect(args) => args.run(),
            Command::Check(args) => args.run(),
            Command::Audit(args) => args.run(),
            Command::Diff(args) => args.run(),
            Command::Cut(args) => args.run(),
            Command::Merge(args) => args.run(),
            Command::Export(command) => command.run(),
        }
    }
}
