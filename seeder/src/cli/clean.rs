//! `seeder clean`.

use std::num::NonZeroU32;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::output::{print, print_json};
use super::place::Place;
use crate::Error;
use crate::clean::{self, Config, Run};
use common::exit::Exit;

/// Remove what apply inserted and what a load has hung on it, and the manifest.
///
/// All is one transaction. Rows of others stay; where such a row refers to a
/// removed one and the plan says "detach", the reference is emptied and counted.
/// What a load left is told by the plan, never by the manifest.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  seeder clean --plan fixtures/plans/vigilia.toml --dry-run
  seeder clean --plan fixtures/plans/vigilia.toml")]
pub(super) struct Clean {
    #[command(flatten)]
    place: Place,
    /// The seed that was applied, where the manifest is lost
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The scale that was applied, where the manifest is lost
    #[arg(long, value_name = "N", default_value = "1")]
    scale: NonZeroU32,
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
        let Self { place, seed, scale, dry_run, yes, json } = self;
        let config = Config {
            database: place.database.pin()?,
            plan: place.plan,
            manifest: place.manifest,
            seed,
            scale: scale.get(),
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
            rows += removed.planned + removed.load;
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
