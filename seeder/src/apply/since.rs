//! Since when a load may have hung rows on the plan's: the first apply.
//!
//! The manifest has the time. It is a file, so where the database itself put times on the plan's
//! rows, an earlier one than theirs is not believed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use super::error::ApplyError;
use super::keys::{drop_keys, is_planned, send_keys};
use crate::database::DatabaseError;
use crate::rows::TableRows;
use crate::schema::{self, Schema, quoted};

/// A time as a query gives it.
const TEXT: &str = "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'";

fn parsed(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// By the database's clock.
pub(super) async fn now(connection: &mut PgConnection) -> Result<DateTime<Utc>, DatabaseError> {
    let now = format!("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', {TEXT})");
    let text: String = sqlx::query_scalar(AssertSqlSafe(now))
        .fetch_one(connection)
        .await
        .map_err(DatabaseError::while_doing("asking for the time"))?;
    Ok(parsed(&text).unwrap_or_default())
}

/// The earliest time that the database put on a row of these tables; their keys have been sent.
pub(super) async fn stamped(
    connection: &mut PgConnection,
    schema: &Schema,
    tables: impl IntoIterator<Item = &TableRows>,
) -> Result<Option<DateTime<Utc>>, DatabaseError> {
    let mut earliest: Option<DateTime<Utc>> = None;
    // Shared rows may have been there before the plan's.
    for rows in tables.into_iter().filter(|rows| !rows.shared) {
        let failed =
            || DatabaseError::while_doing(format!("asking how old the rows of {} are", rows.name));
        let Some(live) = schema.table(&rows.name) else { continue };
        let columns = schema::stamped(connection, live.oid).await.map_err(failed())?;
        for column in columns.iter().filter(|column| rows.filled_by_database.contains(column)) {
            let earlier = format!(
                "SELECT to_char(min(t.{}) AT TIME ZONE 'UTC', {TEXT}) FROM {} t WHERE {}",
                quoted(column),
                rows.sql_name,
                is_planned(rows)
            );
            let text: Option<String> = sqlx::query_scalar(AssertSqlSafe(earlier))
                .fetch_one(&mut *connection)
                .await
                .map_err(failed())?;
            let time = text.as_deref().and_then(parsed);
            earliest = match (earliest, time) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    Ok(earliest)
}

/// The time that the first apply's manifest would have, where that is lost: when the database
/// says that rows of the plan came, else now.
pub(super) async fn of_rows(
    connection: &mut PgConnection,
    schema: &Schema,
    tables: &[Arc<TableRows>],
) -> Result<DateTime<Utc>, ApplyError> {
    for table in tables {
        send_keys(connection, table).await?;
    }
    let earliest = stamped(connection, schema, tables.iter().map(|table| &**table)).await?;
    for table in tables {
        drop_keys(connection, table).await?;
    }
    match earliest {
        Some(time) => Ok(time),
        None => Ok(now(connection).await?),
    }
}
