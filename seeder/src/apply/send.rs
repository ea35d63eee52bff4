//! Statements and rows, to the server.

use sqlx::{AssertSqlSafe, PgConnection};
use tokio::sync::mpsc;

use super::error::{ApplyError, refused};
use super::lines::Chunk;
use crate::database::DatabaseError;
use crate::plan::PlanError;
use crate::rows::TableRows;

/// Why rows did not arrive.
pub(super) enum CopyError {
    Plan(PlanError),
    Sql(sqlx::Error),
}

impl CopyError {
    pub(super) fn of(self, table: &str, doing: &str) -> ApplyError {
        match self {
            Self::Plan(error) => error.into(),
            Self::Sql(error) => refused(table, doing, error),
        }
    }
}

/// Sends chunks as they come and calls `each` for every one. Returns the server's
/// count of rows.
pub(super) async fn copy(
    connection: &mut PgConnection,
    statement: &str,
    mut chunks: mpsc::Receiver<Result<Chunk, PlanError>>,
    each: &mut impl FnMut(&Chunk),
) -> Result<u64, CopyError> {
    let mut copy = connection.copy_in_raw(statement).await.map_err(CopyError::Sql)?;
    while let Some(chunk) = chunks.recv().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(mistake) => {
                // The server answers with the very reason given here.
                let _ = copy.abort("the plan has a mistake").await;
                return Err(CopyError::Plan(mistake));
            }
        };
        each(&chunk);
        if let Err(error) = copy.send(chunk.lines).await {
            // The server has stopped listening; its reason is what `abort` brings.
            let reason = copy.abort("the rows could not be sent").await.err();
            return Err(CopyError::Sql(reason.unwrap_or(error)));
        }
    }
    copy.finish().await.map_err(CopyError::Sql)
}

pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: &str,
    parameters: &[&str],
) -> Result<u64, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for parameter in parameters {
        query = query.bind(*parameter);
    }
    Ok(query.execute(connection).await?.rows_affected())
}

/// `DEFERRED` or `IMMEDIATE`, of the foreign keys that can be either.
pub(super) async fn defer(connection: &mut PgConnection, when: &str) -> Result<(), sqlx::Error> {
    execute(connection, &format!("SET CONSTRAINTS ALL {when}"), &[]).await?;
    Ok(())
}

pub(super) async fn is_empty(
    connection: &mut PgConnection,
    table: &TableRows,
) -> Result<bool, DatabaseError> {
    let any = format!("SELECT EXISTS (SELECT FROM {})", table.sql_name);
    let any: bool = sqlx::query_scalar(AssertSqlSafe(any))
        .fetch_one(connection)
        .await
        .map_err(DatabaseError::while_doing(format!("looking into {}", table.name)))?;
    Ok(!any)
}
