//! The live schema: tables, columns, keys, as the catalog has them.

mod introspect;
mod order;
mod references;

use std::collections::BTreeMap;

pub use common::sql::quoted;
pub use introspect::{SchemaError, introspect, table_id};
pub use order::{CycleError, LoadOrder, load_order};
pub use references::{
    DeleteRule, Reference, TableName, delete_triggers, names, references, roots, stamped,
};

/// The tables of a plan, by the names that it uses.
#[derive(Debug)]
pub struct Schema {
    tables: BTreeMap<String, Table>,
}

impl Schema {
    #[cfg(test)]
    pub(crate) fn of(tables: impl IntoIterator<Item = (String, Table)>) -> Self {
        Self { tables: tables.into_iter().collect() }
    }

    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    pub fn tables(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.tables.iter().map(|(name, table)| (name.as_str(), table))
    }

    /// The name by which the plan knows the table with this id.
    pub fn name_of(&self, oid: u32) -> Option<&str> {
        self.tables().find(|(_, table)| table.oid == oid).map(|(name, _)| name)
    }
}

#[derive(Debug)]
pub struct Table {
    pub oid: u32,
    /// Quoted, ready for SQL.
    pub sql_name: String,
    /// In the table's order.
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    pub foreign_keys: Vec<ForeignKey>,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The foreign key that consists of this one column.
    pub fn reference(&self, column: &str) -> Option<&ForeignKey> {
        self.foreign_keys.iter().find(|key| key.columns == [column])
    }

    /// The columns of a foreign key that may be empty for a while, and with
    /// them the reference: none where it must hold as soon as the row is there.
    fn can_wait<'k>(&self, key: &'k ForeignKey) -> Vec<&'k str> {
        let nullable = |name: &&str| {
            self.column(name).is_some_and(|column| !column.not_null)
                && !self.primary_key.iter().any(|part| part == name)
        };
        key.columns.iter().map(String::as_str).filter(nullable).collect()
    }
}

#[derive(Debug)]
pub struct Column {
    pub name: String,
    /// As SQL writes it, such as `character varying(20)`.
    pub type_name: String,
    /// The same where the type is a domain: what the domain is of.
    pub base_type: String,
    pub kind: Kind,
    pub not_null: bool,
    pub filled_by: FilledBy,
}

/// Who gives a value where none is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilledBy {
    Nobody,
    /// A default or an identity: what is sent goes before it.
    Default,
    /// Generated from other columns: nothing can be sent.
    Database,
}

/// What values of a type look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    Number,
    /// At most this many characters.
    Text {
        max: Option<usize>,
    },
    Uuid,
    Json,
    Timestamp,
    Date,
    Enum {
        labels: Vec<String>,
    },
    Array(Box<Kind>),
    /// Whatever the type's own input makes of a text.
    Other,
}

#[derive(Debug)]
pub struct ForeignKey {
    pub columns: Vec<String>,
    pub parent: u32,
    pub parent_columns: Vec<String>,
    /// May be checked at the end of a transaction.
    pub deferrable: bool,
}

/// Names for SQL, with commas between.
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}
