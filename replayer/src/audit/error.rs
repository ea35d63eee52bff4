//! Why an audit cannot be done.

use common_net::apart::Left;
use run_log::reader::ReadError;
use run_log::writer::WriteError;

use crate::observe::DatabaseError;

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the database has no table {table:?}{hint}; it has {known}")]
    NoTable { table: String, hint: String, known: String },
    #[error("the table {table:?} has no column {column:?}{hint}; it has {known}")]
    NoColumn { table: String, column: String, hint: String, known: String },
    #[error("the column {column:?} is of type {kind}; a pointer goes into json and jsonb alone")]
    NotJson { column: String, kind: String },
    #[error("the database does not count the marks")]
    Statement(#[from] sqlx::Error),
    #[error("the database does not count the marks")]
    Left(#[from] Left),
    #[error(transparent)]
    Marks(#[from] ReadError),
    #[error(transparent)]
    Findings(#[from] WriteError),
}

impl AuditError {
    /// The key of the scenario's `[audit]` that is to be changed, where it is one.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::NoTable { .. } => Some(" table"),
            Self::NoColumn { .. } => Some(" column"),
            Self::NotJson { .. } => Some(" pointer"),
            // What the server refuses is the statement that the keys make.
            Self::Statement(sqlx::Error::Database(_)) => Some(""),
            Self::Database(_)
            | Self::Statement(_)
            | Self::Left(_)
            | Self::Marks(_)
            | Self::Findings(_) => None,
        }
    }
}
