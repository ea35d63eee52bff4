//! `seeder apply`.

use std::num::NonZeroU32;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::output::{print, print_json};
use super::place::Place;
use super::time::Time;
use crate::Error;
use crate::apply::{self, Before, Config, Present, Progress, RemovedRows, Sample, Summary};
use common::exit::Exit;

/// Load a plan's rows into the database and write the manifest.
///
/// Rows that are there already stay as they are: a second apply inserts
/// nothing. Rows of others under keys of the plan's stop it before anything is
/// changed. All is one transaction.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  seeder apply --plan fixtures/plans/vigilia.toml --dry-run
  seeder apply --plan fixtures/plans/vigilia.toml
  seeder apply --plan fixtures/plans/vigilia.toml --repair   put right the rows that others changed
  seeder apply --plan fixtures/plans/vigilia.toml --reset    put back what a load has changed or added
  seeder apply --plan fixtures/plans/vigilia.toml --scale 10 --json")]
pub(super) struct Apply {
    #[command(flatten)]
    place: Place,
    /// Other values than the plan's own seed gives
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// What now() is, instead of the plan's epoch: a time, or the present where none is given
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "present")]
    now: Option<Now>,
    /// So many times the rows, except in tables that do not multiply
    #[arg(long, value_name = "N", default_value = "1")]
    scale: NonZeroU32,
    /// Put right the rows of the plan that others have changed
    #[arg(long)]
    repair: bool,
    /// Where the plan has changed since, first remove what it had
    #[arg(long, conflicts_with = "reset")]
    replace: bool,
    /// First remove what the plan put there and what a load has hung on it
    #[arg(long)]
    reset: bool,
    /// Let --reset and --replace remove rows on another machine
    #[arg(long)]
    yes: bool,
    /// Print what would be removed and inserted, with the first rows, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// With `--reset` or `--replace`.
#[derive(Debug, Serialize)]
struct DryRun {
    removed: Vec<RemovedRows>,
    tables: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Now(DateTime<Utc>);

impl FromStr for Now {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "present" {
            return Ok(Self(Utc::now()));
        }
        text.parse().map(|Time(time)| Self(time))
    }
}

impl Apply {
    pub(super) async fn run(
        self,
        listen: impl FnOnce() -> CancellationToken,
    ) -> Result<Exit, Error> {
        let (json, dry_run) = (self.json, self.dry_run);
        let config = self.resolve()?;
        if dry_run {
            let samples = apply::sample(&config).await?;
            let removed = apply::would_remove(&config, &listen()).await?;
            if config.before == Before::Keep {
                if json {
                    print_json(&samples)?;
                } else {
                    show(&samples)?;
                }
                return Ok(Exit::Good);
            }
            if json {
                print_json(&DryRun { removed, tables: samples })?;
                return Ok(Exit::Good);
            }
            for removed in removed.iter().filter(|removed| !removed.is_nothing()) {
                print(&format!("would be removed first: {removed}"))?;
            }
            show(&samples)?;
            return Ok(Exit::Good);
        }
        let summary = apply::apply(&config, &listen()).await?;
        if json {
            print_json(&summary)?;
        } else {
            tell(&summary)?;
        }
        Ok(Exit::Good)
    }

    fn resolve(self) -> Result<Config, Error> {
        let Self { place, seed, now, scale, repair, replace, reset, yes, dry_run: _, json } = self;
        Ok(Config {
            database: place.database.pin()?,
            plan: place.plan,
            manifest: place.manifest,
            seed,
            now: now.map(|Now(time)| time),
            scale: scale.get(),
            before: match (reset, replace) {
                (true, _) => Before::Reset,
                (false, true) => Before::Replace,
                (false, false) => Before::Keep,
            },
            present: if repair { Present::Repair } else { Present::Keep },
            confirmed: yes,
            progress: if json { Progress::Silent } else { Progress::for_stderr() },
        })
    }
}

fn tell(summary: &Summary) -> Result<(), Error> {
    for removed in summary.removed.iter().filter(|removed| !removed.is_nothing()) {
        print(&removed.to_string())?;
    }
    for table in summary.tables.iter().filter(|table| table.changed > 0) {
        let present = table.rows - table.inserted;
        print(&match table.repaired {
            0 => format!("{}: {present} present, {} changed by others", table.table, table.changed),
            repaired => format!("{}: {present} present, {repaired} put right", table.table),
        })?;
    }
    for rows in &summary.by_triggers {
        print(&format!("{}: {} by triggers, which clean does not undo", rows.table, rows.effect))?;
    }
    let rows: u64 = summary.tables.iter().map(|table| table.rows).sum();
    match summary.inserted() {
        0 => print(&format!("nothing to insert: all {rows} rows are there"))?,
        inserted => print(&format!("{inserted} of {rows} rows inserted, the others were there"))?,
    }
    print(&format!("{} accounts in {}", summary.accounts, summary.manifest))
}

fn show(samples: &[Sample]) -> Result<(), Error> {
    for Sample { table, group, rows, filled_by_database, first } in samples {
        let dot = if group.is_empty() { "" } else { "." };
        let rest = match filled_by_database.as_slice() {
            [] => String::new(),
            columns => format!("; the database fills {}", columns.join(", ")),
        };
        print(&format!("{table}{dot}{group}: {rows} rows{rest}"))?;
        for row in first {
            let fields = row.iter().map(|(name, text)| match text {
                Some(text) => format!("{name}={text:?}"),
                None => format!("{name}=NULL"),
            });
            print(&format!("  {}", fields.collect::<Vec<_>>().join(" ")))?;
        }
    }
    Ok(())
}
