//! Why nothing was applied.

use std::path::PathBuf;

use super::run_marks::MarksError;
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
    /// Found before anything was removed, or before that was made final.
    #[error(
        "nothing is removed: {what}; if that is meant, put at the top of the plan: {add}{load}"
    )]
    Others { what: String, add: String, load: String },
    #[error(
        "nothing is inserted: {what}, and no manifest says that an apply put them there; give the plan's rows other keys or, where those rows are to be used and to stay, shared = true in their table; if an apply of this plan did put them there, name its manifest with --manifest or put at the top of the plan: {adopt}"
    )]
    NotInserted { what: String, adopt: String },
    #[error(
        "nothing is removed: {what}, and no manifest says that an apply put them there; if one did, name it with --manifest or put at the top of the plan: {adopt}"
    )]
    NotKnown { what: String, adopt: String },
    #[error("nothing is removed: the database refuses it while {doing}")]
    NotRemoved { doing: String, source: SqlError },
    #[error(
        "nothing is removed: {table} has triggers, and what they do cannot be counted, since track_counts is off on this server; switch it on"
    )]
    Uncounted { table: String },
    #[error(
        "no manifest says since when the plan's rows are there, and the rule of {table} needs to know it; say it with: seeder clean --since TIME"
    )]
    NoTime { table: String },
    #[error(transparent)]
    Marks(#[from] MarksError),
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
    #[error(
        "whether the rows are there is not known, since the connection ended while they were made final; the same command again finds out"
    )]
    Uncertain { source: SqlError },
    #[error(
        "the rows are in the database, but manifest {} is not in its place; the same command again puts it there",
        path.display()
    )]
    Unpublished { path: PathBuf, source: ManifestError },
    #[error("the rows are in the database and manifest {} has them, but what comes after failed", path.display())]
    Untidy { path: PathBuf, source: DatabaseError },
}

/// What the database, its constraints or its triggers refuse is told as that.
pub(super) fn not_removed(doing: &str, error: sqlx::Error) -> ApplyError {
    let (doing, source) = (doing.to_owned(), SqlError::from(error));
    // Constraints, rows that a trigger changed meanwhile, and what a trigger raises.
    let refused =
        source.server().is_some_and(|said| ["23", "27", "P0"].contains(&&said.code()[..2]));
    match refused {
        true => ApplyError::NotRemoved { doing, source },
        false => ApplyError::Database(DatabaseError::Failed { doing, source }),
    }
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
