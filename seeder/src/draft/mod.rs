//! `plan draft`: a plan from a live schema, ready to run as it is.

mod check;
mod column;
mod facts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::apply::ApplyError;
use crate::database::{Database, DatabaseError, identify};
use crate::schema::{self, Column, FilledBy, ForeignKey, Kind, Schema, SchemaError, Table};
use check::Limits;
use column::{Wanted, expression};
use facts::Facts;

/// Rows per table, unless another number is asked for.
pub const ROWS: u64 = 100;

/// Writes a plan for all tables of a database, or for the ones named.
///
/// # Errors
/// When the database cannot be reached or has no such tables.
pub async fn draft(database: &Database, only: &[String], rows: u64) -> Result<String, ApplyError> {
    let mut connection = database.connect().await?;
    let id = identify(&mut connection).await?;
    let failed = || DatabaseError::while_doing("reading the schema");
    let names = match only {
        [] => facts::tables(&mut connection).await.map_err(failed())?,
        only => only.to_vec(),
    };
    if names.is_empty() {
        return Err(SchemaError::Empty { place: database.place().to_owned() }.into());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let schema = schema::introspect(&mut connection, &names).await?;
    let mut all = BTreeMap::new();
    for (name, table) in schema.tables() {
        all.insert(name, facts::facts(&mut connection, table.oid).await.map_err(failed())?);
    }
    let order = schema::load_order(&schema, &names)?;
    let mut plan = format!(
        "# Drafted by seeder from the schema of database {}. A string is an expression:\n\
         # see seeder/src/generate/mod.rs; columns that the database fills are left out.\n\n\
         name = {}\nseed = 42\nepoch = 2026-01-01T00:00:00Z\n",
        id.name,
        quoted(&id.name)
    );
    for name in order.tables {
        let (Some(table), Some(facts)) = (schema.table(name), all.get(name)) else { continue };
        Draft { schema: &schema, name, table, facts }.write(rows, &mut plan);
    }
    Ok(plan)
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

struct Draft<'a> {
    schema: &'a Schema,
    name: &'a str,
    table: &'a Table,
    facts: &'a Facts,
}

impl Draft<'_> {
    fn write(&self, rows: u64, plan: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(plan, "\n[[table]]\nname = {}\nrows = {rows}\n", quoted(self.name));
        if self.table.primary_key.is_empty()
            && let Some(unique) = self.facts.unique.first()
        {
            let names: Vec<String> = unique.iter().map(|name| quoted(name)).collect();
            let _ = writeln!(plan, "key = [{}]", names.join(", "));
        }
        let mut lines = String::new();
        for column in &self.table.columns {
            self.column(column, &mut lines);
        }
        if !lines.is_empty() {
            let _ = write!(plan, "\n[table.columns]\n{lines}");
        }
    }

    fn column(&self, column: &Column, lines: &mut String) {
        let in_key = self.table.primary_key.contains(&column.name);
        let made = self.table.primary_key == [column.name.as_str()]
            && matches!(column.kind, Kind::Uuid | Kind::Integer { .. })
            && self.table.reference(&column.name).is_none();
        let partitioned = self.facts.partitions.contains_key(&column.name);
        if made && !partitioned || column.filled_by == FilledBy::Database {
            return;
        }
        let reference = self.reference(column);
        let left_out = column.filled_by == FilledBy::Default && !in_key && !partitioned;
        if left_out && reference.is_none() {
            return;
        }
        let name = match toml_edit_key(&column.name) {
            true => column.name.clone(),
            false => quoted(&column.name),
        };
        let expression = reference.or_else(|| {
            expression(&Wanted {
                table: self.name,
                column,
                unique: self.varies_alone(column),
                limits: Limits::of(self.facts.checks.get(&column.name).map_or(&[], Vec::as_slice)),
                partitions: self.facts.partitions.get(&column.name).map_or(&[], Vec::as_slice),
            })
        });
        let _ = match expression {
            Some(expression) => writeln!(lines, "{name} = {}", quoted(&expression)),
            None if column.not_null => {
                writeln!(lines, "# {name} = \"…\" # {}: must have a value", column.type_name)
            }
            None => Ok(()),
        };
    }

    /// Whether this column is the one that makes the rows of a unique set differ:
    /// the first that is no reference, has room for it, and no partition of its own.
    fn varies_alone(&self, column: &Column) -> bool {
        self.facts.unique.iter().any(|unique| {
            let free = |name: &&String| {
                let has_room = self.table.column(name).is_some_and(|column| {
                    !matches!(column.kind, Kind::Boolean | Kind::Enum { .. })
                });
                has_room
                    && !self.facts.partitions.contains_key(*name)
                    && self.keys_of(name).next().is_none()
            };
            unique.iter().find(free) == Some(&column.name)
        })
    }

    fn keys_of(&self, column: &str) -> impl Iterator<Item = &ForeignKey> {
        let column = column.to_owned();
        self.table.foreign_keys.iter().filter(move |key| key.columns.contains(&column))
    }

    /// The expression of a column that refers to another table's row.
    fn reference(&self, column: &Column) -> Option<String> {
        // Of several keys the one with the most columns: the others' columns
        // are as the row has them that it names.
        let key = self.keys_of(&column.name).max_by_key(|key| key.columns.len())?;
        let Some(parent) = self.schema.name_of(key.parent) else {
            return (!column.not_null).then(|| "none".to_owned());
        };
        let live = self.schema.table(parent)?;
        let place = key.columns.iter().position(|name| *name == column.name)?;
        let referred = &key.parent_columns[place];
        // Another key of several columns has another idea of what it should be.
        let crossing = self.table.foreign_keys.iter().any(|other| {
            !std::ptr::eq(other, key)
                && other.columns.len() > 1
                && other.columns.iter().any(|name| key.columns.contains(name))
        });
        if crossing && !column.not_null {
            return Some("none".to_owned());
        }
        let to = literal_name(parent);
        let whole = live.primary_key == [referred.as_str()];
        let of = if whole { String::new() } else { format!(", column='{referred}'") };
        if key.parent == self.table.oid {
            // A tree: the first row is its root.
            let above = format!("ref({to}, n // 2{of})");
            return Some(if column.not_null {
                format!("ref({to}, [n // 2, 1] | max{of})")
            } else {
                format!("{above} if n > 1 else none")
            });
        }
        let distinct = self.facts.unique.iter().any(|unique: &BTreeSet<String>| {
            // All the columns of the set refer to something: each takes its turn.
            unique.contains(&column.name)
                && unique.iter().all(|name| self.keys_of(name).next().is_some())
        });
        Some(if distinct { format!("ref({to}, n{of})") } else { format!("ref({to}{of})") })
    }
}

fn literal_name(table: &str) -> String {
    crate::rows::literal(table)
}

/// Whether a key needs no quotes.
fn toml_edit_key(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}
