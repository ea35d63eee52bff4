//! `seeder plan …`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use super::output::print;
use super::place::DatabaseArgs;
use crate::Error;
use crate::draft::{self, Config, Drafted, ROWS};
use common::exit::Exit;
use common::output::{self, Output, OutputError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Draft(Draft),
}

/// Write a plan from the live schema, with a generator for each column by name and type.
///
/// Where a table has a login and a hash of a password, its rows are accounts, by
/// the hash that the application uses: as in a row that is there, else by the
/// column's comment or length. Tables that frameworks fill are left out.
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
    /// Try it first, in a transaction that is rolled back, and name what fails with the line to
    /// change: exit code 13. This is done without the option as well, with exit code 0;
    /// --check=false only reads
    #[arg(
        long,
        value_name = "BOOL",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    check: Option<bool>,
}

impl Command {
    pub(super) async fn run(self) -> Result<Exit, Error> {
        let Self::Draft(Draft { database, plan, force, table, rows, check }) = self;
        if let Some(path) = &plan {
            output::check(path, force)?;
        }
        let tried = check != Some(false);
        let config = Config { database: database.pin()?, only: table, rows, check: tried };
        let Drafted { text, faults, remarks } = draft::draft(&config).await?;
        for remark in &remarks {
            common::say!("{}", common::shown::line(remark));
        }
        // A draft is there to be changed: only who asks whether it holds is told by a code.
        let exit = match check {
            Some(true) if !faults.is_empty() => Exit::Incomplete,
            _ => Exit::Good,
        };
        let tell = || {
            for fault in &faults {
                common::say!("{}", common::shown::line(&fault.to_string()));
            }
        };
        let Some(path) = plan else {
            print(text.trim_end())?;
            tell();
            return Ok(exit);
        };
        let mut file = Output::create(&path)?;
        file.write_all(text.as_bytes())
            .map_err(|source| OutputError::Io { path: path.clone(), source })?;
        file.publish()?;
        let shown = path.display();
        match (faults.is_empty(), tried) {
            (true, true) => common::say!("{shown} is written; the database takes its rows"),
            (true, false) => {
                common::say!("{shown} is written; try it with: seeder apply --dry-run");
            }
            _ => common::say!("{shown} is written; to be changed in it:"),
        }
        tell();
        Ok(exit)
    }
}
