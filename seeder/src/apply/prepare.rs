//! Checks a plan against the live schema, and compiles it.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::PgConnection;

use super::error::ApplyError;
use crate::database::DatabaseError;
use crate::plan::Plan;
use crate::rows::{AccountRows, Engine, TableRows};
use crate::schema::{self, LoadOrder, Schema, SchemaError};

pub(crate) async fn introspect(
    connection: &mut PgConnection,
    plan: &Plan,
) -> Result<Schema, ApplyError> {
    let mut names = table_names(plan);
    let known: BTreeSet<&str> = names.iter().copied().collect();
    let allowed: BTreeSet<&str> = plan.allowed.all().map(|named| named.name.as_str()).collect();
    names.extend(allowed.difference(&known));
    schema::introspect(connection, &names).await.map_err(|error| in_the_plan(plan, error))
}

/// The tables of which rows are the plan's or a load's.
pub(super) fn table_names(plan: &Plan) -> Vec<&str> {
    let planned = plan.tables.iter().map(|table| table.name.as_str());
    let left: BTreeSet<&str> = plan.load.iter().map(|load| load.table.as_str()).collect();
    planned.chain(left.into_iter().filter(|name| plan.table(name).is_none())).collect()
}

/// A missing table is a mistake on a line of the plan.
fn in_the_plan(plan: &Plan, error: SchemaError) -> ApplyError {
    let SchemaError::NoTable { table, .. } = &error else { return error.into() };
    let load = plan.load.iter().find(|load| load.table == *table).map(|load| load.line);
    let allowed = plan.allowed.all().find(|named| named.name == *table).map(|named| named.line);
    let line = plan.table(table).map(|table| table.line).or(load).or(allowed);
    plan.error(line.unwrap_or(1), error.to_string()).into()
}

pub(crate) struct Compiled<'p> {
    /// In the order of loading.
    pub(crate) tables: Vec<Arc<TableRows>>,
    pub(crate) order: LoadOrder<'p>,
    pub(crate) accounts: Vec<AccountRows>,
}

/// Compiles a whole plan and tries its first rows, so that mistakes are reported
/// before anything is changed.
pub(crate) fn compile<'p>(
    engine: &'static Engine,
    plan: &'p Plan,
    schema: &Schema,
) -> Result<Compiled<'p>, ApplyError> {
    let names: Vec<&str> = plan.tables.iter().map(|table| table.name.as_str()).collect();
    let order = schema::load_order(schema, &names)?;
    let tables = order.tables.iter().map(|name| engine.compile(plan, schema, name).map(Arc::new));
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    engine.without_hashing(|| {
        let mut groups = tables.iter().flat_map(|table| &table.groups);
        groups.try_for_each(|group| match group.rows {
            0 => Ok(()),
            _ => group.write(1, &mut Vec::new()),
        })
    })?;
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
