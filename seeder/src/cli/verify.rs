//! `seeder verify`.

use clap::Args;

use super::output::{print, print_json};
use super::place::Place;
use crate::Error;
use crate::verify::{self, Config, VerifyError};
use common::exit::Exit;
use common::target::{Target, Typed};

/// Look whether the rows are there, refer to rows that are there, and accounts can log in.
///
/// A sample of each persona's accounts is tried: against the stored hashes
/// (bcrypt, argon2, scrypt, pbkdf2), or with --target by real logins, as the
/// plan's [login] says.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  seeder verify --plan fixtures/plans/vigilia.toml
  seeder verify --plan fixtures/plans/vigilia.toml --target http://127.0.0.1:8000")]
pub(super) struct Verify {
    #[command(flatten)]
    place: Place,
    /// Log in there
    #[arg(long, value_name = "URL")]
    target: Option<Typed<Target>>,
    /// Where it takes logins, if that is not where the plan's [login] says;
    /// /api/v1/auth/login for a plan without
    #[arg(long, value_name = "PATH")]
    login_path: Option<String>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) async fn run(self) -> Result<Exit, Error> {
        let Self { place, target, login_path, json } = self;
        let pin = |typed: Typed<Target>| {
            let target = typed.value("--target")?;
            verify::Target::pin(&target, login_path.as_deref(), &place.database.allow_host)
        };
        let target = target.map(pin).transpose().map_err(VerifyError::from)?;
        let database = place.database.pin()?;
        let config = Config { plan: place.plan, database, manifest: place.manifest, target };
        let report = verify::verify(&config).await?;
        if json {
            print_json(&report)?;
            return Ok(report.exit());
        }
        for table in &report.tables {
            print(&format!("{}: {} of {} rows", table.table, table.present, table.planned))?;
        }
        for key in report.foreign_keys.iter().filter(|key| key.dangling > 0) {
            let columns = key.columns.join(", ");
            print(&format!("{}.{columns}: {} rows refer to nothing", key.table, key.dangling))?;
        }
        for accounts in &report.accounts {
            let able = accounts.tried - accounts.refused.len() as u64;
            print(&format!("{}: {able} of {} can log in", accounts.persona, accounts.tried))?;
            for refused in &accounts.refused {
                print(&format!("  {refused}"))?;
            }
        }
        Ok(report.exit())
    }
}
