//! Manifests of transactions whose seeder was killed between the commit and the renaming.
//!
//! Nothing is written into the database for it: the server itself knows what became of a
//! transaction, by its number.

use std::path::Path;

use sqlx::PgConnection;

use super::error::ApplyError;
use crate::database::DatabaseError;
use manifest::format::DatabaseId;
use manifest::{ManifestError, Pending};

/// The number of the transaction that is open.
pub(super) async fn transaction(connection: &mut PgConnection) -> Result<String, DatabaseError> {
    sqlx::query_scalar("SELECT pg_current_xact_id()::text")
        .fetch_one(connection)
        .await
        .map_err(DatabaseError::while_doing("numbering the transaction"))
}

/// Completes each pending manifest of this database whose rows are there, and drops those whose
/// rows never came. What is still under way, or of another database, stays.
pub(super) async fn settle(
    manifest: &Path,
    connection: &mut PgConnection,
    id: &DatabaseId,
) -> Result<(), ApplyError> {
    for pending in Pending::of(manifest) {
        if !pending.header().is_ok_and(|header| header.database.is_same(id)) {
            continue;
        }
        let settled = match fate(connection, &pending.transaction).await?.as_deref() {
            Some("committed") => pending.complete(),
            Some("aborted") => pending.discard(),
            _ => continue,
        };
        settled.map_err(ManifestError::from)?;
    }
    Ok(())
}

/// What became of a transaction; none where the server does not know, or not yet.
async fn fate(
    connection: &mut PgConnection,
    transaction: &str,
) -> Result<Option<String>, DatabaseError> {
    sqlx::query_scalar(
        "SELECT CASE WHEN $1::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
                     THEN pg_xact_status($1::text::xid8) END",
    )
    .bind(transaction)
    .fetch_one(connection)
    .await
    .map_err(DatabaseError::while_doing("asking what became of an earlier seeder"))
}
