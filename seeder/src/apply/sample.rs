//! `apply --dry-run`: what would be sent and removed, without anything being changed.

use serde::Serialize;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::earlier::Earlier;
use super::error::ApplyError;
use super::ownership::Ownership;
use super::past::Past;
use super::prepare::{Compiled, compile, introspect, lock};
use super::removed::RemovedRows;
use super::session::{open, unless};
use super::taken;
use crate::database::DatabaseError;
use crate::plan::Plan;
use crate::rows::Engine;

/// Rows of each group that are shown.
const ROWS: u64 = 3;

/// A group of a table, and its first rows.
#[derive(Debug, Serialize)]
pub struct Sample {
    pub table: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Of the plan, at the scale that was asked for.
    pub rows: u64,
    pub filled_by_database: Vec<String>,
    /// By column, in the table's order, as Postgres reads it.
    pub first: Vec<Vec<(String, Option<String>)>>,
}

/// Makes the first rows of everything, in the order of loading.
///
/// # Errors
/// As [`super::apply`]; the database is only read.
pub async fn sample(config: &Config) -> Result<Vec<Sample>, ApplyError> {
    let mut plan = Plan::read(&config.plan)?;
    plan.epoch = config.now.unwrap_or(plan.epoch);
    let mut connection = config.database.connect().await?;
    let schema = introspect(&mut connection, &plan).await?;
    let engine = Engine::new(&plan, &schema, config.seed.unwrap_or(plan.seed), config.scale)?;
    engine.check_constants(&plan, &schema)?;
    let Compiled { tables, .. } = compile(engine, &plan, &schema)?;
    let groups = tables.iter().flat_map(|table| table.groups.iter().map(move |g| (table, g)));
    groups
        .map(|(table, group)| {
            let rows = (1..=group.rows.min(ROWS)).map(|n| {
                let row = group.row(n)?.into_iter();
                Ok(row.map(|(name, text)| (name.to_owned(), text)).collect())
            });
            Ok(Sample {
                table: table.name.clone(),
                group: group.name.clone(),
                rows: group.rows,
                filled_by_database: table.filled_by_database.clone(),
                first: rows.collect::<Result<_, ApplyError>>()?,
            })
        })
        .collect()
}

/// What `--reset` or `--replace` would remove; nothing with neither. Rows of others in the way of
/// the plan's are found, too.
///
/// # Errors
/// As [`apply`]; the database is as it was before.
pub async fn would_remove(
    config: &Config,
    shutdown: &CancellationToken,
) -> Result<Vec<RemovedRows>, ApplyError> {
    let mut plan = Plan::read(&config.plan)?;
    plan.epoch = config.now.unwrap_or(plan.epoch);
    let (mut connection, id) = unless(shutdown, open(&config.database, &config.manifest)).await?;
    let earlier = Earlier::of(&config.manifest, &plan, &id)?;
    let seed = config.seed.unwrap_or(plan.seed);
    let changes = earlier.as_ref().map(|earlier| earlier.changes(&plan, seed, config.scale));
    let removes = config.before.removes(&changes.unwrap_or_default());
    let mut transaction =
        connection.begin().await.map_err(DatabaseError::while_doing("beginning a transaction"))?;
    let removing = async {
        lock(&mut transaction, &plan).await?;
        let schema = introspect(&mut transaction, &plan).await?;
        let engine = Engine::new(&plan, &schema, seed, config.scale)?;
        let record = earlier.as_ref().and_then(|earlier| earlier.record(&plan));
        let plan = &plan;
        let ownership = Ownership::new(engine, plan, &schema, record.as_ref());
        let ours = ownership.look(&mut transaction, taken::not_inserted).await?;
        ours.discard(&mut transaction).await?;
        match removes {
            false => Ok(Vec::new()),
            true => Past::new(plan, earlier, seed, config.scale).remove(&mut transaction).await,
        }
    };
    let removed = unless(shutdown, removing).await?;
    transaction.rollback().await.map_err(DatabaseError::while_doing("rolling back"))?;
    Ok(removed)
}
