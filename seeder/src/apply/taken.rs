//! Rows of others under the plan's keys, and what helps.

use sqlx::{AssertSqlSafe, PgConnection};

use super::error::ApplyError;
use super::keys::{is_in, prefixed};
use super::refusal::line;
use crate::database::DatabaseError;
use crate::plan::Plan;
use crate::rows::TableRows;
use crate::schema::{Schema, quoted};
use common::shown;

/// Keys that are shown.
const EXAMPLES: usize = 3;
const LONGEST: usize = 60;

/// Rows of one table.
#[derive(Debug)]
pub(super) struct Taken {
    table: String,
    what: String,
}

/// Rows `t` that are not ours where the plan's are; none that this transaction has made.
pub(super) async fn under(
    connection: &mut PgConnection,
    rows: &TableRows,
    under: &str,
    ours: &str,
) -> Result<Option<Taken>, DatabaseError> {
    let from = format!(
        "FROM {} t WHERE {under} AND ({ours}) IS NOT TRUE
             AND t.xmin <> pg_current_xact_id()::xid",
        rows.sql_name
    );
    let found = count(connection, rows, &format!("SELECT count(*) {from}")).await?;
    if found == 0 {
        return Ok(None);
    }
    let keys = examples(connection, rows, &from).await?;
    let table = rows.name.clone();
    let what = format!("{found} rows of {table} are where the plan's rows are to be{keys}");
    Ok(Some(Taken { table, what }))
}

/// Rows beyond those that a list has, under the same keys: told by these alone, they cannot be
/// told apart.
pub(super) async fn beside(
    connection: &mut PgConnection,
    plan: &Plan,
    schema: &Schema,
    rows: &TableRows,
    list: &str,
) -> Result<Option<Taken>, DatabaseError> {
    let is_primary =
        schema.table(&rows.name).is_some_and(|live| rows.key_columns().eq(&live.primary_key));
    if is_primary || rows.shared || plan.allowed.adopts(&rows.name) {
        return Ok(None);
    }
    let key = || rows.key_columns();
    let own = prefixed("t", key());
    let same: Vec<String> = key().map(|name| format!("k.{0} = t.{0}", quoted(name))).collect();
    let planned = format!("(SELECT count(*) FROM {list} k WHERE {})", same.join(" AND "));
    let from = format!(
        "FROM {} t WHERE {} GROUP BY {own} HAVING count(*) > {planned}",
        rows.sql_name,
        is_in("t", list, key())
    );
    let beyond = format!(
        "SELECT coalesce(sum(beyond), 0)::bigint FROM (SELECT count(*) - {planned} AS beyond {from}) t"
    );
    let found = count(connection, rows, &beyond).await?;
    if found == 0 {
        return Ok(None);
    }
    let keys = examples(connection, rows, &from).await?;
    let table = rows.name.clone();
    let what = format!("{found} rows of {table} have the same keys as the plan's{keys}");
    Ok(Some(Taken { table, what }))
}

async fn count(
    connection: &mut PgConnection,
    rows: &TableRows,
    statement: &str,
) -> Result<i64, DatabaseError> {
    sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
        .fetch_one(connection)
        .await
        .map_err(DatabaseError::while_doing(format!("looking whose the rows of {} are", rows.name)))
}

/// `, (code, day) = (a, 1), (b, 2)`; nothing where they could be secret.
async fn examples(
    connection: &mut PgConnection,
    rows: &TableRows,
    from: &str,
) -> Result<String, DatabaseError> {
    if rows.key_columns().any(|name| rows.may_be_secret(name)) {
        return Ok(String::new());
    }
    let texts = rows.key_columns().map(|name| format!("t.{}::text", quoted(name)));
    let texts = texts.collect::<Vec<_>>().join(", ");
    let keys = format!("SELECT ARRAY[{texts}] {from} ORDER BY 1 LIMIT {EXAMPLES}");
    let keys: Vec<Vec<String>> = sqlx::query_scalar(AssertSqlSafe(keys))
        .fetch_all(connection)
        .await
        .map_err(DatabaseError::while_doing(format!("reading keys of {}", rows.name)))?;
    let shown = |text: &String| shown::line(&shown::shortened(text, LONGEST)).into_owned();
    let keys: Vec<String> = keys
        .iter()
        .map(|key| format!("({})", key.iter().map(shown).collect::<Vec<_>>().join(", ")))
        .collect();
    let names: Vec<&str> = rows.key_columns().collect();
    Ok(format!(", ({}) = {}", names.join(", "), keys.join(", ")))
}

/// Of rows that were to be inserted, or put right.
pub(super) fn not_inserted(plan: &Plan, taken: &[Taken]) -> ApplyError {
    let (what, adopt) = said(plan, taken);
    ApplyError::NotInserted { what, adopt }
}

/// Of rows that were to be removed.
pub(super) fn not_known(plan: &Plan, taken: &[Taken]) -> ApplyError {
    let (what, adopt) = said(plan, taken);
    ApplyError::NotKnown { what, adopt }
}

fn said(plan: &Plan, taken: &[Taken]) -> (String, String) {
    let what: Vec<&str> = taken.iter().map(|taken| taken.what.as_str()).collect();
    let tables: Vec<String> = taken.iter().map(|taken| taken.table.clone()).collect();
    (what.join("; "), line("adopt", &tables, &plan.allowed.adopt))
}
