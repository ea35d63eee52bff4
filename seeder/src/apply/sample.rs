//! `apply --dry-run`: what would be sent, without anything being sent.

use serde::Serialize;

use super::config::Config;
use super::error::ApplyError;
use super::prepare::{Compiled, compile, introspect};
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
