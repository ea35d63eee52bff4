//! The command line.

mod accounts;
mod apply;
mod clean;
mod cluster;
mod output;
mod place;
mod plan;
mod time;
mod verify;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::Error;
use common::exit::Exit;

/// Fills a Postgres database with synthetic people and things, the same rows every time.
#[derive(Debug, Parser)]
#[command(
    name = "seeder",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes: 0 good, 1 I/O, 2 usage or a file's content, 3 refused for safety, 4 database or
target unreachable or unfit, 13 rows missing or --check failed, 130/143 ended by a signal,
nothing changed"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plans
    #[command(subcommand)]
    Plan(plan::Command),
    Apply(apply::Apply),
    Verify(verify::Verify),
    Clean(clean::Clean),
    /// Accounts that are there already
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// A private Postgres server for this folder
    #[command(subcommand)]
    Cluster(cluster::Command),
}

impl Cli {
    /// Does what was asked for; data go to stdout, all else to stderr.
    /// `listen` begins to turn signals into a cancelled token.
    ///
    /// # Errors
    /// With the reason, in one line with its causes, and an exit code.
    pub async fn run(self, listen: impl FnOnce() -> CancellationToken) -> Result<Exit, Error> {
        match self.command {
            Command::Plan(command) => command.run().await,
            Command::Apply(apply) => apply.run(listen).await,
            Command::Verify(verify) => verify.run().await,
            Command::Clean(clean) => clean.run(listen).await,
            Command::Accounts(command) => command.run(),
            Command::Cluster(command) => command.run(),
        }
    }
}
