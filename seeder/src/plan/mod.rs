//! The plan: which tables get which rows, from which expressions.
//!
//! ```toml
//! name = "shop"                      # ids of the rows derive from it
//! seed = 42                          # values do; --seed overrides it
//! epoch = 2026-01-01T00:00:00Z       # what now() is
//!
//! [constants]
//! password = "TestPass123456!"
//!
//! [[table]]
//! name = "users"                     # or "schema.users"
//! scale = true                       # false: as many at any --scale
//! shared = false                     # true: rows of everyone, never removed
//! key = ["email"]                    # tells rows apart; default the primary key
//! [table.columns]                    # a string is an expression
//! hashed_password = "bcrypt(password, 4)"
//! is_active = true
//! [[table.group]]                    # or, without groups, rows = 100 of the table
//! name = "customer"
//! rows = 100
//! [table.group.columns]
//! email = "'customer' ~ n ~ '@shop.example'"
//!
//! [[accounts]]
//! persona = "Customer"
//! of = "users.customer"
//! name = "'customer' ~ n"
//! fields = { id = "id", email = "email", password = "password" }
//!
//! [[load]]                           # what a load leaves, for clean and --reset
//! table = "orders"
//! refers_to = "users"                # or: like = { column = "…", pattern = "…" }
//! action = "delete"                  # or "detach": keep the row, empty the reference
//! ```
//!
//! What stands in it is checked here as far as it can be without a database:
//! keys, names that refer to each other, counts. Columns and expressions are
//! checked against the schema (see `rows`).

mod resolve;
mod typed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use minijinja::Value;

/// A plan that makes sense by itself.
#[derive(Clone, Debug)]
pub struct Plan {
    pub path: PathBuf,
    pub name: String,
    /// The file's content, for the manifest.
    pub text: String,
    /// `sha256:…` of the file's bytes.
    pub digest: String,
    pub seed: u64,
    /// What `now()` is in expressions: the same rows on any day.
    pub epoch: DateTime<Utc>,
    /// Values that every expression may name.
    pub constants: BTreeMap<String, Value>,
    pub tables: Vec<Table>,
    pub accounts: Vec<Accounts>,
    /// What a load hangs on the rows: goes when they go.
    pub load: Vec<LoadRows>,
}

#[derive(Clone, Debug)]
pub struct Table {
    /// As in the plan: `users` or `public.users`.
    pub name: String,
    pub line: usize,
    /// Rows of everyone: those that are there are used, and none is removed.
    pub shared: bool,
    /// Columns that tell a row from the others, where that is not the primary key.
    pub key: Option<Vec<String>>,
    pub groups: Vec<Group>,
}

/// Rows of one kind; a table without groups is one group without a name.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    /// At scale 1.
    pub rows: u64,
    /// Whether there are more at a larger scale.
    pub scales: bool,
    /// The table's columns and the group's own, which come first.
    pub columns: BTreeMap<String, Cell>,
}

impl Group {
    pub fn rows_at(&self, scale: u32) -> u64 {
        if self.scales { self.rows * u64::from(scale) } else { self.rows }
    }
}

/// What a column is filled with.
#[derive(Clone, Debug)]
pub struct Cell {
    pub line: usize,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Constant(Value),
    Expression(String),
}

/// Rows that are accounts of a persona.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub persona: String,
    pub table: String,
    pub group: String,
    pub name: Cell,
    pub fields: BTreeMap<String, Cell>,
}

/// Rows that no plan inserted, and that a load leaves behind.
#[derive(Clone, Debug)]
pub struct LoadRows {
    pub table: String,
    pub line: usize,
    pub which: Which,
}

#[derive(Clone, Debug)]
pub enum Which {
    /// Rows that refer to inserted rows of this table are deleted.
    DeleteReferring(String),
    /// Such rows stay, and what refers is set to null.
    DetachReferring(String),
    /// Rows whose column matches the SQL LIKE pattern are deleted.
    DeleteLike { column: String, pattern: String },
}

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("cannot read plan {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("plan {} line {line}: {message}", path.display())]
    At { path: PathBuf, line: usize, message: String },
}

impl Plan {
    /// Reads and checks a plan file.
    ///
    /// # Errors
    /// With file, line and what would be right.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlanError::Read { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// Checks a plan's text; the path is for what is said of it.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, PlanError> {
        typed::Plan::parse(text)
            .and_then(|typed| resolve::plan(path, text, typed))
            .map_err(|(line, message)| PlanError::At { path: path.into(), line, message })
    }

    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    pub(crate) fn error(&self, line: usize, message: impl Into<String>) -> PlanError {
        PlanError::At { path: self.path.clone(), line, message: message.into() }
    }
}
