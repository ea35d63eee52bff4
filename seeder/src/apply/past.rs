//! What an earlier apply put there, taken away again.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::earlier::Earlier;
use super::error::ApplyError;
use super::prepare::introspect;
use super::remove::{self, Removal, Removed};
use crate::database::Database;
use crate::plan::Plan;
use crate::rows::Engine;
use crate::schema::{self, SchemaError};

/// What an earlier apply put there, and by which plan.
pub(crate) struct Past<'p> {
    plan: std::borrow::Cow<'p, Plan>,
    seed: u64,
    scale: u32,
}

impl<'p> Past<'p> {
    /// By what the manifest says, where there is one; else by the plan as it is.
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

    /// Removes what the plan has and the load has hung on it.
    pub(crate) async fn remove(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<Removed>, ApplyError> {
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

/// What is removed elsewhere than on one's own machine is counted first, and
/// must then be asked for.
pub(crate) fn confirm(
    removed: &[Removed],
    database: &Database,
    confirmed: bool,
) -> Result<(), ApplyError> {
    if database.local || confirmed {
        return Ok(());
    }
    let counts = remove::in_words(removed);
    Err(ApplyError::NotConfirmed { counts, place: database.place().to_owned() })
}
