//! Removes what an earlier apply inserted.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::earlier::Earlier;
use super::error::ApplyError;
use super::prepare::introspect;
use super::remove::{self, Removal, RemovedRows};
use crate::database::Database;
use crate::plan::Plan;
use crate::rows::Engine;
use crate::schema::{self, SchemaError};

/// What an earlier apply inserted, and by which plan.
pub(crate) struct Past<'p> {
    plan: std::borrow::Cow<'p, Plan>,
    seed: u64,
    scale: u32,
}

impl<'p> Past<'p> {
    /// From the manifest where there is one; otherwise from the plan as it is now.
    pub(crate) fn new(plan: &'p Plan, earlier: Option<Earlier>, seed: u64, scale: u32) -> Self {
        use std::borrow::Cow;
        match earlier {
            None => Self { plan: Cow::Borrowed(plan), seed, scale },
            Some(Earlier { plan: None, seed, scale: then }) => {
                Self { plan: Cow::Borrowed(plan), seed, scale: then.max(scale) }
            }
            Some(Earlier { plan: Some(then), seed, scale: at }) => {
                Self { plan: Cow::Owned(then), seed, scale: at.max(scale) }
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
        let removal = Removal::new(engine, &self.plan, &schema, &referrers)?;
        removal.run(connection).await
    }
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
