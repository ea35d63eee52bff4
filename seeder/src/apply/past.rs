//! Removes what an earlier apply inserted.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::earlier::{Earlier, Record, same_rows};
use super::error::ApplyError;
use super::ownership::{Ours, Ownership, told_by_generated_keys};
use super::prepare::introspect;
use super::refusal;
use super::remove::Removal;
use super::removed::{self, RemovedRows};
use super::taken;
use crate::database::Database;
use crate::plan::{Plan, Table};
use crate::rows::Engine;
use crate::schema::{self, SchemaError};

/// What an earlier apply inserted, and by which plan.
///
/// A manifest is a file, and who can write it could have anything removed by a plan of his own.
/// So where it holds another plan than the user's, the load's rows are still those that the
/// user's plan names, and the plan's rows only those whose ids no one else's rows can have.
pub(crate) struct Past<'p> {
    plan: std::borrow::Cow<'p, Plan>,
    /// Digest of the plan, where the manifest alone has it.
    by_manifest: Option<String>,
    seed: u64,
    scale: u32,
    /// What the manifest says, where it holds the user's own plan.
    record: Option<Record>,
    /// When it was applied first, where that is known.
    since: Option<DateTime<Utc>>,
    /// Tables in which triggers did something while it was applied.
    by_triggers: BTreeSet<String>,
}

impl<'p> Past<'p> {
    /// From the manifest where there is one; otherwise from the plan as it is now.
    pub(crate) fn new(plan: &'p Plan, earlier: Option<Earlier>, seed: u64, scale: u32) -> Self {
        use std::borrow::Cow;
        let record = earlier.as_ref().and_then(|earlier| earlier.record(plan));
        let Some(Earlier { plan: then, digest, seed, scale: at, since, by_triggers }) = earlier
        else {
            let (plan, by_triggers) = (Cow::Borrowed(plan), BTreeSet::new());
            return Self { plan, by_manifest: None, seed, scale, record, since: None, by_triggers };
        };
        let scale = at.max(scale);
        let (plan, by_manifest) = match then {
            Some(then) if digest != plan.digest => match same_rows(&then, plan) {
                // It is the user's own plan, as it was then but for what is said of others.
                Some(now) => (Cow::Owned(now), None),
                None => (Cow::Owned(with_rules_of(then, plan)), Some(digest)),
            },
            // The same but for what `now()` was.
            Some(then) => (Cow::Owned(then), None),
            None => (Cow::Borrowed(plan), None),
        };
        Self { plan, by_manifest, seed, scale, record, since, by_triggers }
    }

    /// What somebody typed goes before what the manifest says.
    pub(crate) fn override_with(&mut self, seed: Option<u64>, since: Option<DateTime<Utc>>) {
        self.seed = seed.unwrap_or(self.seed);
        self.since = since.or(self.since);
    }

    /// Removes the plan's rows and those that a load attached to them.
    pub(crate) async fn remove(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<RemovedRows>, ApplyError> {
        let schema = introspect(connection, &self.plan).await?;
        let engine = Engine::new(&self.plan, &schema, self.seed, self.scale)?;
        let references = schema::references(connection).await.map_err(SchemaError::from)?;
        let by_manifest = self.by_manifest.as_deref();
        // What goes is told by what is surely ours, as far as there is such.
        let plan = told_by_generated_keys(&self.plan, &schema);
        let record = self.record.as_ref().map(|record| Record {
            plan: told_by_generated_keys(&record.plan, &schema),
            ..record.clone()
        });
        let removal = Removal::new(engine, &plan, &schema, references, by_manifest)?;
        self.look_at_triggers()?;
        // By a manifest alone nothing goes but what a uuid tells.
        let ours = match by_manifest {
            Some(_) => Ours::default(),
            None => {
                let ownership = Ownership::new(engine, &plan, &schema, record.as_ref());
                ownership.look(connection, taken::not_known).await?
            }
        };
        let removed = removal.run(connection, &ours, self.since).await?;
        ours.discard(connection).await?;
        Ok(removed)
    }
}

impl Past<'_> {
    /// What triggers did when the rows were inserted goes with no row of ours: the plan has to
    /// know of it.
    fn look_at_triggers(&self) -> Result<(), ApplyError> {
        let Plan { allowed, load, .. } = &*self.plan;
        let is_known = |table: &String| {
            allowed.triggers.iter().any(|named| named.name == *table)
                || load.iter().any(|load| load.table == *table && load.is_always())
        };
        let unknown = self.by_triggers.iter().filter(|table| !is_known(table));
        let unknown: Vec<String> = unknown.cloned().collect();
        refusal::of_triggers_before(&self.plan, unknown)
    }
}

/// The earlier plan, its rows told by their ids, with what the plan of now says of a load, as far
/// as it has those tables, and of others.
fn with_rules_of(earlier: Plan, now: &Plan) -> Plan {
    let is_there = |parent: &str| earlier.table(parent).is_some_and(|table| !table.shared);
    let load = now.load.iter().filter(|load| load.parent().is_none_or(is_there));
    let load = load.cloned().collect();
    let told_by_id = |table: &Table| Table { key: None, ..table.clone() };
    let tables = earlier.tables.iter().map(|table| match table.shared {
        true => table.clone(),
        false => told_by_id(table),
    });
    Plan { load, allowed: now.allowed.clone(), tables: tables.collect(), ..earlier }
}

/// Rows on another machine are counted first, and removed only when that was
/// confirmed.
pub(crate) fn confirm(
    removed: &[RemovedRows],
    database: &Database,
    confirmed: bool,
) -> Result<(), ApplyError> {
    if database.local || confirmed {
        return Ok(());
    }
    let counts = removed::in_words(removed);
    Err(ApplyError::NotConfirmed { counts, place: database.place().to_owned() })
}
