//! Rows into a table, by COPY.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection};

use super::config::Present;
use super::error::ApplyError;
use super::lines::{self, Chunk};
use super::progress::Progress;
use super::send::copy;
use super::stage::Stage;
use crate::database::DatabaseError;
use crate::rows::TableRows;
use crate::schema::quoted_list;
use common::digest;

pub(super) struct Done {
    pub(super) inserted: u64,
    /// Of those that were there, the ones that others had changed.
    pub(super) changed: u64,
    /// Of all rows, those included that were there.
    pub(super) digest: String,
    /// Rows with columns that are filled once all tables have theirs.
    pub(super) unfinished: Vec<Stage>,
}

/// Sends the rows of a table that are not there yet.
///
/// Where it is empty they go straight in. Else they go into a temporary table
/// first, which the server compares with what is there.
pub(super) async fn table(
    connection: &mut PgConnection,
    table: &Arc<TableRows>,
    later: Option<&BTreeSet<String>>,
    present: Present,
    progress: Progress,
) -> Result<Done, ApplyError> {
    let empty = is_empty(connection, table).await?;
    let bar = progress.table(&table.name, table.rows());
    let mut hash = Sha256::new();
    let mut done = Done { inserted: 0, changed: 0, digest: String::new(), unfinished: Vec::new() };
    for (index, group) in table.groups.iter().enumerate() {
        for name in group.columns() {
            hash.update(name.as_bytes());
            hash.update(b"\t");
        }
        hash.update(b"\n");
        let later: Vec<String> = later
            .into_iter()
            .flatten()
            .filter(|column| group.columns().any(|name| name == *column))
            .cloned()
            .collect();
        let lines = lines::of_rows(table.clone(), index);
        let mut each = |chunk: &Chunk| {
            hash.update(&chunk.lines);
            bar.add(chunk.rows);
        };
        if empty && later.is_empty() {
            let columns = quoted_list(group.columns());
            let statement = format!("COPY {} ({columns}) FROM STDIN", table.sql_name);
            done.inserted += copy(connection, &statement, lines, &mut each)
                .await
                .map_err(|error| error.of(&table.name, "loading"))?;
        } else {
            let stage = Stage::create(connection, table, index, later).await?;
            copy(connection, &stage.copy_statement(), lines, &mut each)
                .await
                .map_err(|error| error.of(&table.name, "loading"))?;
            let settled = stage.settle(connection, table, present).await?;
            done.inserted += settled.inserted;
            done.changed += settled.changed;
            done.unfinished.extend(stage.close(connection, table).await?);
        }
    }
    bar.finish(done.inserted);
    done.digest = digest::text(&hash.finalize());
    Ok(done)
}

async fn is_empty(connection: &mut PgConnection, table: &TableRows) -> Result<bool, ApplyError> {
    let any = format!("SELECT EXISTS (SELECT FROM {})", table.sql_name);
    let any: bool = sqlx::query_scalar(AssertSqlSafe(any))
        .fetch_one(connection)
        .await
        .map_err(DatabaseError::while_doing(format!("looking into {}", table.name)))?;
    Ok(!any)
}
