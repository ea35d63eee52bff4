//! Removes the plan's rows and those that a load attached to them, and nothing of others that
//! the plan does not name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use super::doomed::{self, Counts, Referring, Whose};
use super::effects::{self, Effects};
use super::error::{ApplyError, not_removed};
use super::keys::{drop_keys, is_planned, send_keys};
use super::prepare::table_names;
use super::refusal::Refusal;
use super::removed::RemovedRows;
use super::send::execute;
use super::since;
use super::step::{Step, parent_with_uuid, told_by_uuid};
use crate::database::DatabaseError;
use crate::plan::{Named, Plan};
use crate::rows::{Engine, TableRows};
use crate::schema::{self, DeleteRule, Reference, Schema, TableName, quoted};

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
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<RemovedRows>, ApplyError> {
        let failed = || DatabaseError::while_doing("looking for what is to be removed");
        // Rows that are hidden from us could not be counted: then the server says so.
        execute(connection, "SET LOCAL row_security = off", &[]).await.map_err(failed())?;
        for planned in self.planned() {
            send_keys(connection, planned).await?;
        }
        doomed::create(connection).await.map_err(failed())?;
        let mut removed = Removed::default();
        self.find(connection, since, &mut removed).await?;
        let along = self.ids(&self.plan.allowed.cascade);
        doomed::follow(connection, &self.references, &along).await.map_err(failed())?;
        let doomed = doomed::counts(connection).await.map_err(failed())?;
        let referring = doomed::referring(connection, &self.references).await.map_err(failed())?;
        self.delete(connection, &doomed, &referring, &mut removed).await?;
        doomed::discard(connection).await.map_err(failed())?;
        for planned in self.planned() {
            drop_keys(connection, planned).await?;
        }
        execute(connection, "SET LOCAL row_security TO DEFAULT", &[]).await.map_err(failed())?;
        Ok(removed.told(&self.steps))
    }

    fn planned(&self) -> impl Iterator<Item = &Arc<TableRows>> {
        let own = self.steps.iter().filter_map(|step| step.planned.as_ref());
        own.chain(self.shared.iter().map(|(_, rows)| rows))
    }

    fn ids(&self, named: &[Named]) -> BTreeSet<u32> {
        named.iter().filter_map(|named| Some(self.schema.table(&named.name)?.oid)).collect()
    }

    /// Marks the plan's rows and the load's, and detaches what the plan wants to be detached.
    async fn find(
        &self,
        connection: &mut PgConnection,
        since: Option<DateTime<Utc>>,
        removed: &mut Removed,
    ) -> Result<(), ApplyError> {
        let mut planned = 0;
        for step in &self.steps {
            if let Some(rows) = &step.planned {
                let condition = is_planned(rows);
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
            if unknown && conditions.clone().any(|condition| condition.needs_time()) {
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

    async fn delete(
        &self,
        connection: &mut PgConnection,
        doomed: &Counts,
        referring: &[Referring<'_>],
        removed: &mut Removed,
    ) -> Result<(), ApplyError> {
        let counting = || DatabaseError::while_doing("counting what is removed");
        let triggers = schema::delete_triggers(connection).await.map_err(counting())?;
        let mut names = self.names(connection, doomed, referring).await?;
        self.look(doomed, referring, &names)?;
        let tables: BTreeMap<u32, TableName> = names
            .iter()
            .filter(|(table, _)| doomed.keys().any(|(of, _)| of == *table))
            .map(|(table, name)| (*table, name.clone()))
            .collect();

        let before = effects::so_far(connection).await.map_err(counting())?;
        let failed = |error| not_removed("removing rows", error);
        let gone = doomed::delete(connection, &tables).await.map_err(failed)?;
        let mut expected = Effects::new();
        let mut kept: BTreeMap<u32, u64> = BTreeMap::new();
        for (&(table, whose), rows) in doomed {
            let gone = gone.get(&(table, whose)).copied().unwrap_or_default();
            *kept.entry(table).or_default() += rows.saturating_sub(gone);
            expected.entry(table).or_default().deleted += gone;
            let removed = removed.of(table);
            match whose {
                Whose::Plan => removed.planned = gone,
                Whose::Load => removed.load = gone,
                Whose::Others => removed.cascaded = gone,
            }
        }
        for (table, rows) in &self.shared {
            let unreferred = self.remove_shared(connection, *table, rows).await?;
            expected.entry(*table).or_default().deleted += unreferred.gone;
            *kept.entry(*table).or_default() += unreferred.kept;
            if unreferred.gone + unreferred.kept > 0 {
                removed.of(*table).planned = unreferred.gone;
            }
        }
        // Rows that still refer to a removed one are reported now, not at the end.
        defer(connection, "IMMEDIATE").await.map_err(failed)?;
        for Referring { reference, stay, all, .. } in referring {
            let emptied = match reference.rule {
                DeleteRule::SetNull => &mut removed.of(reference.child_root).set_null,
                DeleteRule::SetDefault => &mut removed.of(reference.child_root).set_default,
                _ => continue,
            };
            *emptied += stay;
            expected.entry(reference.child_root).or_default().changed += all;
        }
        for (table, kept) in &kept {
            removed.of(*table).kept = *kept;
            expected.entry(*table).or_default().changed += kept;
        }

        let after = effects::so_far(connection).await.map_err(counting())?;
        let unexpected = match (before, after) {
            (Some(before), Some(after)) => effects::unexpected(&before, &after, &expected),
            _ => match tables.iter().find(|(table, _)| triggers.contains_key(table)) {
                Some((_, name)) => {
                    return Err(ApplyError::Uncounted { table: name.plain.clone() });
                }
                None => Effects::new(),
            },
        };
        let more = schema::names(connection, unexpected.keys().chain(kept.keys()).copied());
        names.extend(more.await.map_err(counting())?);
        let mut refusal = Refusal::new(self.plan, &names);
        let (may_stay, may_change) =
            (self.ids(&self.plan.allowed.soft_delete), self.ids(&self.plan.allowed.triggers));
        for (table, rows) in
            kept.iter().filter(|(table, rows)| **rows > 0 && !may_stay.contains(table))
        {
            refusal.kept(*table, *rows, triggers.get(table));
        }
        let ran = tables.iter().flat_map(|(table, name)| {
            let triggers = triggers.get(table).into_iter().flatten();
            triggers.map(move |trigger| format!("{trigger} of {}", name.plain))
        });
        let refused = unexpected.iter().filter(|(table, _)| !may_change.contains(table));
        let refused: Effects = refused.map(|(table, effect)| (*table, *effect)).collect();
        refusal.effects(&refused, &ran.collect::<Vec<_>>());
        refusal.or_go_on()?;
        for (table, effect) in unexpected {
            removed.of(table).by_triggers = effect;
        }
        removed.name(&names, &triggers);
        Ok(())
    }

    /// What of others would go, or stands in the way.
    fn look(
        &self,
        doomed: &Counts,
        referring: &[Referring<'_>],
        names: &BTreeMap<u32, TableName>,
    ) -> Result<(), ApplyError> {
        let may_go = self.ids(&self.plan.allowed.cascade);
        let mut refusal = Refusal::new(self.plan, names);
        for ((table, whose), rows) in doomed {
            if *whose == Whose::Others && !may_go.contains(table) {
                refusal.going(*table, *rows);
            }
        }
        for Referring { reference, stay, .. } in referring {
            let stops = matches!(reference.rule, DeleteRule::NoAction | DeleteRule::Restrict);
            if stops && *stay > 0 {
                refusal.in_the_way(reference, *stay);
            }
        }
        for Referring { reference, .. } in referring.iter().filter(|found| found.to_plan > 0) {
            refusal.perhaps_of_a_load(reference);
        }
        refusal.or_go_on()
    }

    async fn names(
        &self,
        connection: &mut PgConnection,
        doomed: &Counts,
        referring: &[Referring<'_>],
    ) -> Result<BTreeMap<u32, TableName>, ApplyError> {
        let of = referring.iter().flat_map(|found| {
            [found.reference.child_root, found.reference.parent_root].into_iter()
        });
        let tables = doomed.keys().map(|(table, _)| *table).chain(of);
        let tables = tables.chain(self.steps.iter().map(|step| step.oid));
        let tables = tables.chain(self.shared.iter().map(|(table, _)| *table));
        let names = schema::names(connection, tables).await;
        let mut names = names.map_err(DatabaseError::while_doing("naming tables"))?;
        // As the plan calls them, where it does.
        for (table, name) in &mut names {
            if let Some(known) = self.schema.name_of(*table) {
                known.clone_into(&mut name.plain);
            }
        }
        Ok(names)
    }

    /// Now that all else is gone: those that nobody refers to.
    async fn remove_shared(
        &self,
        connection: &mut PgConnection,
        table: u32,
        rows: &TableRows,
    ) -> Result<Unreferred, ApplyError> {
        let referrers = self.references.iter().filter(|reference| reference.parent == table);
        let unless = referrers.map(|reference| format!(" AND NOT {}", reference.any("t")));
        let condition = is_planned(rows) + &unless.collect::<String>();
        let (name, sql) = (&rows.name, &rows.sql_name);
        let count = format!("SELECT count(*) FROM {sql} t WHERE {condition}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await
            .map_err(DatabaseError::while_doing(format!("counting rows of {name}")))?;
        let delete = format!("DELETE FROM {sql} t WHERE {condition}");
        let gone = execute(connection, &delete, &[])
            .await
            .map_err(|error| not_removed(&format!("removing rows of {name}"), error))?;
        let kept = u64::try_from(count).unwrap_or_default().saturating_sub(gone);
        Ok(Unreferred { gone, kept })
    }
}

struct Unreferred {
    gone: u64,
    kept: u64,
}

/// What was done so far, by table.
#[derive(Default)]
struct Removed(BTreeMap<u32, RemovedRows>);

impl Removed {
    fn of(&mut self, table: u32) -> &mut RemovedRows {
        self.0.entry(table).or_default()
    }

    fn name(&mut self, names: &BTreeMap<u32, TableName>, triggers: &BTreeMap<u32, Vec<String>>) {
        for (table, removed) in &mut self.0 {
            if let Some(name) = names.get(table) {
                name.plain.clone_into(&mut removed.table);
            }
            removed.triggers = triggers.get(table).cloned().unwrap_or_default();
        }
    }

    /// The plan's tables in the order of its steps, and others of which something went.
    fn told(mut self, steps: &[Step]) -> Vec<RemovedRows> {
        let mut told = Vec::new();
        for step in steps {
            let mut removed = self.0.remove(&step.oid).unwrap_or_default();
            removed.table.clone_from(&step.table);
            told.push(removed);
        }
        told.extend(self.0.into_values().filter(|removed| !removed.is_nothing()));
        told
    }
}

fn looking_into(step: &Step) -> impl FnOnce(sqlx::Error) -> DatabaseError + use<> {
    DatabaseError::while_doing(format!("looking into {}", step.table))
}

/// `DEFERRED` or `IMMEDIATE`, of the foreign keys that can be either.
pub(crate) async fn defer(connection: &mut PgConnection, when: &str) -> Result<(), sqlx::Error> {
    execute(connection, &format!("SET CONSTRAINTS ALL {when}"), &[]).await?;
    Ok(())
}
