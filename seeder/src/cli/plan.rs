//! `seeder plan …`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::print;
use super::place::DatabaseArgs;
use crate::Error;
use crate::draft::{self, ROWS};
use common::exit::Exit;
use common::output::{self, Output, OutputError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Draft(Draft),
}

/// Write a plan from the live schema, with a generator for each column by name and type.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  seeder plan draft --database-url postgres://127.0.0.1/shop --plan shop.toml
  seeder plan draft --table users --table orders --rows 1000")]
pub(super) struct Draft {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Where to write it; stdout where this is not given
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Overwrite a file that is there
    #[arg(long, requires = "plan")]
    force: bool,
    /// Only this table; may be repeated
    #[arg(long, value_name = "NAME")]
    table: Vec<String>,
    /// Rows a table
    #[arg(long, value_name = "N", default_value_t = ROWS)]
    rows: u64,
}

impl Command {
    pub(super) async fn run(self) -> Result<Exit, Error> {
        let Self::Draft(Draft { database, plan, force, table, rows }) = self;
        if let Some(path) = &plan {
            output::check(path, force)?;
        }
        let text = draft::draft(&database.pin()?, &table, rows).await?;
        let Some(path) = plan else {
            print(text.trim_end())?;
            return Ok(Exit::Good);
        };
        let mut file = Output::create(&path)?;
        file.write_all(text.as_bytes())
            .map_err(|source| OutputError::Io { path: path.clone(), source })?;
        file.publish()?;
        common::say!("{} is written; try it with: seeder apply --dry-run", path.display());
        Ok(Exit::Good)
    }
}
