//! Deletes what is to go, once nothing of others stands against it, and looks whether the
//! database did that and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, PgConnection};

use super::doomed::{self, Counts, Referring, Whose};
use super::effects::{self, Effects};
use super::error::{ApplyError, not_removed};
use super::ownership::Ours;
use super::refusal::Refusal;
use super::removed::Removed;
use super::send::{defer, execute};
use crate::database::DatabaseError;
use crate::plan::{Named, Plan};
use crate::rows::TableRows;
use crate::schema::{self, DeleteRule, Reference, Schema, TableName};

/// What was found to go, which is marked, and what has to be known to say what that would do.
pub(super) struct Found<'a> {
    pub(super) plan: &'a Plan,
    pub(super) schema: &'a Schema,
    /// All foreign keys of the database.
    pub(super) references: &'a [Reference],
    /// Rows of everyone, which go where nobody refers to them any more.
    pub(super) shared: &'a [(u32, Arc<TableRows>)],
    pub(super) ours: &'a Ours,
}

impl Found<'_> {
    /// Removes it with what goes along.
    ///
    /// # Errors
    /// As [`Deletion::run`].
    pub(super) async fn remove(
        &self,
        connection: &mut PgConnection,
        removed: &mut Removed,
    ) -> Result<(), ApplyError> {
        let failed = || DatabaseError::while_doing("looking for what is to be removed");
        let Self { plan, schema, references, shared, ours } = *self;
        let along = ids(schema, &plan.allowed.cascade);
        doomed::follow(connection, references, &along).await.map_err(failed())?;
        let doomed = doomed::counts(connection).await.map_err(failed())?;
        let referring = doomed::referring(connection, references).await.map_err(failed())?;
        let (doomed, referring) = (&doomed, referring.as_slice());
        let deletion = Deletion { plan, schema, references, shared, ours, doomed, referring };
        deletion.run(connection, removed).await?;
        Ok(doomed::discard(connection).await.map_err(failed())?)
    }
}

struct Deletion<'a> {
    plan: &'a Plan,
    schema: &'a Schema,
    references: &'a [Reference],
    shared: &'a [(u32, Arc<TableRows>)],
    ours: &'a Ours,
    doomed: &'a Counts,
    /// Rows of others that refer to those.
    referring: &'a [Referring<'a>],
}

type Names = BTreeMap<u32, TableName>;

/// The triggers of each table.
type Triggers = BTreeMap<u32, Vec<String>>;

/// What is known to happen.
#[derive(Default)]
struct Known {
    effects: Effects,
    /// Rows that were to go and stay.
    kept: BTreeMap<u32, u64>,
}

/// The tables with these names.
fn ids(schema: &Schema, named: &[Named]) -> BTreeSet<u32> {
    named.iter().filter_map(|named| Some(schema.table(&named.name)?.oid)).collect()
}

impl Deletion<'_> {
    /// # Errors
    /// When rows of others would not stay as they are and the plan does not allow it, and when
    /// the database refuses or fails.
    async fn run(
        &self,
        connection: &mut PgConnection,
        removed: &mut Removed,
    ) -> Result<(), ApplyError> {
        let counting = || DatabaseError::while_doing("counting what is removed");
        let triggers = schema::delete_triggers(connection).await.map_err(counting())?;
        let mut names = self.names(connection).await?;
        self.look(&names)?;
        let tables =
            names.iter().filter(|(table, _)| self.doomed.keys().any(|(of, _)| of == *table));
        let tables: Names = tables.map(|(table, name)| (*table, name.clone())).collect();

        let before = effects::so_far(connection).await.map_err(counting())?;
        let known = self.delete(connection, &tables, removed).await?;
        let after = effects::so_far(connection).await.map_err(counting())?;
        let unexpected = match (before, after) {
            (Some(before), Some(after)) => effects::unexpected(&before, &after, &known.effects),
            _ => match tables.iter().find(|(table, _)| triggers.contains_key(table)) {
                Some((_, name)) => {
                    return Err(ApplyError::Uncounted { table: name.plain.clone() });
                }
                None => Effects::new(),
            },
        };
        let more = schema::names(connection, unexpected.keys().copied()).await;
        for (table, name) in more.map_err(counting())? {
            names.entry(table).or_insert(name);
        }
        self.look_back(&names, &triggers, &known.kept, &unexpected)?;
        for (table, effect) in unexpected {
            removed.of(table).by_triggers = effect;
        }
        removed.name(&names, &triggers);
        Ok(())
    }

    /// What of others would go, or stands in the way.
    fn look(&self, names: &Names) -> Result<(), ApplyError> {
        let may_go = ids(self.schema, &self.plan.allowed.cascade);
        let mut refusal = Refusal::new(self.plan, names);
        for ((table, whose), rows) in self.doomed {
            if *whose == Whose::Others && !may_go.contains(table) {
                refusal.going(*table, *rows);
            }
        }
        for Referring { reference, stay, .. } in self.referring {
            let stops = matches!(reference.rule, DeleteRule::NoAction | DeleteRule::Restrict);
            if stops && *stay > 0 {
                refusal.in_the_way(reference, *stay);
            }
        }
        for Referring { reference, .. } in self.referring.iter().filter(|found| found.to_plan > 0) {
            refusal.perhaps_of_a_load(reference);
        }
        refusal.or_go_on()
    }

    async fn delete(
        &self,
        connection: &mut PgConnection,
        tables: &Names,
        removed: &mut Removed,
    ) -> Result<Known, ApplyError> {
        let failed = |error| not_removed("removing rows", error);
        let gone = doomed::delete(connection, tables).await.map_err(failed)?;
        let Known { mut effects, mut kept } = Known::default();
        for (&(table, whose), rows) in self.doomed {
            let gone = gone.get(&(table, whose)).copied().unwrap_or_default();
            *kept.entry(table).or_default() += rows.saturating_sub(gone);
            effects.entry(table).or_default().deleted += gone;
            let removed = removed.of(table);
            match whose {
                Whose::Plan => removed.planned = gone,
                Whose::Load => removed.load = gone,
                Whose::Others => removed.cascaded = gone,
            }
        }
        for (table, rows) in self.shared {
            let (gone, stay) = self.remove_shared(connection, *table, rows).await?;
            *kept.entry(*table).or_default() += stay;
            effects.entry(*table).or_default().deleted += gone;
            removed.of(*table).planned = gone;
        }
        // Rows that still refer to a removed one are reported now, not at the end.
        defer(connection, "IMMEDIATE").await.map_err(failed)?;
        for Referring { reference, stay, all, .. } in self.referring {
            let removed = removed.of(reference.child_root);
            let emptied = match reference.rule {
                DeleteRule::SetNull => &mut removed.set_null,
                DeleteRule::SetDefault => &mut removed.set_default,
                _ => continue,
            };
            *emptied += stay;
            // Of rows that go, too: nobody says which of their keys comes first.
            effects.entry(reference.child_root).or_default().changed += all;
        }
        kept.retain(|_, rows| *rows > 0);
        for (table, rows) in &kept {
            removed.of(*table).kept = *rows;
            // A trigger keeps a row by marking it.
            effects.entry(*table).or_default().changed += rows;
        }
        Ok(Known { effects, kept })
    }

    /// What stayed, or changed elsewhere.
    fn look_back(
        &self,
        names: &Names,
        triggers: &Triggers,
        kept: &BTreeMap<u32, u64>,
        unexpected: &Effects,
    ) -> Result<(), ApplyError> {
        let may_stay = ids(self.schema, &self.plan.allowed.soft_delete);
        let may_change = ids(self.schema, &self.plan.allowed.triggers);
        let mut refusal = Refusal::new(self.plan, names);
        for (table, rows) in kept.iter().filter(|(table, _)| !may_stay.contains(table)) {
            refusal.kept(*table, *rows, triggers.get(table));
        }
        let ran = self.doomed.keys().map(|(table, _)| *table).collect::<BTreeSet<u32>>();
        let ran = ran.iter().filter_map(|table| Some((names.get(table)?, triggers.get(table)?)));
        let ran: Vec<String> = ran
            .flat_map(|(table, triggers)| {
                triggers.iter().map(move |trigger| format!("{trigger} of {}", table.plain))
            })
            .collect();
        let refused = unexpected.iter().filter(|(table, _)| !may_change.contains(table));
        let refused: Effects = refused.map(|(table, effect)| (*table, *effect)).collect();
        refusal.effects(&refused, &ran);
        refusal.or_go_on()
    }

    async fn names(&self, connection: &mut PgConnection) -> Result<Names, ApplyError> {
        let of = self.referring.iter().flat_map(|found| {
            [found.reference.child_root, found.reference.parent_root].into_iter()
        });
        let tables = self.doomed.keys().map(|(table, _)| *table).chain(of);
        let tables = tables.chain(self.schema.tables().map(|(_, table)| table.oid));
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

    /// Now that all else is gone: those that nobody refers to. How many went, and how many stay.
    async fn remove_shared(
        &self,
        connection: &mut PgConnection,
        table: u32,
        rows: &TableRows,
    ) -> Result<(u64, u64), ApplyError> {
        let referrers = self.references.iter().filter(|reference| reference.parent == table);
        let unless = referrers.map(|reference| format!(" AND NOT {}", reference.any("t")));
        let condition = self.ours.among_planned(rows) + &unless.collect::<String>();
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
        Ok((gone, kept))
    }
}
