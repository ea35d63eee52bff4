//! Rows into a table, by COPY.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::error::ApplyError;
use super::lines::{self, Chunk};
use super::loading::Loading;
use super::send::{copy, is_empty};
use super::stage::Stage;
use crate::rows::TableRows;
use crate::schema::quoted_list;
use common::digest;

pub(super) struct TableLoad {
    pub(super) inserted: u64,
    /// Existing rows that others had changed.
    pub(super) changed: u64,
    /// Of all rows, including those that existed already.
    pub(super) digest: String,
    /// Stages of rows with columns that are filled once all tables have theirs.
    pub(super) unfinished: Vec<Stage>,
}

/// Sends the rows of a table that do not exist yet.
///
/// An empty table is filled directly. Otherwise the rows go into a temporary table
/// first, which the server compares with the existing ones.
pub(super) async fn table(
    connection: &mut PgConnection,
    table: &Arc<TableRows>,
    later: Option<&BTreeSet<String>>,
    loading: &Loading<'_>,
) -> Result<TableLoad, ApplyError> {
    let empty = is_empty(connection, table).await?;
    let bar = loading.progress.table(&table.name, table.rows());
    let mut hash = Sha256::new();
    let mut load =
        TableLoad { inserted: 0, changed: 0, digest: String::new(), unfinished: Vec::new() };
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
            load.inserted += copy(connection, &statement, lines, &mut each)
                .await
                .map_err(|error| error.of(&table.name, "loading"))?;
        } else {
            let stage = Stage::create(connection, table, index, later).await?;
            copy(connection, &stage.copy_statement(), lines, &mut each)
                .await
                .map_err(|error| error.of(&table.name, "loading"))?;
            stage.look(connection, table, loading).await?;
            let counts = stage.settle(connection, table, loading.present).await?;
            load.inserted += counts.inserted;
            load.changed += counts.changed;
            load.unfinished.extend(stage.close(connection, table).await?);
        }
    }
    bar.finish(load.inserted);
    load.digest = digest::text(&hash.finalize());
    Ok(load)
}
