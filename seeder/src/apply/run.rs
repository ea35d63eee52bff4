//! One transaction, then the manifest.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SecondsFormat;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::config::{Before, Config, Present};
use super::earlier::Earlier;
use super::error::{ApplyError, refused};
use super::hashes;
use super::insert;
use super::loading::Loading;
use super::ownership::Ownership;
use super::past::{Past, confirm};
use super::pending;
use super::prepare::{Compiled, compile, introspect, lock, tidy};
use super::removed::{Effect, RemovedRows};
use super::send::defer;
use super::session::{commit, open, unless};
use super::since;
use super::taken;
use super::triggered::{self, TriggeredRows};
use crate::database::DatabaseError;
use crate::plan::Plan;
use crate::rows::Engine;
use crate::schema::Schema;
use common::digest;
use manifest::format::{
    DatabaseId, FORMAT, Header, MINOR, PlanRef, PlanSource, TableRows as TableEntry, VERSION,
};
use manifest::{ManifestError, ManifestWriter};

/// What was load.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub plan: String,
    /// Digest of the data: the same for the same plan, seed and scale.
    pub digest: String,
    pub removed: Vec<RemovedRows>,
    pub tables: Vec<InsertedRows>,
    /// What triggers did beside that, which `clean` cannot undo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_triggers: Vec<TriggeredRows>,
    pub accounts: u64,
    /// Where it is.
    pub manifest: String,
}

#[derive(Debug, Serialize)]
pub struct InsertedRows {
    pub table: String,
    /// Rows of the plan.
    pub rows: u64,
    pub inserted: u64,
    /// Existing rows that others had changed.
    pub changed: u64,
    /// Of those, the ones that were repaired.
    pub repaired: u64,
}

impl Summary {
    pub fn inserted(&self) -> u64 {
        self.tables.iter().map(|table| table.inserted).sum()
    }
}

/// Loads the plan's rows and writes the manifest.
///
/// # Errors
/// With nothing changed in the database: everything is one transaction. The same
/// holds when `shutdown` is cancelled before it is committed. Only [`ApplyError::Uncertain`],
/// [`ApplyError::Unpublished`] and [`ApplyError::Untidy`] come later, and say so.
pub async fn apply(config: &Config, shutdown: &CancellationToken) -> Result<Summary, ApplyError> {
    let mut plan = Plan::read(&config.plan)?;
    plan.epoch = config.now.unwrap_or(plan.epoch);
    let manifest = ManifestWriter::create(&config.manifest)?;
    let (mut connection, id) = unless(shutdown, open(&config.database, &config.manifest)).await?;
    let transaction =
        connection.begin().await.map_err(DatabaseError::while_doing("beginning a transaction"))?;
    let loading = load(config, &plan, id, transaction, manifest);
    // The transaction goes with the connection.
    let LoadedPlan { transaction, sealed, header, removed, tables, by_triggers, schema } =
        unless(shutdown, loading).await?;
    // From here on to the end: rows without their manifest, or one without the
    // rows, would be neither done nor undone.
    commit(transaction).await?;
    let path = || config.manifest.clone();
    let accounts = sealed
        .publish()
        .map_err(|source| ApplyError::Unpublished { path: path(), source: source.into() })?;
    tidy(&mut connection, &schema, !removed.is_empty())
        .await
        .map_err(|source| ApplyError::Untidy { path: path(), source })?;
    Ok(Summary {
        plan: plan.name,
        digest: header.digest,
        removed,
        tables,
        by_triggers,
        accounts,
        manifest: config.manifest.display().to_string(),
    })
}

/// Everything but the last step, which makes it final.
struct LoadedPlan<'c> {
    transaction: sqlx::Transaction<'c, sqlx::Postgres>,
    sealed: manifest::SealedManifest,
    header: Header,
    removed: Vec<RemovedRows>,
    tables: Vec<InsertedRows>,
    by_triggers: Vec<TriggeredRows>,
    schema: Schema,
}

async fn load<'c>(
    config: &Config,
    plan: &Plan,
    id: DatabaseId,
    mut transaction: sqlx::Transaction<'c, sqlx::Postgres>,
    mut manifest: ManifestWriter,
) -> Result<LoadedPlan<'c>, ApplyError> {
    lock(&mut transaction, plan).await?;
    let schema = introspect(&mut transaction, plan).await?;
    let seed = config.seed.unwrap_or(plan.seed);
    let engine = Engine::new(plan, &schema, seed, config.scale)?;
    engine.check_constants(plan, &schema)?;
    let Compiled { tables, order, accounts } = compile(engine, plan, &schema)?;
    let earlier = Earlier::of(&config.manifest, plan, &id)?;
    let changes = earlier.as_ref().map(|earlier| earlier.changes(plan, seed, config.scale));
    let changes = changes.unwrap_or_default();
    let since = earlier.as_ref().and_then(|earlier| earlier.since);
    let mut triggered = earlier.as_ref().map_or_else(BTreeSet::new, |one| one.by_triggers.clone());
    if config.before == Before::Keep && !changes.is_empty() {
        return Err(ApplyError::Changed { plan: plan.name.clone(), changes });
    }
    let record = earlier.as_ref().and_then(|earlier| earlier.record(plan));
    let ownership = Ownership::new(engine, plan, &schema, record.as_ref());
    let mut ours = ownership.look(&mut transaction, taken::not_inserted).await?;
    // Before anything is locked that others may want.
    hashes::ahead(&mut transaction, engine, &tables).await?;
    let (removed, since) = match config.before.removes(&changes) {
        false => (Vec::new(), since),
        true => {
            ours.discard(&mut transaction).await?;
            let past = Past::new(plan, earlier, seed, config.scale);
            let removed = past.remove(&mut transaction).await?;
            confirm(&removed, &config.database, config.confirmed)?;
            ours = ownership.look(&mut transaction, taken::not_inserted).await?;
            // What a load had left is gone with the rows.
            (removed, Some(since::now(&mut transaction).await?))
        }
    };
    defer(&mut transaction, "DEFERRED").await.map_err(DatabaseError::while_doing("deferring"))?;
    let before = triggered::so_far(&mut transaction).await?;
    let Config { present, progress, .. } = *config;
    let loading = Loading { plan, schema: &schema, ours: &ours, present, progress };
    let (mut inserted, mut entries, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
    for table in &tables {
        let later = order.later.get(table.name.as_str());
        let load = insert::table(&mut transaction, table, later, &loading).await?;
        unfinished.extend(load.unfinished);
        entries.push(TableEntry {
            table: table.name.clone(),
            rows: table.rows(),
            digest: load.digest,
            filled_by_database: table.filled_by_database.clone(),
        });
        inserted.push(InsertedRows {
            table: table.name.clone(),
            rows: table.rows(),
            inserted: load.inserted,
            changed: load.changed,
            repaired: if config.present == Present::Repair { load.changed } else { 0 },
        });
    }
    ours.discard(&mut transaction).await?;
    let mut connected: BTreeMap<String, u64> = BTreeMap::new();
    for stage in unfinished {
        let (table, rows) = stage.finish(&mut transaction).await?;
        *connected.entry(table).or_default() += rows;
    }
    defer(&mut transaction, "IMMEDIATE")
        .await
        .map_err(|error| refused("the database", "checking", error))?;
    let done = inserted.iter().filter_map(|rows| {
        let InsertedRows { table, inserted, repaired, .. } = rows;
        let connected = connected.get(table).copied().unwrap_or_default();
        // A row that is put right may move to another partition.
        let effect = Effect {
            inserted: inserted + repaired,
            changed: repaired + connected,
            deleted: *repaired,
        };
        Some((schema.table(table)?.oid, effect))
    });
    let done = done.collect();
    let by_triggers = triggered::rows(&mut transaction, &schema, &tables, before, done).await?;
    triggered.extend(by_triggers.iter().map(|rows| rows.table.clone()));

    let present = inserted.iter().any(|table| table.inserted < table.rows);
    let since = match since {
        Some(since) => since,
        None if present => since::of_rows(&mut transaction, &schema, &tables).await?,
        None => since::now(&mut transaction).await?,
    };
    let header = Header {
        since: Some(since.to_rfc3339_opts(SecondsFormat::Micros, true)),
        by_triggers: triggered.into_iter().collect(),
        ..header(plan, engine, config.scale, id, entries)
    };
    let failed = ManifestError::from;
    manifest.header(&header).map_err(failed)?;
    for accounts in &accounts {
        for n in 1..=accounts.rows() {
            manifest.account(&accounts.account(n)?).map_err(failed)?;
        }
        tokio::task::yield_now().await;
    }
    // It is on disk before the rows are final, and at its destination after.
    let number = pending::transaction(&mut transaction).await?;
    let sealed = manifest.seal(&number).map_err(failed)?;
    Ok(LoadedPlan { transaction, sealed, header, removed, tables: inserted, by_triggers, schema })
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
        since: None,
        by_triggers: Vec::new(),
        bcrypt_costs: engine.bcrypt_costs(),
        tables,
        digest: digest::text(&hash.finalize()),
    }
}
