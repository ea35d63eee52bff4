//! Removes the plan's rows and those that a load attached to them, and nothing of others that
//! the plan does not name.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;

use super::delete::Found;
use super::doomed::{self, Whose};
use super::error::{ApplyError, not_removed};
use super::keys::{List, drop_keys, send_keys};
use super::ownership::Ours;
use super::prepare::table_names;
use super::removed::{Removed, RemovedRows};
use super::send::execute;
use super::since;
use super::step::{Condition, Step, parent_with_uuid, told_by_uuid};
use super::taken;
use crate::database::DatabaseError;
use crate::plan::Plan;
use crate::rows::{Engine, TableRows};
use crate::schema::{self, Reference, Schema, quoted};

/// What is to go.
pub(crate) struct Removal<'p> {
    plan: &'p Plan,
    schema: &'p Schema,
    /// All foreign keys of the database.
    references: Vec<Reference>,
    /// Children before parents, as what was done is told.
    steps: Vec<Step>,
    /// Rows of everyone that the plan added, which go where nobody refers to them any more.
    shared: Vec<(u32, Arc<TableRows>)>,
}

impl<'p> Removal<'p> {
    /// Works out which rows are the plan's and which the load's. Where the manifest alone
    /// has the plan, its rows are those with generated ids of 128 bits and no others.
    pub(crate) fn new(
        engine: &'static Engine,
        plan: &'p Plan,
        schema: &'p Schema,
        references: Vec<Reference>,
        by_manifest: Option<&str>,
    ) -> Result<Self, ApplyError> {
        let (mut steps, mut shared) = (Vec::new(), Vec::new());
        let order = schema::load_order(schema, &table_names(plan))?;
        for name in order.tables.into_iter().rev() {
            let Some(live) = schema.table(name) else { continue };
            let mut by_parent = None;
            let mut planned = None;
            if let Some(table) = plan.table(name) {
                let rows = engine.compile(plan, schema, name)?;
                planned = match (by_manifest, table.shared) {
                    (None, false) => Some(rows),
                    // Of these, the plan owns those with the ids that it generates.
                    (None, true) => rows.with_generated_key(schema),
                    (Some(_), _) => told_by_uuid(rows, schema),
                };
                if let (Some(digest), None, false) = (by_manifest, &planned, table.shared) {
                    let parent = parent_with_uuid(engine, plan, schema, live)?;
                    by_parent = Some(parent.ok_or_else(|| ApplyError::ManifestAlone {
                        plan: plan.name.clone(),
                        table: name.to_owned(),
                        digest: digest.to_owned(),
                    })?);
                }
            }
            let mut planned = planned.map(Arc::new);
            if planned.as_ref().is_some_and(|rows| rows.shared) {
                shared.extend(planned.take().map(|rows| (live.oid, rows)));
            }
            let mut step = Step::new(name, live, planned);
            step.load.extend(by_parent);
            for load in plan.load.iter().filter(|load| load.table == name) {
                if let Some(parent) = load.parent()
                    && by_manifest.is_some()
                    && told_by_uuid(engine.compile(plan, schema, parent)?, schema).is_none()
                {
                    continue;
                }
                step.add(plan, schema, live, load)?;
            }
            if !step.is_nothing() {
                steps.push(step);
            }
        }
        Ok(Self { plan, schema, references, steps, shared })
    }

    /// `since` is the time of the first apply, as the manifest has it.
    ///
    /// # Errors
    /// When rows of others would not stay as they are and the plan does not allow it, and when
    /// the database refuses or fails.
    pub(crate) async fn run(
        &self,
        connection: &mut PgConnection,
        ours: &Ours,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<RemovedRows>, ApplyError> {
        let failed = || DatabaseError::while_doing("looking for what is to be removed");
        // Rows that are hidden from us could not be counted: then the server says so.
        execute(connection, "SET LOCAL row_security = off", &[]).await.map_err(failed())?;
        for planned in self.planned() {
            send_keys(connection, planned).await?;
        }
        self.look(connection).await?;
        for planned in self.planned() {
            ours.add_recorded(connection, planned).await?;
        }
        doomed::create(connection).await.map_err(failed())?;
        let mut removed = Removed::default();
        self.find(connection, ours, since, &mut removed).await?;
        let found = Found {
            plan: self.plan,
            schema: self.schema,
            references: &self.references,
            shared: &self.shared,
            ours,
        };
        found.remove(connection, &mut removed).await?;
        for planned in self.planned() {
            drop_keys(connection, planned).await?;
        }
        execute(connection, "SET LOCAL row_security TO DEFAULT", &[]).await.map_err(failed())?;
        Ok(removed.told(self.steps.iter().map(|step| (step.oid, step.table.as_str()))))
    }

    /// Whether no row of others has the key of one of the plan's.
    async fn look(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let mut taken = Vec::new();
        for rows in self.planned() {
            let list = List::Planned.of(&rows.name);
            taken.extend(taken::beside(connection, self.plan, self.schema, rows, &list).await?);
        }
        match taken.is_empty() {
            true => Ok(()),
            false => Err(taken::not_known(self.plan, &taken)),
        }
    }

    fn planned(&self) -> impl Iterator<Item = &Arc<TableRows>> {
        let own = self.steps.iter().filter_map(|step| step.planned.as_ref());
        own.chain(self.shared.iter().map(|(_, rows)| rows))
    }

    /// Marks the plan's rows and the load's, and detaches what the plan wants to be detached.
    async fn find(
        &self,
        connection: &mut PgConnection,
        ours: &Ours,
        since: Option<DateTime<Utc>>,
        removed: &mut Removed,
    ) -> Result<(), ApplyError> {
        let mut planned = 0;
        for step in &self.steps {
            if let Some(rows) = &step.planned {
                let condition = ours.among_planned(rows);
                planned += doomed::add(connection, Whose::Plan, &step.sql_name, &condition, &[])
                    .await
                    .map_err(looking_into(step))?;
            }
        }
        let since = match since {
            // What nobody has applied, no load has hung anything on.
            None if planned == 0 => None,
            known => self.first_apply(connection, known).await?,
        };
        let time = since.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true));
        let unknown = planned > 0 && time.is_none();
        for step in &self.steps {
            let conditions = step.load.iter().chain(step.detach.iter().map(|to| &to.condition));
            if unknown && conditions.clone().any(Condition::needs_time) {
                return Err(ApplyError::NoTime { table: step.table.clone() });
            }
            for condition in &step.load {
                if time.is_none() && condition.needs_time() {
                    continue;
                }
                let (sql, parameters) = condition.since(time.as_deref().unwrap_or_default());
                doomed::add(connection, Whose::Load, &step.sql_name, &sql, &parameters)
                    .await
                    .map_err(looking_into(step))?;
            }
        }
        for step in &self.steps {
            for detach in &step.detach {
                if time.is_none() && detach.condition.needs_time() {
                    continue;
                }
                let (sql, parameters) = detach.condition.since(time.as_deref().unwrap_or_default());
                let nulls =
                    detach.columns.iter().map(|column| format!("{} = NULL", quoted(column)));
                let update = format!(
                    "UPDATE {} t SET {} WHERE {sql} AND {}",
                    step.sql_name,
                    nulls.collect::<Vec<_>>().join(", "),
                    doomed::stays()
                );
                let detached =
                    execute(connection, &update, &parameters).await.map_err(|error| {
                        not_removed(&format!("detaching rows of {}", step.table), error)
                    })?;
                removed.of(step.oid).detached += detached;
            }
        }
        Ok(())
    }

    /// The time of the first apply, as far as it is known.
    async fn first_apply(
        &self,
        connection: &mut PgConnection,
        of_manifest: Option<DateTime<Utc>>,
    ) -> Result<Option<DateTime<Utc>>, ApplyError> {
        let rows = self.planned().map(|rows| &**rows);
        let stamped = since::stamped(connection, self.schema, rows).await?;
        Ok(of_manifest.max(stamped))
    }
}

fn looking_into(step: &Step) -> impl FnOnce(sqlx::Error) -> DatabaseError + use<> {
    DatabaseError::while_doing(format!("looking into {}", step.table))
}
