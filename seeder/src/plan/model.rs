//! What a plan says, once it makes sense by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use minijinja::Value;

use super::login::Login;

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
    /// Where they stand.
    pub constant_lines: BTreeMap<String, usize>,
    pub tables: Vec<Table>,
    pub accounts: Vec<Accounts>,
    /// What a load hangs on the rows: goes when they go.
    pub load: Vec<LoadRows>,
    /// How accounts log in.
    pub login: Option<Login>,
    /// What else may happen to rows.
    pub allowed: Allowed,
}

/// What may happen to rows that are not known to be the plan's; without the tables' names it is
/// refused.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Rows of these that refer to removed ones go with them.
    pub cascade: Vec<Named>,
    /// Rows of these may be inserted, changed or deleted by the database's own triggers.
    pub triggers: Vec<Named>,
    /// Rows of these may stay, since a trigger marks them instead of deleting them.
    pub soft_delete: Vec<Named>,
    /// Rows of these are the plan's where their key is, whoever inserted them.
    pub adopt: Vec<Named>,
}

impl Allowed {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Named> {
        self.cascade.iter().chain(&self.triggers).chain(&self.soft_delete)
    }

    pub(crate) fn adopts(&self, table: &str) -> bool {
        self.adopt.iter().any(|named| named.name == table)
    }
}

/// A table that is only named.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub line: usize,
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
    /// The column with the time that a row was made at: only rows since the first apply are meant.
    pub since: Option<String>,
    /// Whether rows from before the first apply are meant as well.
    pub older: bool,
}

impl LoadRows {
    /// The table of the plan whose rows tell these.
    pub(crate) fn parent(&self) -> Option<&str> {
        match &self.which {
            Which::DeleteReferring(parent)
            | Which::DetachReferring(parent)
            | Which::DeleteEqual { parent, .. } => Some(parent),
            Which::DeleteLike { .. } | Which::DeleteMarked { .. } => None,
        }
    }

    /// Whether it is for every removal, and not for those by a run's marks alone.
    pub(crate) fn is_always(&self) -> bool {
        !matches!(self.which, Which::DeleteMarked { .. })
    }

    /// Rows that refer to inserted ones came after them; what is told by a value alone may have
    /// been there before.
    pub(crate) fn may_be_older(&self) -> bool {
        let by_value = matches!(self.which, Which::DeleteLike { .. } | Which::DeleteEqual { .. });
        by_value && self.since.is_none()
    }
}

#[derive(Clone, Debug)]
pub enum Which {
    /// Rows that refer to inserted rows of this table are deleted.
    DeleteReferring(String),
    /// Such rows stay, and what refers is set to null.
    DetachReferring(String),
    /// Rows whose column matches the SQL LIKE pattern are deleted.
    DeleteLike { column: String, pattern: String },
    /// Rows are deleted whose column is what an inserted row of `parent` has in its column `of`,
    /// in whatever case. Of JSON it is what the path leads to, or without one any text in it.
    DeleteEqual { column: String, path: Vec<String>, parent: String, of: String },
    /// Rows whose column, or what the path leads to in its JSON, has a mark of a run are deleted
    /// where the run is given, and no others.
    DeleteMarked { column: String, path: Vec<String> },
}

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("cannot read plan {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("plan {} line {line}: {message}", path.display())]
    At { path: PathBuf, line: usize, message: String },
    /// What would not be safe.
    #[error("plan {} line {line}: {message}", path.display())]
    Unsafe { path: PathBuf, line: usize, message: String },
}

impl Plan {
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    pub(crate) fn error(&self, line: usize, message: impl Into<String>) -> PlanError {
        PlanError::At { path: self.path.clone(), line, message: message.into() }
    }
}
