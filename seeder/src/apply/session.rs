//! Where a command's transaction begins and ends.

use std::path::Path;

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::error::ApplyError;
use super::pending::settle;
use crate::database::{self, Database, DatabaseError, SqlError};
use manifest::format::DatabaseId;

/// Makes it final.
///
/// # Errors
/// Where the server refuses, nothing has changed; where it says nothing, that is not known.
pub(crate) async fn commit(
    transaction: sqlx::Transaction<'_, sqlx::Postgres>,
) -> Result<(), ApplyError> {
    transaction.commit().await.map_err(|error| {
        let source = SqlError::from(error);
        match source.server().is_some() {
            true => DatabaseError::Failed { doing: "committing".to_owned(), source }.into(),
            false => ApplyError::Uncertain { source },
        }
    })
}

/// Connects, and puts right what an earlier command left half done.
///
/// # Errors
/// When the database is not there, refuses or fails.
pub(crate) async fn open(
    database: &Database,
    manifest: &Path,
) -> Result<(PgConnection, DatabaseId), ApplyError> {
    let mut connection = database.connect().await?;
    let id = database::identify(&mut connection).await?;
    settle(manifest, &mut connection, &id).await?;
    Ok((connection, id))
}

/// What comes of the work, or that a signal came first.
///
/// # Errors
/// Those of the work, and [`ApplyError::Interrupted`].
pub(crate) async fn unless<T>(
    shutdown: &CancellationToken,
    work: impl Future<Output = Result<T, ApplyError>>,
) -> Result<T, ApplyError> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(ApplyError::Interrupted),
        done = work => done,
    }
}
