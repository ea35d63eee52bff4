//! `seeder accounts …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{print, print_json};
use crate::Error;
use crate::accounts::{self, Config};
use common::exit::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Import(Import),
}

/// Write a manifest of logins that are there already; no database is asked.
///
/// The table is CSV. Its first line names the columns, and each becomes a field
/// of the accounts, as in {{ account.email }}. An account's name, which is in
/// recordings, is its name, username, login or email.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  seeder accounts import users.csv --persona Buyer
  seeder accounts import users.csv --manifest staging.json    the column persona says whose they are")]
pub(super) struct Import {
    /// The table; /dev/stdin for what comes from a pipe
    #[arg(value_name = "FILE")]
    table: PathBuf,
    /// Whose accounts they are
    #[arg(long, value_name = "NAME")]
    persona: Option<String>,
    /// The column with the accounts' names
    #[arg(long, value_name = "COLUMN")]
    name: Option<String>,
    /// Where to write it; holds the accounts' passwords
    #[arg(long, value_name = "FILE", default_value = ".local/manifest.json")]
    manifest: PathBuf,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let Self::Import(Import { table, persona, name, manifest, json }) = self;
        let shown = table.display().to_string();
        let summary = accounts::import(&Config { table, persona, name, manifest })?;
        if summary.open_to_others {
            common::say!("others can read {shown}, with its passwords; chmod 600 keeps them out");
        }
        if json {
            print_json(&summary)?;
            return Ok(Exit::Good);
        }
        for (persona, count) in &summary.accounts {
            print(&format!("{persona}: {count} accounts"))?;
        }
        print(&format!("{} has their {}", summary.manifest, summary.fields.join(", ")))?;
        Ok(Exit::Good)
    }
}
