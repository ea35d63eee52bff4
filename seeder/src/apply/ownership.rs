//! Whose the rows are that stand under the plan's keys.
//!
//! A uuid that the seeder made is nobody else's. Any other key may be: a name, an address, a
//! number. A row under such a key is the plan's where a manifest has it, where its key refers to
//! a row with such a uuid, or where the plan adopts its table. All others are of others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::PgConnection;

use super::earlier::{Record, same_rows};
use super::error::ApplyError;
use super::keys::{List, is_in, is_planned, send};
use super::prepare::introspect;
use super::send::{execute, is_empty};
use super::taken::{self, Taken};
use crate::database::DatabaseError;
use crate::plan::{Plan, Table};
use crate::rows::{Engine, TableRows, generated_key, key_columns};
use crate::schema::{self, Kind, Schema, quoted, quoted_list};

/// Nobody is.
const NEVER: &str = "false";

pub(super) struct Ownership<'a> {
    engine: &'static Engine,
    plan: &'a Plan,
    schema: &'a Schema,
    /// What a manifest says of an earlier apply.
    record: Option<&'a Record>,
    /// Whether it has the same rows.
    is_as_recorded: bool,
}

/// By table, where not every row under the plan's keys is the plan's: the condition that row `t`
/// is.
#[derive(Default)]
pub(super) struct Ours {
    conditions: BTreeMap<String, String>,
    /// What they name.
    lists: Vec<String>,
}

impl Ours {
    pub(super) fn of(&self, table: &str) -> Option<&str> {
        self.conditions.get(table).map(String::as_str)
    }

    /// The condition that row `t` is one of the plan's, whose keys have been sent.
    pub(super) fn among_planned(&self, rows: &TableRows) -> String {
        let planned = is_planned(rows);
        match self.of(&rows.name) {
            Some(ours) => format!("{planned} AND ({ours})"),
            None => planned,
        }
    }

    /// Adds the keys of an earlier apply to those of the plan: the same columns of other rows.
    pub(super) async fn add_recorded(
        &self,
        connection: &mut PgConnection,
        rows: &TableRows,
    ) -> Result<(), DatabaseError> {
        let (recorded, planned) = (List::Recorded.of(&rows.name), List::Planned.of(&rows.name));
        if self.lists.contains(&recorded) {
            let columns = quoted_list(rows.key_columns());
            let add = format!("INSERT INTO {planned} SELECT {columns} FROM {recorded}");
            execute(connection, &add, &[])
                .await
                .map_err(DatabaseError::while_doing("listing recorded keys"))?;
        }
        Ok(())
    }

    pub(super) async fn discard(self, connection: &mut PgConnection) -> Result<(), DatabaseError> {
        for list in self.lists {
            execute(connection, &format!("DROP TABLE {list}"), &[])
                .await
                .map_err(DatabaseError::while_doing("dropping a list of keys"))?;
        }
        Ok(())
    }
}

/// A table of which rows may be of others.
struct Claim<'a> {
    table: &'a Table,
    live: &'a schema::Table,
    generated: Option<&'a str>,
}

impl Claim<'_> {
    fn is_uuid(&self) -> bool {
        let column = self.generated.and_then(|name| self.live.column(name));
        column.is_some_and(|column| column.kind == Kind::Uuid)
    }

    /// Columns by which rows of others are found.
    fn key(&self) -> &[String] {
        key_columns(self.table, self.live)
    }

    /// With the one that the seeder makes.
    fn columns(&self) -> Vec<String> {
        let mut columns = self.key().to_vec();
        let generated = self.generated.map(str::to_owned);
        columns.extend(generated.filter(|name| !columns.contains(name)));
        columns
    }
}

impl<'a> Ownership<'a> {
    pub(super) fn new(
        engine: &'static Engine,
        plan: &'a Plan,
        schema: &'a Schema,
        record: Option<&'a Record>,
    ) -> Self {
        let is_as_recorded = record.is_some_and(|Record { plan: then, seed, scale }| {
            (*seed, *scale) == (engine.seed(), engine.scale())
                && then.epoch == plan.epoch
                && same_rows(then, plan).is_some()
        });
        Self { engine, plan, schema, record, is_as_recorded }
    }

    /// Looks for rows of others under the plan's keys.
    ///
    /// # Errors
    /// Where there are any, before anything is changed.
    pub(super) async fn look(
        &self,
        connection: &mut PgConnection,
        refused: fn(&Plan, &[Taken]) -> ApplyError,
    ) -> Result<Ours, ApplyError> {
        let (mut ours, mut taken) = (Ours::default(), Vec::new());
        let recorded = self.recorded(connection, &mut ours).await?;
        for table in &self.plan.tables {
            let Some(claim) = self.claim(table) else { continue };
            let rows = self.engine.compile(self.plan, self.schema, &table.name)?;
            if is_empty(connection, &rows).await? {
                ours.conditions.insert(table.name.clone(), NEVER.to_owned());
                continue;
            }
            if self.is_as_recorded && claim.generated.is_none() {
                continue;
            }
            self.list(connection, table, claim.columns(), &mut ours).await?;
            let mut parts: Vec<String> = self.referring(connection, &claim, &mut ours).await?;
            let list = List::Claimed.of(&table.name);
            parts.extend(recorded.get(&table.name).cloned());
            if let Some(generated) = claim.generated
                && (claim.is_uuid() || self.is_as_recorded)
            {
                parts.push(is_in("t", &list, [generated]));
            }
            if parts.is_empty() {
                parts.push(NEVER.to_owned());
            }
            let condition = parts.join(" OR ");
            // A shared row of others is used as it is, unless its number is one of ours.
            let columns = if table.shared { claim.columns() } else { claim.key().to_vec() };
            let under = is_in("t", &list, columns.iter().map(String::as_str));
            taken.extend(taken::under(connection, &rows, &under, &condition).await?);
            ours.conditions.insert(table.name.clone(), condition);
        }
        match taken.is_empty() {
            true => Ok(ours),
            false => Err(refused(self.plan, &taken)),
        }
    }

    /// None where all rows under the keys are the plan's, or nobody's business.
    fn claim(&self, table: &'a Table) -> Option<Claim<'a>> {
        let live = self.schema.table(&table.name)?;
        let claim = Claim { table, live, generated: generated_key(table, live) };
        let alone = claim.generated.is_some_and(|name| claim.key() == [name]);
        let settled = match (table.shared, claim.generated) {
            // These stay.
            (true, None) => true,
            (true, Some(_)) => claim.is_uuid(),
            (false, _) => claim.is_uuid() && alone,
        };
        (!settled && !self.plan.allowed.adopts(&table.name)).then_some(claim)
    }

    /// By table, the condition that row `t` is one that an apply has put there.
    async fn recorded(
        &self,
        connection: &mut PgConnection,
        ours: &mut Ours,
    ) -> Result<BTreeMap<String, String>, ApplyError> {
        let mut conditions = BTreeMap::new();
        let Some(Record { plan, seed, scale }) = self.record.filter(|_| !self.is_as_recorded)
        else {
            return Ok(conditions);
        };
        let claimed = self.plan.tables.iter().filter(|table| self.claim(table).is_some());
        let then = claimed
            .filter_map(|now| plan.table(&now.name).filter(|then| then.shared == now.shared));
        let tables: Vec<&Table> = then.collect();
        if tables.is_empty() {
            return Ok(conditions);
        }
        let schema = introspect(connection, plan).await?;
        let engine = Engine::new(plan, &schema, *seed, *scale)?;
        for table in tables {
            let compiled = || engine.compile(plan, &schema, &table.name);
            let rows = match compiled()?.with_generated_key(&schema) {
                Some(rows) => rows,
                None => compiled()?,
            };
            let list = List::Recorded.of(&table.name);
            let condition = is_in("t", &list, rows.key_columns());
            send(connection, &Arc::new(rows), List::Recorded).await?;
            ours.lists.push(list);
            conditions.insert(table.name.clone(), condition);
        }
        Ok(conditions)
    }

    async fn list(
        &self,
        connection: &mut PgConnection,
        table: &Table,
        columns: Vec<String>,
        ours: &mut Ours,
    ) -> Result<(), ApplyError> {
        let list = List::Claimed.of(&table.name);
        if ours.lists.contains(&list) {
            return Ok(());
        }
        let rows = self.engine.compile(self.plan, self.schema, &table.name)?;
        let Some(rows) = rows.told_by(&columns, self.schema) else { return Ok(()) };
        send(connection, &Arc::new(rows), List::Claimed).await?;
        ours.lists.push(list);
        Ok(())
    }

    /// The conditions that a column of the key refers to a row with a uuid of the seeder's.
    async fn referring(
        &self,
        connection: &mut PgConnection,
        claim: &Claim<'a>,
        ours: &mut Ours,
    ) -> Result<Vec<String>, ApplyError> {
        let mut conditions = Vec::new();
        for column in claim.key() {
            let mut seen = BTreeSet::new();
            let Some((root, id)) = self.root(claim.live, column, &mut seen) else { continue };
            let columns = match self.claim(root) {
                Some(claim) => claim.columns(),
                None => vec![id.clone()],
            };
            self.list(connection, root, columns, ours).await?;
            let (own, id) = (quoted(column), quoted(&id));
            let list = List::Claimed.of(&root.name);
            conditions.push(format!("t.{own} IN (SELECT {id} FROM {list})"));
        }
        Ok(conditions)
    }

    /// The table whose uuids a column has, by whatever number of foreign keys, and its column.
    fn root(
        &self,
        live: &schema::Table,
        column: &str,
        seen: &mut BTreeSet<u32>,
    ) -> Option<(&'a Table, String)> {
        if !seen.insert(live.oid) {
            return None;
        }
        live.foreign_keys.iter().find_map(|key| {
            let place = key.columns.iter().position(|own| own == column)?;
            let parent = self.plan.table(self.schema.name_of(key.parent)?)?;
            let (of, id) = (self.schema.table(&parent.name)?, &key.parent_columns[place]);
            let is_uuid = of.column(id).is_some_and(|column| column.kind == Kind::Uuid);
            match is_uuid && !parent.shared && generated_key(parent, of) == Some(id) {
                true => Some((parent, id.clone())),
                false => self.root(of, id, seen),
            }
        })
    }
}

/// The plan with each table's rows told by the key that the seeder makes, where it makes one:
/// others may have the other columns' values, too.
pub(super) fn told_by_generated_keys(plan: &Plan, schema: &Schema) -> Plan {
    let mut plan = plan.clone();
    for table in &mut plan.tables {
        let made = schema.table(&table.name).and_then(|live| generated_key(table, live));
        if made.is_some() && !table.shared && !plan.allowed.adopts(&table.name) {
            table.key = None;
        }
    }
    plan
}
