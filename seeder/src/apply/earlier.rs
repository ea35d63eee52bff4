//! What the manifest says about an earlier apply, and what has changed since.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::plan::{Group, Plan, Table};
use manifest::Header;
use manifest::format::{DatabaseId, PlanSource};

/// An earlier apply of a plan with this name to this database.
pub(crate) struct Earlier {
    /// None where the manifest does not contain it.
    pub(crate) plan: Option<Plan>,
    pub(crate) seed: u64,
    pub(crate) scale: u32,
}

impl Earlier {
    /// None where the manifest is missing, damaged, or belongs to something else: then
    /// nothing is known, and the file is about to be replaced.
    pub(crate) fn of(manifest: &Path, plan: &Plan, database: &DatabaseId) -> Option<Self> {
        let header = Header::read(manifest).ok()?;
        if header.plan.name != plan.name || header.database != *database {
            return None;
        }
        Some(Self::from_header(header, plan))
    }

    pub(crate) fn from_header(header: Header, plan: &Plan) -> Self {
        let earlier = header.source.and_then(|PlanSource { epoch, text }| {
            let mut earlier = Plan::parse(&plan.path, &text).ok()?;
            earlier.epoch = DateTime::parse_from_rfc3339(&epoch).ok()?.to_utc();
            Some(earlier)
        });
        Self { plan: earlier, seed: header.seed, scale: header.scale }
    }

    /// What would make rows of the earlier apply stay behind or look changed,
    /// in words. A larger scale only adds rows.
    pub(super) fn changes(&self, plan: &Plan, seed: u64, scale: u32) -> Vec<String> {
        let mut changes = Vec::new();
        if self.seed != seed {
            changes.push(format!("seed {} → {seed}", self.seed));
        }
        if self.scale > scale {
            changes.push(format!("scale {} → {scale}", self.scale));
        }
        if let Some(earlier) = &self.plan {
            changes.extend(between(earlier, plan));
        }
        changes
    }
}

fn between(old: &Plan, new: &Plan) -> Vec<String> {
    let mut changes = Vec::new();
    if old.epoch != new.epoch {
        let time = |epoch: &DateTime<Utc>| epoch.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        changes.push(format!("epoch {} → {}", time(&old.epoch), time(&new.epoch)));
    }
    // Names alone: a constant may be a password.
    for name in old.constants.keys().chain(new.constants.keys()).collect::<BTreeSet<_>>() {
        if old.constants.get(name) != new.constants.get(name) {
            changes.push(format!("constant {name}"));
        }
    }
    for table in &old.tables {
        match new.table(&table.name) {
            None => changes.push(format!("table {} is gone", table.name)),
            Some(now) => between_tables(table, now, &mut changes),
        }
    }
    for table in new.tables.iter().filter(|table| old.table(&table.name).is_none()) {
        changes.push(format!("table {} is new", table.name));
    }
    changes
}

fn between_tables(old: &Table, new: &Table, changes: &mut Vec<String>) {
    let name = &old.name;
    if old.key != new.key {
        changes.push(format!("{name}: its key"));
    }
    let of = |group: &Group| match group.name.as_str() {
        "" => name.clone(),
        group => format!("{name}.{group}"),
    };
    for group in &old.groups {
        let Some(now) = new.groups.iter().find(|now| now.name == group.name) else {
            changes.push(format!("{} is gone", of(group)));
            continue;
        };
        if group.rows != now.rows {
            changes.push(format!("{}: {} → {} rows", of(group), group.rows, now.rows));
        }
        let names: BTreeSet<&String> = group.columns.keys().chain(now.columns.keys()).collect();
        let content =
            |group: &Group, name: &String| group.columns.get(name).map(|cell| cell.content.clone());
        let columns: Vec<&str> = names
            .into_iter()
            .filter(|name| content(group, name) != content(now, name))
            .map(String::as_str)
            .collect();
        if !columns.is_empty() {
            changes.push(format!("{}: {}", of(group), columns.join(", ")));
        }
    }
    for group in new.groups.iter().filter(|now| old.groups.iter().all(|g| g.name != now.name)) {
        changes.push(format!("{} is new", of(group)));
    }
}
