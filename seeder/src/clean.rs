//! `clean`: removes what `apply` inserted and what a load attached to it, or of the latter what the
//! marks of runs tell.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use crate::apply::{self, ApplyError, Earlier, MarkedRun, Past, RemovedRows};
use crate::database::{Database, DatabaseError};
use crate::plan::Plan;
use manifest::{Header, ManifestError};

/// What to do.
#[derive(Debug)]
pub struct Config {
    pub plan: PathBuf,
    pub database: Database,
    pub manifest: PathBuf,
    /// Run directories: where there are any, rows with their marks are removed, and nothing else.
    pub marks: Vec<PathBuf>,
    /// The manifest's where none is given, else the plan's own.
    pub seed: Option<u64>,
    /// At least the manifest's.
    pub scale: u32,
    /// When the plan was first applied: the manifest's where none is given.
    pub since: Option<DateTime<Utc>>,
    pub run: Run,
    /// Whether rows may be removed on another machine.
    pub confirmed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Real,
    /// Counts, and leaves everything as it is.
    Dry,
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub plan: String,
    pub dry_run: bool,
    pub removed: Vec<RemovedRows>,
}

#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(
        "manifest {} is of plan {found}, not of {wanted}; name the one that belongs to the plan with --manifest",
        path.display()
    )]
    OtherPlan { path: PathBuf, found: String, wanted: String },
    #[error(
        "manifest {} is of another database ({found}) than the one at {place}; name the one that belongs to it with --manifest",
        path.display()
    )]
    OtherDatabase { path: PathBuf, found: String, place: String },
    #[error("the rows are removed, but not manifest {}", path.display())]
    Leftover { path: PathBuf, source: std::io::Error },
}

/// Removes in one transaction what the manifest's plan has, and the manifest; or, where runs are
/// given, the rows with their marks.
///
/// # Errors
/// With nothing changed in the database, except where they say something else.
pub async fn clean(config: &Config, shutdown: &CancellationToken) -> Result<Summary, CleanError> {
    let plan = Plan::read(&config.plan).map_err(ApplyError::from)?;
    if !config.marks.is_empty() {
        return Ok(by_marks(config, plan, shutdown).await?);
    }
    let opening = apply::open(&config.database, &config.manifest);
    let (mut connection, id) = apply::unless(shutdown, opening).await?;
    let manifest = manifest_of(&config.manifest, &plan, &id, config.database.place())?;
    let known = manifest.is_some();
    let earlier =
        manifest.map(|header| Earlier::from_header(&config.manifest, header, &plan)).transpose()?;
    let mut past = Past::new(&plan, earlier, plan.seed, config.scale);
    past.override_with(config.seed, config.since);
    let failed = |doing| move |error| ApplyError::from(DatabaseError::while_doing(doing)(error));
    let mut transaction = connection.begin().await.map_err(failed("beginning a transaction"))?;
    let removing = async {
        apply::lock(&mut transaction, &plan).await?;
        past.remove(&mut transaction).await
    };
    let removed = apply::unless(shutdown, removing).await?;
    if config.run == Run::Dry {
        transaction.rollback().await.map_err(failed("rolling back"))?;
        return Ok(Summary { plan: plan.name, dry_run: true, removed });
    }
    apply::confirm(&removed, &config.database, config.confirmed)?;
    apply::commit(transaction).await?;
    if known {
        // It described rows that are gone.
        std::fs::remove_file(&config.manifest)
            .map_err(|source| CleanError::Leftover { path: config.manifest.clone(), source })?;
    }
    Ok(Summary { plan: plan.name, dry_run: false, removed })
}

/// Removes in one transaction the rows with marks of runs.
async fn by_marks(
    config: &Config,
    plan: Plan,
    shutdown: &CancellationToken,
) -> Result<Summary, ApplyError> {
    let runs =
        config.marks.iter().map(|dir| MarkedRun::open(dir)).collect::<Result<Vec<_>, _>>()?;
    let failed = |doing| move |error| ApplyError::from(DatabaseError::while_doing(doing)(error));
    let connecting = async { Ok(config.database.connect().await?) };
    let mut connection = apply::unless(shutdown, connecting).await?;
    let mut transaction = connection.begin().await.map_err(failed("beginning a transaction"))?;
    let removing = async {
        apply::lock(&mut transaction, &plan).await?;
        apply::remove_marked(&mut transaction, &plan, runs).await
    };
    let removed = apply::unless(shutdown, removing).await?;
    let dry_run = config.run == Run::Dry;
    if dry_run {
        transaction.rollback().await.map_err(failed("rolling back"))?;
    } else {
        apply::confirm(&removed, &config.database, config.confirmed)?;
        apply::commit(transaction).await?;
    }
    Ok(Summary { plan: plan.name, dry_run, removed })
}

/// The manifest's header, none where there is no manifest.
///
/// # Errors
/// When it is damaged, or of another plan or database.
pub(crate) fn manifest_of(
    path: &std::path::Path,
    plan: &Plan,
    id: &manifest::format::DatabaseId,
    place: &str,
) -> Result<Option<Header>, CleanError> {
    if !path.exists() {
        return Ok(None);
    }
    let header = Header::read(path)?;
    let path = path.to_owned();
    if header.plan.name != plan.name {
        let (found, wanted) = (header.plan.name, plan.name.clone());
        return Err(CleanError::OtherPlan { path, found, wanted });
    }
    if !header.database.is_same(id) {
        let found = header.database.name;
        return Err(CleanError::OtherDatabase { path, found, place: place.to_owned() });
    }
    Ok(Some(header))
}
