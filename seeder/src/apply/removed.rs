//! What a removal did to each table, and how that is said.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::schema::TableName;

#[derive(Debug, Default, Serialize)]
pub struct RemovedRows {
    pub table: String,
    /// Rows of the plan.
    pub planned: u64,
    /// Rows that the load left.
    pub load: u64,
    /// Rows of others in which a reference was set to null, as the plan says.
    pub detached: u64,
    /// Rows of others that went with the ones that they referred to, as the plan allows.
    pub cascaded: u64,
    /// References of others that the database set to null, as their foreign keys say.
    pub set_null: u64,
    /// References of others that the database set to their default.
    pub set_default: u64,
    /// Rows that a trigger kept (a soft delete), as the plan allows.
    pub kept: u64,
    /// What else triggers did in this table, as the plan allows.
    pub by_triggers: Effect,
    /// The triggers of this table that run when rows of it are deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<String>,
}

/// Rows of a table that changed in a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    pub inserted: u64,
    pub changed: u64,
    pub deleted: u64,
}

impl Effect {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn add(&mut self, more: Self) {
        self.inserted += more.inserted;
        self.changed += more.changed;
        self.deleted += more.deleted;
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inserted, changed, deleted } = self;
        let parts = [(inserted, "inserted"), (changed, "changed"), (deleted, "deleted")];
        let parts = parts.iter().filter(|(rows, _)| **rows > 0);
        let parts: Vec<String> = parts.map(|(rows, what)| format!("{rows} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

impl RemovedRows {
    pub fn is_nothing(&self) -> bool {
        self.rows() + self.detached + self.set_null + self.set_default + self.kept == 0
            && self.by_triggers.is_nothing()
    }

    /// That are gone.
    pub fn rows(&self) -> u64 {
        self.planned + self.load + self.cascaded
    }
}

impl fmt::Display for RemovedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, planned, load, detached, .. } = self;
        write!(
            f,
            "{table}: {planned} rows of the plan and {load} of the load, {detached} detached"
        )?;
        for (count, what) in [
            (self.cascaded, "of others went with them"),
            (self.set_null, "references of others set to null"),
            (self.set_default, "references of others set to their default"),
            (self.kept, "kept by a trigger (a soft delete)"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if !self.by_triggers.is_nothing() {
            write!(f, "; by triggers: {}", self.by_triggers)?;
        }
        if self.rows() > 0 && !self.triggers.is_empty() {
            write!(f, "; its triggers ran: {}", self.triggers.join(", "))?;
        }
        Ok(())
    }
}

/// What was done so far, by table.
#[derive(Default)]
pub(super) struct Removed(BTreeMap<u32, RemovedRows>);

impl Removed {
    pub(super) fn of(&mut self, table: u32) -> &mut RemovedRows {
        self.0.entry(table).or_default()
    }

    pub(super) fn name(
        &mut self,
        names: &BTreeMap<u32, TableName>,
        triggers: &BTreeMap<u32, Vec<String>>,
    ) {
        for (table, removed) in &mut self.0 {
            if let Some(name) = names.get(table) {
                name.plain.clone_into(&mut removed.table);
            }
            removed.triggers = triggers.get(table).cloned().unwrap_or_default();
        }
    }

    /// These tables in their order, and others of which something went.
    pub(super) fn told<'s>(
        mut self,
        tables: impl Iterator<Item = (u32, &'s str)>,
    ) -> Vec<RemovedRows> {
        let mut told = Vec::new();
        for (table, name) in tables {
            let mut removed = self.0.remove(&table).unwrap_or_default();
            name.clone_into(&mut removed.table);
            told.push(removed);
        }
        told.extend(self.0.into_values().filter(|removed| !removed.is_nothing()));
        told
    }
}

/// `350 rows of users (0 of them of the load), …`
pub(super) fn in_words(removed: &[RemovedRows]) -> String {
    let words = removed.iter().filter(|removed| !removed.is_nothing()).map(|removed| {
        let RemovedRows { table, load, cascaded, .. } = removed;
        let others = match cascaded {
            0 => String::new(),
            cascaded => format!(", {cascaded} of others"),
        };
        let emptied = match removed.detached + removed.set_null + removed.set_default {
            0 => String::new(),
            emptied => format!(", and empty {emptied} references"),
        };
        format!("{} rows of {table} ({load} of them of the load{others}){emptied}", removed.rows())
    });
    words.collect::<Vec<_>>().join(", ")
}
