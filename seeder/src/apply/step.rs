//! Which rows of a table are the plan's, and which a load has hung on those.

use std::sync::Arc;

use super::error::ApplyError;
use super::keys::{List, is_in, prefixed};
use crate::plan::{LoadRows, Plan, PlanError, Which};
use crate::rows::{Engine, TableRows, key_columns};
use crate::schema::{Column, ForeignKey, Kind, Schema, Table, quoted};
use common::nearest;

/// One table's part of a removal.
pub(super) struct Step {
    pub(super) table: String,
    pub(super) oid: u32,
    pub(super) sql_name: String,
    /// The plan's rows; none where they stay.
    pub(super) planned: Option<Arc<TableRows>>,
    pub(super) load: Vec<Condition>,
    pub(super) detach: Vec<Detach>,
}

/// What rows `t` have in common.
pub(super) struct Condition {
    sql: String,
    parameters: Vec<String>,
    /// The time that a row was made at, where only rows since the first apply are meant.
    since: Option<String>,
}

pub(super) struct Detach {
    pub(super) columns: Vec<String>,
    pub(super) condition: Condition,
}

impl Condition {
    fn new(sql: String) -> Self {
        Self { sql, parameters: Vec::new(), since: None }
    }

    pub(super) fn needs_time(&self) -> bool {
        self.since.is_some()
    }

    /// The whole of it and its parameters, with the time of the first apply.
    pub(super) fn since<'c>(&'c self, time: &'c str) -> (String, Vec<&'c str>) {
        let mut parameters: Vec<&str> = self.parameters.iter().map(String::as_str).collect();
        let Some(made) = &self.since else { return (self.sql.clone(), parameters) };
        parameters.push(time);
        let sql = format!("{} AND {made} >= ${}::text::timestamptz", self.sql, parameters.len());
        (sql, parameters)
    }
}

impl Step {
    pub(super) fn new(table: &str, live: &Table, planned: Option<Arc<TableRows>>) -> Self {
        Self {
            table: table.to_owned(),
            oid: live.oid,
            sql_name: live.sql_name.clone(),
            planned,
            load: Vec::new(),
            detach: Vec::new(),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.planned.is_none() && self.load.is_empty() && self.detach.is_empty()
    }

    pub(super) fn add(
        &mut self,
        plan: &Plan,
        schema: &Schema,
        live: &Table,
        load: &LoadRows,
    ) -> Result<(), PlanError> {
        let since =
            load.since.as_ref().map(|since| made_at(plan, live, load, since)).transpose()?;
        let with_since = |condition: Condition| Condition { since: since.clone(), ..condition };
        match &load.which {
            Which::DeleteLike { column, pattern } => {
                let column = &column_of(plan, live, load, &self.table, column)?.name;
                let sql = format!("t.{} LIKE $1", quoted(column));
                let condition = Condition { sql, parameters: vec![pattern.clone()], since: None };
                self.load.push(with_since(condition));
            }
            // By the marks of a run alone; what is wrong with it is told all the same.
            Which::DeleteMarked { .. } => {
                marked(plan, live, load, "")?;
            }
            Which::DeleteEqual { column, path, parent, of } => {
                let column = column_of(plan, live, load, &self.table, column)?;
                let condition = equal(plan, schema, load, (column, path), (parent, of))?;
                self.load.push(with_since(condition));
            }
            Which::DeleteReferring(parent) => {
                for key in references(plan, schema, live, load, parent)? {
                    let condition = Condition::new(referring(plan, schema, parent, key));
                    self.load.push(with_since(condition));
                }
            }
            Which::DetachReferring(parent) => {
                for key in references(plan, schema, live, load, parent)? {
                    let condition =
                        with_since(Condition::new(referring(plan, schema, parent, key)));
                    self.detach.push(Detach { columns: key.columns.clone(), condition });
                }
            }
        }
        Ok(())
    }
}

fn column_of<'t>(
    plan: &Plan,
    live: &'t Table,
    load: &LoadRows,
    table: &str,
    column: &str,
) -> Result<&'t Column, PlanError> {
    live.column(column).ok_or_else(|| {
        let known = live.columns.iter().map(|column| column.name.as_str());
        let hint = nearest::hint(column, known);
        plan.error(load.line, format!("table {table} has no column {column}{hint}"))
    })
}

/// The time that a row `t` was made at. Without a zone it is one of UTC.
fn made_at(plan: &Plan, live: &Table, load: &LoadRows, since: &str) -> Result<String, PlanError> {
    let column = column_of(plan, live, load, &load.table, since)?;
    if column.kind != Kind::Timestamp {
        let Column { name, type_name, .. } = column;
        let message = format!("{}.{name} is a {type_name}, and no time", load.table);
        return Err(plan.error(load.line, message));
    }
    let made = format!("t.{}", quoted(since));
    Ok(match column.base_type.contains("without time zone") {
        true => format!("({made} AT TIME ZONE 'UTC')"),
        false => made,
    })
}

/// Rows whose column has what the plan's rows have in theirs.
fn equal(
    plan: &Plan,
    schema: &Schema,
    load: &LoadRows,
    (column, path): (&Column, &[String]),
    (parent, of): (&str, &str),
) -> Result<Condition, PlanError> {
    let of = match schema.table(parent) {
        Some(live) => column_of(plan, live, load, parent, of)?.name.as_str(),
        None => of,
    };
    let rows = planned_of(plan, schema, parent);
    let among = format!("IN (SELECT lower(p.{}::text) {rows})", quoted(of));
    let own = quoted(&column.name);
    let sql = match (path, &column.kind) {
        // Whatever the key is called, and however deep it lies.
        ([], Kind::Json) => format!(
            "EXISTS (SELECT FROM jsonb_path_query(t.{own}::jsonb, '$.**') value
                     WHERE jsonb_typeof(value) = 'string' AND lower(value #>> '{{}}') {among})"
        ),
        ([], _) => format!("lower(t.{own}::text) {among}"),
        (path, Kind::Json) => {
            let keys = path.iter().enumerate().map(|(place, _)| {
                let arrow = if place + 1 == path.len() { "->>" } else { "->" };
                format!(" {arrow} ${}::text", place + 1)
            });
            format!("lower(t.{own}{}) {among}", keys.collect::<String>())
        }
        _ => {
            let message = format!("{}.{} is no JSON", load.table, column.name);
            return Err(plan.error(load.line, message));
        }
    };
    Ok(Condition { sql, parameters: path.to_vec(), since: None })
}

/// Rows whose marked column has what is in a list of marks, as they are compared there.
pub(super) fn marked(
    plan: &Plan,
    live: &Table,
    load: &LoadRows,
    list: &str,
) -> Result<Condition, PlanError> {
    let Which::DeleteMarked { column, path } = &load.which else {
        return Err(plan.error(load.line, "marked is missing".to_owned()));
    };
    let column = column_of(plan, live, load, &load.table, column)?;
    let own = quoted(&column.name);
    let value = match (path.as_slice(), &column.kind) {
        ([], _) => format!("t.{own}::text"),
        (path, Kind::Json) => {
            let keys = (1..=path.len()).map(|place| format!("${place}::text"));
            format!("t.{own} #>> ARRAY[{}]", keys.collect::<Vec<_>>().join(", "))
        }
        _ => {
            let message = format!("{}.{} is no JSON", load.table, column.name);
            return Err(plan.error(load.line, message));
        }
    };
    let since = load.since.as_ref().map(|since| made_at(plan, live, load, since)).transpose()?;
    let sql = format!("({value}) COLLATE \"C\" IN (SELECT mark FROM {list})");
    Ok(Condition { sql, parameters: path.clone(), since })
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
pub(super) fn told_by_uuid(rows: TableRows, schema: &Schema) -> Option<TableRows> {
    rows.with_generated_key(schema).filter(TableRows::is_by_uuid)
}

/// Rows whose key is a reference to a row with a generated uuid belong to that row; none where
/// the key is no such reference.
pub(super) fn parent_with_uuid(
    engine: &'static Engine,
    plan: &Plan,
    schema: &Schema,
    live: &Table,
) -> Result<Option<Condition>, ApplyError> {
    for key in live.foreign_keys.iter().filter(|key| key.columns == live.primary_key) {
        let parent = schema.name_of(key.parent).and_then(|name| plan.table(name));
        if let Some(parent) = parent.filter(|parent| !parent.shared)
            && told_by_uuid(engine.compile(plan, schema, &parent.name)?, schema).is_some()
        {
            return Ok(Some(Condition::new(referring(plan, schema, &parent.name, key))));
        }
    }
    Ok(None)
}

/// `(t.a, t.b) IN` the planned rows of the parent.
fn referring(plan: &Plan, schema: &Schema, parent: &str, key: &ForeignKey) -> String {
    format!(
        "({}) IN (SELECT {} {})",
        prefixed("t", key.columns.iter().map(String::as_str)),
        prefixed("p", key.parent_columns.iter().map(String::as_str)),
        planned_of(plan, schema, parent),
    )
}

/// `FROM` the planned rows `p` of a table.
fn planned_of(plan: &Plan, schema: &Schema, table: &str) -> String {
    let live = schema.table(table);
    let key = plan.table(table).zip(live).map_or(&[][..], |(table, live)| key_columns(table, live));
    format!(
        "FROM {} p WHERE {}",
        live.map_or("", |table| table.sql_name.as_str()),
        is_in("p", &List::Planned.of(table), key.iter().map(String::as_str)),
    )
}
