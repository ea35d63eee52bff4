//! Removes the plan's rows and those that a load attached to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};

use super::error::ApplyError;
use super::keys::{is_planned, keys_of, prefixed, send_keys};
use super::prepare::table_names;
use super::send::execute;
use crate::database::{DatabaseError, SqlError};
use crate::plan::{LoadRows, Plan, PlanError, Which};
use crate::rows::{Engine, TableRows};
use crate::schema::{self, ForeignKey, Schema, Table, quoted, quoted_list};
use common::nearest;

/// SQLSTATE.
const FOREIGN_KEY_VIOLATION: &str = "23503";

#[derive(Debug, Serialize)]
pub struct RemovedRows {
    pub table: String,
    /// Rows of the plan.
    pub planned: u64,
    /// Rows that the load left.
    pub load: u64,
    /// Rows of others in which a reference was set to null.
    pub detached: u64,
}

impl RemovedRows {
    pub fn is_nothing(&self) -> bool {
        self.planned + self.load + self.detached == 0
    }
}

impl std::fmt::Display for RemovedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { table, planned, load, detached } = self;
        write!(f, "{table}: {planned} rows of the plan and {load} of the load, {detached} detached")
    }
}

/// `350 rows of users (0 of them of the load), …`
pub(crate) fn in_words(removed: &[RemovedRows]) -> String {
    let words = removed.iter().map(|RemovedRows { table, planned, load, .. }| {
        format!("{} rows of {table} ({load} of them of the load)", planned + load)
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The removals, children before parents.
pub(crate) struct Removal {
    steps: Vec<Step>,
}

/// One table's part.
struct Step {
    table: String,
    sql_name: String,
    /// The plan's rows; none where they stay.
    planned: Option<Arc<TableRows>>,
    /// What refers to rows of everyone: those referred to stay.
    unless: Vec<String>,
    /// Columns that are set to null first, because the rows they refer to are removed earlier.
    loosen: Vec<String>,
    load: Vec<Condition>,
    detach: Vec<Detach>,
}

/// What the load's rows have in common.
struct Condition {
    sql: String,
    parameter: Option<String>,
}

struct Detach {
    columns: Vec<String>,
    condition: String,
}

impl Removal {
    /// Works out which rows are the plan's and which the load's; `referrers` are the
    /// conditions under which rows of a shared table are still needed. Where the manifest alone
    /// has the plan, its rows are those with generated ids of 128 bits and no others.
    pub(crate) fn new(
        engine: &'static Engine,
        plan: &Plan,
        schema: &Schema,
        referrers: &BTreeMap<String, Vec<String>>,
        by_manifest: Option<&str>,
    ) -> Result<Self, ApplyError> {
        let mut steps = Vec::new();
        let mut order = schema::load_order(schema, &table_names(plan))?;
        for name in order.tables.into_iter().rev() {
            let Some(live) = schema.table(name) else { continue };
            let mut by_parent = None;
            let planned = match plan.table(name) {
                None => None,
                Some(table) => {
                    let rows = engine.compile(plan, schema, name)?;
                    match (by_manifest, table.shared) {
                        (None, false) => Some(rows),
                        // Of these, the plan owns those with the ids that it generates.
                        (None, true) => rows.with_generated_key(schema),
                        (Some(_), true) => told_by_uuid(rows, schema),
                        (Some(digest), false) => {
                            let told = told_by_uuid(rows, schema);
                            if told.is_none() {
                                let parent = parent_with_uuid(engine, plan, schema, live);
                                by_parent =
                                    Some(parent?.ok_or_else(|| ApplyError::ManifestAlone {
                                        plan: plan.name.clone(),
                                        table: name.to_owned(),
                                        digest: digest.to_owned(),
                                    })?);
                            }
                            told
                        }
                    }
                }
            };
            let mut step = Step {
                table: name.to_owned(),
                sql_name: live.sql_name.clone(),
                unless: match &planned {
                    Some(rows) if rows.shared => referrers.get(name).cloned().unwrap_or_default(),
                    _ => Vec::new(),
                },
                loosen: match &planned {
                    Some(_) => order.later.remove(name).into_iter().flatten().collect(),
                    None => Vec::new(),
                },
                planned: planned.map(Arc::new),
                load: by_parent.into_iter().collect(),
                detach: Vec::new(),
            };
            for load in plan.load.iter().filter(|load| load.table == name) {
                if let Which::DeleteReferring(parent) | Which::DetachReferring(parent) = &load.which
                    && by_manifest.is_some()
                    && told_by_uuid(engine.compile(plan, schema, parent)?, schema).is_none()
                {
                    continue;
                }
                step.add(plan, schema, live, load)?;
            }
            if step.planned.is_some() || !step.load.is_empty() || !step.detach.is_empty() {
                steps.push(step);
            }
        }
        Ok(Self { steps })
    }

    pub(crate) async fn run(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<RemovedRows>, ApplyError> {
        defer(connection, "DEFERRED").await.map_err(DatabaseError::while_doing("deferring"))?;
        for planned in self.steps.iter().filter_map(|step| step.planned.as_ref()) {
            send_keys(connection, planned).await?;
        }
        for step in &self.steps {
            step.loosen(connection).await?;
        }
        let mut removed = Vec::new();
        for step in &self.steps {
            let done = step.run(connection).await?;
            let shared = step.planned.as_ref().is_some_and(|rows| rows.shared);
            if !shared || done.planned > 0 {
                removed.push(done);
            }
        }
        // Rows that still refer to a removed one are reported now, not at the end.
        defer(connection, "IMMEDIATE").await.map_err(|error| still_referred("the plan", error))?;
        for planned in self.steps.iter().filter_map(|step| step.planned.as_ref()) {
            let drop = format!("DROP TABLE {}", keys_of(&planned.name));
            execute(connection, &drop, &[])
                .await
                .map_err(DatabaseError::while_doing("dropping the list of keys"))?;
        }
        Ok(removed)
    }
}

impl Step {
    fn add(
        &mut self,
        plan: &Plan,
        schema: &Schema,
        live: &Table,
        load: &LoadRows,
    ) -> Result<(), PlanError> {
        match &load.which {
            Which::DeleteLike { column, pattern } => {
                if live.column(column).is_none() {
                    let known = live.columns.iter().map(|column| column.name.as_str());
                    let hint = nearest::hint(column, known);
                    let message = format!("table {} has no column {column}{hint}", self.table);
                    return Err(plan.error(load.line, message));
                }
                let sql = format!("t.{} LIKE $", quoted(column));
                self.load.push(Condition { sql, parameter: Some(pattern.clone()) });
            }
            Which::DeleteReferring(parent) => {
                for key in references(plan, schema, live, load, parent)? {
                    let sql = referring(plan, schema, parent, key);
                    self.load.push(Condition { sql, parameter: None });
                }
            }
            Which::DetachReferring(parent) => {
                for key in references(plan, schema, live, load, parent)? {
                    let condition = referring(plan, schema, parent, key);
                    self.detach.push(Detach { columns: key.columns.clone(), condition });
                }
            }
        }
        Ok(())
    }

    async fn run(&self, connection: &mut PgConnection) -> Result<RemovedRows, ApplyError> {
        let planned = match &self.planned {
            None => 0,
            Some(planned) => {
                let condition = self.is_doomed(planned);
                let sql = format!("SELECT count(*) FROM {} t WHERE {condition}", self.sql_name);
                let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(self.failed("counting"))?;
                u64::try_from(count).unwrap_or_default()
            }
        };
        let deleted = self.delete(connection).await?;
        let mut detached = 0;
        for Detach { columns, condition } in &self.detach {
            let nulls: Vec<String> =
                columns.iter().map(|column| format!("{} = NULL", quoted(column))).collect();
            let sql =
                format!("UPDATE {} t SET {} WHERE {condition}", self.sql_name, nulls.join(", "));
            detached += execute(connection, &sql, &[]).await.map_err(self.failed("detaching"))?;
        }
        Ok(RemovedRows { table: self.table.clone(), planned, load: deleted - planned, detached })
    }

    fn is_doomed(&self, planned: &TableRows) -> String {
        let unless = self.unless.iter().map(|referred| format!(" AND NOT {referred}"));
        is_planned(planned) + &unless.collect::<String>()
    }

    async fn loosen(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let (Some(planned), false) = (&self.planned, self.loosen.is_empty()) else { return Ok(()) };
        let sets: Vec<String> =
            self.loosen.iter().map(|column| format!("{} = NULL", quoted(column))).collect();
        let set: Vec<String> =
            self.loosen.iter().map(|column| format!("t.{} IS NOT NULL", quoted(column))).collect();
        let sql = format!(
            "UPDATE {} t SET {} WHERE ({}) AND {}",
            self.sql_name,
            sets.join(", "),
            set.join(" OR "),
            is_planned(planned)
        );
        execute(connection, &sql, &[]).await.map_err(self.failed("loosening"))?;
        Ok(())
    }

    /// In one statement, since rows of a table may refer to each other; each
    /// condition by itself, so that each is a join and none a loop.
    async fn delete(&self, connection: &mut PgConnection) -> Result<u64, ApplyError> {
        let mut parameters = Vec::new();
        let mut conditions: Vec<String> =
            self.planned.iter().map(|planned| self.is_doomed(planned)).collect();
        for Condition { sql, parameter } in &self.load {
            match parameter {
                None => conditions.push(sql.clone()),
                Some(parameter) => {
                    parameters.push(parameter.as_str());
                    conditions.push(format!("{sql}{}", parameters.len()));
                }
            }
        }
        if conditions.is_empty() {
            return Ok(0);
        }
        let doomed: Vec<String> = conditions
            .iter()
            .map(|condition| {
                format!("SELECT t.tableoid, t.ctid FROM {} t WHERE {condition}", self.sql_name)
            })
            .collect();
        let sql = format!(
            "DELETE FROM {} WHERE (tableoid, ctid) IN ({})",
            self.sql_name,
            doomed.join(" UNION ")
        );
        execute(connection, &sql, &parameters).await.map_err(|source| self.refused(source))
    }

    fn failed(&self, doing: &str) -> impl FnOnce(sqlx::Error) -> DatabaseError + use<> {
        DatabaseError::while_doing(format!("{doing} rows of {}", self.table))
    }

    /// Rows unknown to the plan may refer to those being removed.
    fn refused(&self, error: sqlx::Error) -> ApplyError {
        still_referred(&self.table, error)
    }
}

fn still_referred(table: &str, error: sqlx::Error) -> ApplyError {
    let source = SqlError::from(error);
    let still = source.server().filter(|said| said.code() == FOREIGN_KEY_VIOLATION);
    let table = table.to_owned();
    match still.and_then(|said| said.table().map(str::to_owned)) {
        Some(by) => ApplyError::StillReferred { table, by, source },
        None => {
            let doing = format!("removing rows of {table}");
            ApplyError::Database(DatabaseError::Failed { doing, source })
        }
    }
}

/// `DEFERRED` or `IMMEDIATE`, of the foreign keys that can be either.
pub(crate) async fn defer(connection: &mut PgConnection, when: &str) -> Result<(), sqlx::Error> {
    execute(connection, &format!("SET CONSTRAINTS ALL {when}"), &[]).await?;
    Ok(())
}

/// The foreign keys by which the load's rows refer to the plan's.
fn references<'s>(
    plan: &Plan,
    schema: &Schema,
    live: &'s Table,
    load: &LoadRows,
    parent: &str,
) -> Result<Vec<&'s ForeignKey>, PlanError> {
    let oid = schema.table(parent).map(|table| table.oid);
    let keys: Vec<&ForeignKey> =
        live.foreign_keys.iter().filter(|key| Some(key.parent) == oid).collect();
    let fixed = keys.iter().flat_map(|key| &key.columns).find(|column| {
        matches!(load.which, Which::DetachReferring(_))
            && live.column(column).is_some_and(|column| column.not_null)
    });
    match fixed {
        _ if keys.is_empty() => {
            let message = format!("table {} has no foreign key to {parent}", load.table);
            Err(plan.error(load.line, message))
        }
        Some(column) => {
            let message = format!("{}.{column} is NOT NULL and cannot be detached", load.table);
            Err(plan.error(load.line, message))
        }
        None => Ok(keys),
    }
}

/// None where no generated uuid tells the rows from all others.
fn told_by_uuid(rows: TableRows, schema: &Schema) -> Option<TableRows> {
    rows.with_generated_key(schema).filter(TableRows::is_by_uuid)
}

/// Rows whose key is a reference to a row with a generated uuid belong to that row; none where
/// the key is no such reference.
fn parent_with_uuid(
    engine: &'static Engine,
    plan: &Plan,
    schema: &Schema,
    live: &Table,
) -> Result<Option<Condition>, PlanError> {
    for key in live.foreign_keys.iter().filter(|key| key.columns == live.primary_key) {
        let parent = schema.name_of(key.parent).and_then(|name| plan.table(name));
        if let Some(parent) = parent.filter(|parent| !parent.shared)
            && told_by_uuid(engine.compile(plan, schema, &parent.name)?, schema).is_some()
        {
            let sql = referring(plan, schema, &parent.name, key);
            return Ok(Some(Condition { sql, parameter: None }));
        }
    }
    Ok(None)
}

/// `(t.a, t.b) IN` the planned rows of the parent.
fn referring(plan: &Plan, schema: &Schema, parent: &str, key: &ForeignKey) -> String {
    let key_of_parent = plan.table(parent).and_then(|table| table.key.clone());
    let live = schema.table(parent);
    let key_of_parent =
        key_of_parent.or_else(|| live.map(|table| table.primary_key.clone())).unwrap_or_default();
    format!(
        "({}) IN (SELECT {} FROM {} p WHERE ({}) IN (SELECT {} FROM {}))",
        prefixed("t", &key.columns),
        prefixed("p", &key.parent_columns),
        live.map_or("", |table| table.sql_name.as_str()),
        prefixed("p", &key_of_parent),
        quoted_list(key_of_parent.iter().map(String::as_str)),
        keys_of(parent),
    )
}
