//! Why a removal is refused, with the lines of the plan that would allow it.

use std::collections::{BTreeMap, BTreeSet};

use super::effects::Effects;
use super::error::ApplyError;
use crate::plan::{Named, Plan};
use crate::schema::{DeleteRule, Reference, TableName};

/// Collects what stands against it.
pub(super) struct Refusal<'a> {
    plan: &'a Plan,
    names: &'a BTreeMap<u32, TableName>,
    what: Vec<String>,
    cascade: Vec<String>,
    triggers: Vec<String>,
    soft_delete: Vec<String>,
    /// Tables of which a load may have made the rows, and what they refer to.
    load: Vec<(String, String)>,
}

impl<'a> Refusal<'a> {
    pub(super) fn new(plan: &'a Plan, names: &'a BTreeMap<u32, TableName>) -> Self {
        let (what, cascade, triggers) = (Vec::new(), Vec::new(), Vec::new());
        Self { plan, names, what, cascade, triggers, soft_delete: Vec::new(), load: Vec::new() }
    }

    /// Rows of others that would go with ours.
    pub(super) fn going(&mut self, table: u32, rows: u64) {
        let name = self.name(table);
        self.what
            .push(format!("{rows} rows of {name}, of others, would go with what they refer to"));
        self.cascade.push(name);
    }

    /// Rows of others because of which ours cannot go.
    pub(super) fn in_the_way(&mut self, reference: &Reference, rows: u64) {
        let (name, of) = (self.name(reference.child_root), self.name(reference.parent_root));
        let rule = match reference.rule {
            DeleteRule::Restrict => "RESTRICT",
            _ => "NO ACTION",
        };
        self.what.push(format!("{rows} rows of {name}, of others, still refer to {of} ({rule})"));
        self.cascade.push(name);
    }

    /// Rows of others that refer to the plan's may be what a load has made.
    pub(super) fn perhaps_of_a_load(&mut self, reference: &Reference) {
        let (name, of) = (self.name(reference.child_root), self.name(reference.parent_root));
        if self.cascade.contains(&name)
            && self.plan.table(&of).is_some_and(|table| !table.shared)
            && !self.load.contains(&(name.clone(), of.clone()))
        {
            self.load.push((name, of));
        }
    }

    /// Rows that were to go and are still there.
    pub(super) fn kept(&mut self, table: u32, rows: u64, triggers: Option<&Vec<String>>) {
        let name = self.name(table);
        let by = match triggers.map(Vec::as_slice) {
            None | Some([]) => "the database".to_owned(),
            Some(triggers) => format!("trigger {}", triggers.join(" or ")),
        };
        self.what.push(format!("{rows} rows of {name} would stay, kept by {by} (a soft delete)"));
        self.soft_delete.push(name);
    }

    /// What triggers do elsewhere.
    pub(super) fn effects(&mut self, effects: &Effects, triggers: &[String]) {
        let by = match triggers {
            [] => "the database".to_owned(),
            triggers => format!("triggers ({})", triggers.join(", ")),
        };
        for (table, effect) in effects {
            let name = self.name(*table);
            self.what.push(format!("{by} would change rows of {name}: {effect}"));
            self.triggers.push(name);
        }
    }

    /// # Errors
    /// Where anything was found.
    pub(super) fn or_go_on(self) -> Result<(), ApplyError> {
        if self.what.is_empty() {
            return Ok(());
        }
        let allowed = &self.plan.allowed;
        let lines: Vec<String> = [
            ("cascade", &self.cascade, &allowed.cascade),
            ("triggers", &self.triggers, &allowed.triggers),
            ("soft_delete", &self.soft_delete, &allowed.soft_delete),
        ]
        .into_iter()
        .filter(|(_, found, _)| !found.is_empty())
        .map(|(key, found, already)| line(key, found, already))
        .collect();
        let load = self
            .load
            .iter()
            .map(|(table, parent)| format!("[[load]] table = {table:?}, refers_to = {parent:?}"));
        let load: Vec<String> = load.collect();
        Err(ApplyError::Others {
            what: self.what.join("; "),
            add: lines.join(" and "),
            load: match load.as_slice() {
                [] => String::new(),
                load => format!("; or, if a load made them, at its end: {}", load.join(" and ")),
            },
        })
    }

    fn name(&self, table: u32) -> String {
        self.names.get(&table).map_or_else(|| table.to_string(), |name| name.plain.clone())
    }
}

/// The whole line, with what stands there already.
pub(super) fn line(key: &str, found: &[String], already: &[Named]) -> String {
    let mut tables: Vec<&str> = already.iter().map(|named| named.name.as_str()).collect();
    let new: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let new: Vec<&str> = new.into_iter().filter(|table| !tables.contains(table)).collect();
    tables.extend(new);
    let tables: Vec<String> = tables.iter().map(|table| format!("{table:?}")).collect();
    format!("{key} = [{}]", tables.join(", "))
}

/// Of the tables in which triggers did something while the plan was applied.
///
/// # Errors
/// Where there are any.
pub(super) fn of_triggers_before(plan: &Plan, tables: Vec<String>) -> Result<(), ApplyError> {
    let names = BTreeMap::new();
    let mut refusal = Refusal::new(plan, &names);
    if !tables.is_empty() {
        refusal.what.push(format!(
            "triggers did something in {} when the plan's rows were inserted, and that would stay",
            tables.join(", ")
        ));
        refusal.triggers = tables;
    }
    refusal.or_go_on()
}
