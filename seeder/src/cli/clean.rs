//! `seeder clean`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::output::{print, print_json};
use super::place::Place;
use super::time::Time;
use crate::Error;
use crate::clean::{self, Config, Run};
use common::exit::Exit;

/// Remove what apply inserted and what a load has hung on it, and the manifest.
///
/// All is one transaction. Rows of others stay: what foreign keys and triggers
/// would do to them is looked for first, and stops it, with the lines that the
/// plan needs where that is meant. References to removed rows that are emptied,
/// by the plan's "detach" or by ON DELETE SET NULL or SET DEFAULT, are counted.
/// What a load left is told by the plan, never by the manifest. Rows under keys
/// that others may have, too, are the plan's where the manifest says so, or the
/// plan adopts their table.
///
/// With --marks, rows go that have a mark of an audited run in a column that the
/// plan names ([[load]] marked = …), and what hangs on them under the same rules:
/// neither the plan's rows nor the manifest.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  seeder clean --plan fixtures/plans/vigilia.toml --dry-run
  seeder clean --plan fixtures/plans/vigilia.toml
  seeder clean --plan fixtures/plans/vigilia.toml --marks .local/runs/audited")]
pub(super) struct Clean {
    #[command(flatten)]
    place: Place,
    /// A run directory of the replayer: remove what has its marks, and nothing else; may be repeated
    #[arg(long, value_name = "DIR", conflicts_with_all = ["manifest", "seed", "scale", "since"])]
    marks: Vec<PathBuf>,
    /// The seed that was applied, where the manifest is lost
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The scale that was applied, where the manifest is lost
    #[arg(long, value_name = "N", default_value = "1")]
    scale: NonZeroU32,
    /// When the plan was first applied, where the manifest is lost
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
    /// Count, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove rows on another machine, too
    #[arg(long)]
    yes: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

impl Clean {
    pub(super) async fn run(
        self,
        listen: impl FnOnce() -> CancellationToken,
    ) -> Result<Exit, Error> {
        let Self { place, marks, seed, scale, since, dry_run, yes, json } = self;
        let config = Config {
            database: place.database.pin()?,
            plan: place.plan,
            manifest: place.manifest,
            marks,
            seed,
            scale: scale.get(),
            since: since.map(|Time(time)| time),
            run: if dry_run { Run::Dry } else { Run::Real },
            confirmed: yes,
        };
        let summary = clean::clean(&config, &listen()).await?;
        if json {
            print_json(&summary)?;
            return Ok(Exit::Good);
        }
        let mut rows = 0;
        for removed in summary.removed.iter().filter(|removed| !removed.is_nothing()) {
            rows += removed.rows();
            print(&removed.to_string())?;
        }
        let would = if summary.dry_run { "would be " } else { "" };
        print(&match rows {
            0 => "nothing to remove".to_owned(),
            rows => format!("{rows} rows {would}removed"),
        })?;
        Ok(Exit::Good)
    }
}
