//! What the manifest says about an earlier apply, and what has changed since.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::error::ApplyError;
use crate::plan::{Group, Plan, Table};
use common::digest;
use manifest::Header;
use manifest::format::{DatabaseId, PlanRef, PlanSource};

/// An earlier apply of a plan with this name to this database.
pub(crate) struct Earlier {
    /// None where the manifest does not contain it.
    pub(crate) plan: Option<Plan>,
    /// Digest of the plan as it was applied.
    pub(crate) digest: String,
    pub(crate) seed: u64,
    pub(crate) scale: u32,
    /// When it was applied first; none where an earlier version wrote the manifest.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Tables in which triggers did something while it was applied.
    pub(crate) by_triggers: BTreeSet<String>,
}

/// Rows that an apply has put there: those of a plan, at a seed and a scale.
#[derive(Clone)]
pub(crate) struct Record {
    pub(super) plan: Plan,
    pub(super) seed: u64,
    pub(super) scale: u32,
}

impl Earlier {
    /// None where the manifest is missing, damaged, or belongs to something else: then
    /// nothing is known, and the file is about to be replaced.
    ///
    /// # Errors
    /// When it was altered.
    pub(crate) fn of(
        manifest: &Path,
        plan: &Plan,
        database: &DatabaseId,
    ) -> Result<Option<Self>, ApplyError> {
        match Header::read(manifest) {
            Ok(header) if header.plan.name == plan.name && header.database.is_same(database) => {
                Self::from_header(manifest, header, plan).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// # Errors
    /// When the plan in it is not the one whose digest it carries.
    pub(crate) fn from_header(
        manifest: &Path,
        header: Header,
        plan: &Plan,
    ) -> Result<Self, ApplyError> {
        let Header {
            plan: PlanRef { digest, .. }, source, seed, scale, since, by_triggers, ..
        } = header;
        let altered = || ApplyError::Altered { path: manifest.to_owned() };
        let earlier = match source {
            None => None,
            Some(PlanSource { text, .. }) if digest::of(text.as_bytes()) != digest => {
                return Err(altered());
            }
            // What does not parse was made by a seeder of other rules.
            Some(PlanSource { epoch, text }) => Plan::parse(&plan.path, &text)
                .ok()
                .zip(DateTime::parse_from_rfc3339(&epoch).ok())
                .map(|(earlier, epoch)| Plan { epoch: epoch.to_utc(), ..earlier }),
        };
        // The name is what generated ids are made from: another one's are another plan's rows.
        if earlier.as_ref().is_some_and(|earlier| earlier.name != plan.name) {
            return Err(altered());
        }
        let time = |since: String| DateTime::parse_from_rfc3339(&since).map_err(|_| altered());
        let since = since.map(time).transpose()?.map(|time| time.to_utc());
        let by_triggers = by_triggers.into_iter().collect();
        Ok(Self { plan: earlier, digest, seed, scale, since, by_triggers })
    }

    /// None where it cannot be said which rows these were.
    pub(super) fn record(&self, now: &Plan) -> Option<Record> {
        let plan = match &self.plan {
            Some(then) => then.clone(),
            None => Some(now.clone()).filter(|now| now.digest == self.digest)?,
        };
        Some(Record { plan, seed: self.seed, scale: self.scale })
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

/// The plan of now at the time of the earlier one, where both have the same rows.
pub(super) fn same_rows(earlier: &Plan, now: &Plan) -> Option<Plan> {
    let now = Plan { epoch: earlier.epoch, ..now.clone() };
    let same = between(earlier, &now).is_empty()
        && earlier.tables.iter().all(|table| {
            now.table(&table.name).is_some_and(|other| {
                // Their order decides the numbers of rows.
                let of = |table: &Table| -> Vec<(String, bool)> {
                    let groups = table.groups.iter();
                    groups.map(|group| (group.name.clone(), group.scales)).collect()
                };
                table.shared == other.shared && of(table) == of(other)
            })
        });
    same.then_some(now)
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
