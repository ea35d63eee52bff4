//! Why nothing was applied.

use std::path::PathBuf;

use crate::database::{DatabaseError, SqlError};
use crate::plan::PlanError;
use crate::schema::{CycleError, SchemaError};
use manifest::ManifestError;

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Cycle(#[from] CycleError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("{table} cannot take the plan's rows: {message}")]
    Rows { table: String, message: String, source: SqlError },
    #[error(
        "rows of {table} cannot be removed: rows of {by} refer to them; if a load made these, add to the plan: [[load]] table = {by:?}, refers_to = {table:?}"
    )]
    StillReferred { table: String, by: String, source: SqlError },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(
        "manifest {} holds another plan than the one whose digest it carries; somebody changed it, so nothing is removed by it",
        path.display()
    )]
    Altered { path: PathBuf },
    #[error(
        "plan {plan} has changed since it was applied, and the manifest alone says which rows of {table} are its own; clean with the plan as it was, whose digest is {digest}"
    )]
    ManifestAlone { plan: String, table: String, digest: String },
    #[error(
        "this would remove {counts} at {place}, which is not this machine; add --yes if that is meant"
    )]
    NotConfirmed { counts: String, place: String },
    #[error(
        "plan {plan} is not what it was when it was applied ({}); add --replace to remove what was inserted then and insert what it has now",
        changes.join("; ")
    )]
    Changed { plan: String, changes: Vec<String> },
    #[error("interrupted; the database is as it was before")]
    Interrupted,
}

/// With what the server adds on the row and the constraint.
pub(super) fn refused(table: &str, doing: &str, error: sqlx::Error) -> ApplyError {
    let source = SqlError::from(error);
    let reply = source.server().map(|reply| [reply.constraint(), reply.column(), reply.detail()]);
    match reply {
        Some(parts) if parts != [None; 3] => {
            let parts: Vec<&str> = parts.into_iter().flatten().collect();
            let message = parts.join(": ").trim_end_matches('.').to_owned();
            ApplyError::Rows { table: table.to_owned(), message, source }
        }
        _ => {
            let doing = format!("{doing} {table}");
            ApplyError::Database(DatabaseError::Failed { doing, source })
        }
    }
}
