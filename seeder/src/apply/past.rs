//! Removes what an earlier apply inserted.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::earlier::Earlier;
use super::error::ApplyError;
use super::prepare::introspect;
use super::remove::{self, Removal, RemovedRows};
use crate::database::Database;
use crate::plan::{Plan, Table, Which};
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
}

impl<'p> Past<'p> {
    /// From the manifest where there is one; otherwise from the plan as it is now.
    pub(crate) fn new(plan: &'p Plan, earlier: Option<Earlier>, seed: u64, scale: u32) -> Self {
        use std::borrow::Cow;
        match earlier {
            None => Self { plan: Cow::Borrowed(plan), by_manifest: None, seed, scale },
            Some(Earlier { plan: then, digest, seed, scale: at }) => {
                let scale = at.max(scale);
                match then {
                    Some(then) if digest != plan.digest => Self {
                        plan: Cow::Owned(with_load_of(then, plan)),
                        by_manifest: Some(digest),
                        seed,
                        scale,
                    },
                    // The same but for what `now()` was.
                    Some(then) => Self { plan: Cow::Owned(then), by_manifest: None, seed, scale },
                    None => Self { plan: Cow::Borrowed(plan), by_manifest: None, seed, scale },
                }
            }
        }
    }

    pub(crate) fn override_seed(&mut self, seed: Option<u64>) {
        self.seed = seed.unwrap_or(self.seed);
    }

    /// Removes the plan's rows and those that a load attached to them.
    pub(crate) async fn remove(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<RemovedRows>, ApplyError> {
        let schema = introspect(connection, &self.plan).await?;
        let engine = Engine::new(&self.plan, &schema, self.seed, self.scale)?;
        let mut referrers = BTreeMap::new();
        for table in self.plan.tables.iter().filter(|table| table.shared) {
            if let Some(live) = schema.table(&table.name) {
                let conditions =
                    schema::referrers(connection, live.oid).await.map_err(SchemaError::from)?;
                referrers.insert(table.name.clone(), conditions);
            }
        }
        let by_manifest = self.by_manifest.as_deref();
        let removal = Removal::new(engine, &self.plan, &schema, &referrers, by_manifest)?;
        removal.run(connection).await
    }
}

/// The earlier plan, its rows told by their ids, with what the plan of now says of a load, as far
/// as it has those tables.
fn with_load_of(earlier: Plan, now: &Plan) -> Plan {
    let is_there = |parent: &String| earlier.table(parent).is_some_and(|table| !table.shared);
    let load = now.load.iter().filter(|load| match &load.which {
        Which::DeleteReferring(parent) | Which::DetachReferring(parent) => is_there(parent),
        Which::DeleteLike { .. } => true,
    });
    let load = load.cloned().collect();
    let told_by_id = |table: &Table| Table { key: None, ..table.clone() };
    let tables = earlier.tables.iter().map(|table| match table.shared {
        true => table.clone(),
        false => told_by_id(table),
    });
    Plan { load, tables: tables.collect(), ..earlier }
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
    let counts = remove::in_words(removed);
    Err(ApplyError::NotConfirmed { counts, place: database.place().to_owned() })
}
