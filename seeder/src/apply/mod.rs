//! `apply`: from a plan to rows and a manifest, all or nothing.

mod earlier;
mod insert;
mod lines;
mod progress;
pub(crate) mod remove;
mod sample;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::database::{self, Database, DatabaseError, SqlError};
use crate::plan::{Plan, PlanError};
use crate::rows::{AccountRows, Engine, TableRows};
use crate::schema::{self, CycleError, LoadOrder, Schema, SchemaError};
use common::digest;
use manifest::ManifestWriter;
use manifest::format::{
    DatabaseId, FORMAT, Header, MINOR, PlanRef, PlanSource, TableRows as TableEntry, VERSION,
};

pub(crate) use earlier::Earlier;
pub use insert::Present;
pub use progress::Progress;
use remove::Removal;
pub use remove::Removed;
pub use sample::{Sample, sample};

/// What is to be done.
#[derive(Debug)]
pub struct Config {
    pub plan: PathBuf,
    pub database: Database,
    pub manifest: PathBuf,
    /// The plan's own where none is given.
    pub seed: Option<u64>,
    /// What `now()` is; the plan's own where none is given.
    pub now: Option<DateTime<Utc>>,
    pub scale: u32,
    pub before: Before,
    pub present: Present,
    /// Whether rows may be removed on another machine.
    pub confirmed: bool,
    pub progress: Progress,
}

/// What becomes of an earlier apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Its rows stay; that the plan is another now is an error.
    Keep,
    /// Where the plan is another now, its rows go first.
    Replace,
    /// What it and the load put there goes first.
    Reset,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub plan: String,
    /// Digest of the data: the same for the same plan, seed and scale.
    pub digest: String,
    pub removed: Vec<Removed>,
    pub tables: Vec<Inserted>,
    pub accounts: u64,
    /// Where it is.
    pub manifest: String,
}

#[derive(Debug, Serialize)]
pub struct Inserted {
    pub table: String,
    /// Rows of the plan.
    pub rows: u64,
    pub inserted: u64,
    /// Of the rows that were there, those that others had changed.
    pub changed: u64,
    /// Of those, the ones that were put right.
    pub repaired: u64,
}

impl Summary {
    pub fn inserted(&self) -> u64 {
        self.tables.iter().map(|table| table.inserted).sum()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Cycle(#[from] CycleError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{table} cannot take the plan's rows: {message}")]
    Rows { table: String, message: String, source: SqlError },
    #[error(
        "rows of {table} cannot be removed: rows of {by} refer to them; if a load made these, add to the plan: [[load]] table = {by:?}, refers_to = {table:?}"
    )]
    StillReferred { table: String, by: String, source: SqlError },
    #[error("cannot write manifest {}", path.display())]
    Manifest { path: PathBuf, source: std::io::Error },
    #[error(
        "this would remove {counts} at {place}, which is not this machine; add --yes if that is meant"
    )]
    NotConfirmed { counts: String, place: String },
    #[error(
        "plan {plan} is not what it was when it was applied ({}); add --replace to remove what was inserted then and insert what it has now",
        changes.join("; ")
    )]
    Changed { plan: String, changes: Vec<String> },
    #[error("interrupted; the database is as it was before")]
    Interrupted,
}

/// Loads the plan's rows and writes the manifest.
///
/// # Errors
/// With nothing changed in the database: everything is one transaction. So it
/// is, too, when `shutdown` is cancelled before the end of that.
pub async fn apply(config: &Config, shutdown: &CancellationToken) -> Result<Summary, ApplyError> {
    let mut plan = Plan::read(&config.plan)?;
    plan.epoch = config.now.unwrap_or(plan.epoch);
    let failed = |source| ApplyError::Manifest { path: config.manifest.clone(), source };
    let manifest = ManifestWriter::create(&config.manifest).map_err(failed)?;
    let mut connection = config.database.connect().await?;
    let transaction =
        connection.begin().await.map_err(DatabaseError::while_doing("beginning a transaction"))?;
    let loading = load(config, &plan, transaction, manifest);
    let Loaded { transaction, sealed, header, removed, tables, schema } = tokio::select! {
        biased;
        // The transaction goes with the connection.
        () = shutdown.cancelled() => return Err(ApplyError::Interrupted),
        loaded = loading => loaded?,
    };
    // From here on to the end: rows without their manifest, or one without the
    // rows, would be neither done nor undone.
    transaction.commit().await.map_err(DatabaseError::while_doing("committing"))?;
    let accounts = sealed.publish().map_err(failed)?;
    tidy(&mut connection, &schema, !removed.is_empty()).await?;
    Ok(Summary {
        plan: plan.name,
        digest: header.digest,
        removed,
        tables,
        accounts,
        manifest: config.manifest.display().to_string(),
    })
}

/// All is done but the last step, which makes it final.
struct Loaded<'c> {
    transaction: sqlx::Transaction<'c, sqlx::Postgres>,
    sealed: manifest::SealedManifest,
    header: Header,
    removed: Vec<Removed>,
    tables: Vec<Inserted>,
    schema: Schema,
}

async fn load<'c>(
    config: &Config,
    plan: &Plan,
    mut transaction: sqlx::Transaction<'c, sqlx::Postgres>,
    mut manifest: ManifestWriter,
) -> Result<Loaded<'c>, ApplyError> {
    let failed = |source| ApplyError::Manifest { path: config.manifest.clone(), source };
    let id = database::identify(&mut transaction).await?;
    lock(&mut transaction, plan).await?;
    let schema = introspect(&mut transaction, plan).await?;
    let seed = config.seed.unwrap_or(plan.seed);
    let engine = Engine::new(plan, &schema, seed, config.scale)?;
    let Compiled { tables, order, accounts } = compile(engine, plan, &schema)?;
    let earlier = Earlier::of(&config.manifest, plan, &id);
    let changes = earlier.as_ref().map(|earlier| earlier.changes(plan, seed, config.scale));
    let changes = changes.unwrap_or_default();
    let removed = match config.before {
        Before::Keep if changes.is_empty() => Vec::new(),
        Before::Keep => {
            return Err(ApplyError::Changed { plan: plan.name.clone(), changes });
        }
        Before::Replace if changes.is_empty() => Vec::new(),
        Before::Replace | Before::Reset => {
            let past = Past::new(plan, earlier, seed, config.scale);
            let removed = past.remove(&mut transaction).await?;
            confirm(&removed, &config.database, config.confirmed)?;
            removed
        }
    };
    remove::defer(&mut transaction, "DEFERRED")
        .await
        .map_err(DatabaseError::while_doing("deferring"))?;
    let (mut inserted, mut entries, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
    for table in &tables {
        let later = order.later.get(table.name.as_str());
        let done =
            insert::table(&mut transaction, table, later, config.present, config.progress).await?;
        unfinished.extend(done.unfinished);
        entries.push(TableEntry {
            table: table.name.clone(),
            rows: table.rows(),
            digest: done.digest,
            filled_by_database: table.filled_by_database.clone(),
        });
        inserted.push(Inserted {
            table: table.name.clone(),
            rows: table.rows(),
            inserted: done.inserted,
            changed: done.changed,
            repaired: if config.present == Present::Repair { done.changed } else { 0 },
        });
    }
    for stage in unfinished {
        stage.finish(&mut transaction).await?;
    }
    remove::defer(&mut transaction, "IMMEDIATE")
        .await
        .map_err(|error| insert::refused("the database", "checking", error))?;

    let header = header(plan, engine, config.scale, id, entries);
    manifest.header(&header).map_err(failed)?;
    for accounts in &accounts {
        for n in 1..=accounts.rows() {
            manifest.account(&accounts.account(n)?).map_err(failed)?;
        }
        tokio::task::yield_now().await;
    }
    // On the disk before the rows are final; in its place once they are.
    let sealed = manifest.seal().map_err(failed)?;
    Ok(Loaded { transaction, sealed, header, removed, tables: inserted, schema })
}

/// What an earlier apply put there, and by which plan.
pub(crate) struct Past<'p> {
    plan: std::borrow::Cow<'p, Plan>,
    seed: u64,
    scale: u32,
}

impl<'p> Past<'p> {
    /// By what the manifest says, where there is one; else by the plan as it is.
    pub(crate) fn new(plan: &'p Plan, earlier: Option<Earlier>, seed: u64, scale: u32) -> Self {
        use std::borrow::Cow;
        match earlier {
            None => Self { plan: Cow::Borrowed(plan), seed, scale },
            Some(Earlier { plan: None, seed, scale: then }) => {
                Self { plan: Cow::Borrowed(plan), seed, scale: then.max(scale) }
            }
            Some(Earlier { plan: Some(then), seed, scale: at }) => {
                Self { plan: Cow::Owned(then), seed, scale: at.max(scale) }
            }
        }
    }

    pub(crate) fn override_seed(&mut self, seed: Option<u64>) {
        self.seed = seed.unwrap_or(self.seed);
    }

    /// Removes what the plan has and the load has hung on it.
    pub(crate) async fn remove(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<Removed>, ApplyError> {
        let schema = introspect(connection, &self.plan).await?;
        let engine = Engine::new(&self.plan, &schema, self.seed, self.scale)?;
        let mut referrers = BTreeMap::new();
        for table in self.plan.tables.iter().filter(|table| table.shared) {
            if let Some(live) = schema.table(&table.name) {
                let conditions =
                    schema::referrers(connection, live.oid).await.map_err(SchemaError::from)?;
                referrers.insert(table.name.clone(), conditions);
            }
        }
        let removal = Removal::new(engine, &self.plan, &schema, &referrers)?;
        removal.run(connection).await
    }
}

/// What is removed elsewhere than on one's own machine is counted first, and
/// must then be asked for.
pub(crate) fn confirm(
    removed: &[Removed],
    database: &Database,
    confirmed: bool,
) -> Result<(), ApplyError> {
    if database.local || confirmed {
        return Ok(());
    }
    let counts = remove::in_words(removed);
    Err(ApplyError::NotConfirmed { counts, place: database.place().to_owned() })
}

pub(crate) async fn introspect(
    connection: &mut PgConnection,
    plan: &Plan,
) -> Result<Schema, ApplyError> {
    schema::introspect(connection, &table_names(plan))
        .await
        .map_err(|error| in_the_plan(plan, error))
}

fn table_names(plan: &Plan) -> Vec<&str> {
    let planned = plan.tables.iter().map(|table| table.name.as_str());
    let left: BTreeSet<&str> = plan.load.iter().map(|load| load.table.as_str()).collect();
    planned.chain(left.into_iter().filter(|name| plan.table(name).is_none())).collect()
}

/// A table that is not there is a mistake on a line of the plan.
fn in_the_plan(plan: &Plan, error: SchemaError) -> ApplyError {
    let SchemaError::NoTable { table, .. } = &error else { return error.into() };
    let load = plan.load.iter().find(|load| load.table == *table).map(|load| load.line);
    let line = plan.table(table).map(|table| table.line).or(load);
    plan.error(line.unwrap_or(1), error.to_string()).into()
}

pub(crate) struct Compiled<'p> {
    /// In the order of loading.
    pub(crate) tables: Vec<Arc<TableRows>>,
    pub(crate) order: LoadOrder<'p>,
    pub(crate) accounts: Vec<AccountRows>,
}

/// All that is made of a plan, and the first rows tried: a mistake is told
/// before anything is done.
pub(crate) fn compile<'p>(
    engine: &'static Engine,
    plan: &'p Plan,
    schema: &Schema,
) -> Result<Compiled<'p>, ApplyError> {
    let names: Vec<&str> = plan.tables.iter().map(|table| table.name.as_str()).collect();
    let order = schema::load_order(schema, &names)?;
    let tables = order.tables.iter().map(|name| engine.compile(plan, schema, name).map(Arc::new));
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    for group in tables.iter().flat_map(|table| &table.groups).filter(|group| group.rows > 0) {
        group.write(1, &mut Vec::new())?;
    }
    let accounts = engine.accounts(plan, &tables)?;
    Ok(Compiled { tables, order, accounts })
}

/// Two seeders of one plan wait for each other.
pub(crate) async fn lock(connection: &mut PgConnection, plan: &Plan) -> Result<(), DatabaseError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('seeder ' || $1, 0))")
        .bind(&plan.name)
        .execute(connection)
        .await
        .map_err(DatabaseError::while_doing("waiting for another seeder"))?;
    Ok(())
}

fn header(
    plan: &Plan,
    engine: &Engine,
    scale: u32,
    database: DatabaseId,
    tables: Vec<TableEntry>,
) -> Header {
    let mut hash = Sha256::new();
    hash.update(plan.digest.as_bytes());
    hash.update(engine.seed().to_le_bytes());
    hash.update(scale.to_le_bytes());
    for table in &tables {
        hash.update(table.digest.as_bytes());
    }
    Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        minor: MINOR,
        tool: concat!("seeder ", env!("CARGO_PKG_VERSION")).to_owned(),
        plan: PlanRef { name: plan.name.clone(), digest: plan.digest.clone() },
        source: Some(PlanSource {
            epoch: plan.epoch.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            text: plan.text.clone(),
        }),
        seed: engine.seed(),
        scale,
        database,
        bcrypt_costs: engine.bcrypt_costs(),
        tables,
        digest: digest::text(&hash.finalize()),
    }
}

/// Statistics for the planner, and after a removal the space of the removed
/// rows: queries are then as fast as on a database that is new.
pub(crate) async fn tidy(
    connection: &mut PgConnection,
    schema: &Schema,
    removed: bool,
) -> Result<(), DatabaseError> {
    let names: Vec<&str> = schema.tables().map(|(_, table)| table.sql_name.as_str()).collect();
    let verb = if removed { "VACUUM (ANALYZE)" } else { "ANALYZE" };
    let statement = format!("{verb} {}", names.join(", "));
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map_err(DatabaseError::while_doing("gathering statistics"))?;
    Ok(())
}
