//! Keys of rows: from the plan's name, the table and the row, and nothing else.

use std::collections::BTreeMap;

use minijinja::Value;
use uuid::Uuid;

use crate::plan::{self, Plan};
use crate::schema::{FilledBy, Kind, Schema, Table};

/// The namespace of all ids that any seeder makes.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f2a_91d4_3c5b_4e0f_9a77_1d0c_52b8_e6a3);

/// The keys of the tables whose key the seeder makes.
#[derive(Debug)]
pub(super) struct Keys {
    plan: Uuid,
    tables: BTreeMap<String, KeyKind>,
}

/// How the key of a table's rows is made.
#[derive(Debug)]
enum KeyKind {
    Uuid,
    /// From `first` on, the groups in turn: the same numbers at any scale.
    Integer {
        first: i64,
        groups: Vec<String>,
    },
}

impl Keys {
    pub(super) fn new(plan: &Plan, schema: &Schema) -> Self {
        let namespace = Uuid::new_v5(&NAMESPACE, plan.name.as_bytes());
        let tables = plan.tables.iter().filter_map(|table| {
            let live = schema.table(&table.name)?;
            let column = generated_key(table, live)?;
            let kind = match live.column(column)?.kind {
                Kind::Integer { max, .. } => KeyKind::Integer {
                    first: first_integer(namespace, &table.name, max),
                    groups: table.groups.iter().map(|group| group.name.clone()).collect(),
                },
                _ => KeyKind::Uuid,
            };
            Some((table.name.clone(), kind))
        });
        Self { plan: namespace, tables: tables.collect() }
    }

    /// The key of row `n`, from 1, of a group; none where the seeder makes none.
    pub(super) fn of(&self, table: &str, group: &str, n: u64) -> Option<Value> {
        Some(match self.tables.get(table)? {
            KeyKind::Uuid => {
                let name = format!("{table}/{group}/{n}");
                let id = Uuid::new_v5(&self.plan, name.as_bytes());
                Value::from(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) as &str)
            }
            KeyKind::Integer { first, groups } => {
                let group = groups.iter().position(|known| known == group)?;
                let place = (n - 1) * groups.len() as u64 + group as u64;
                Value::from(first.saturating_add_unsigned(place))
            }
        })
    }
}

/// Far from where sequences begin, and a million rows (a thousand million where
/// the type has room) away from those of most other plans.
fn first_integer(plan: Uuid, table: &str, max: i64) -> i64 {
    let hash = Uuid::new_v5(&plan, table.as_bytes()).as_u128();
    let thousand = i64::try_from(hash % 1000).unwrap_or_default();
    if max > i64::from(i32::MAX) {
        // Exact as a double, too, which is all that JavaScript has.
        (1_000_000 + thousand) * 1_000_000_000
    } else if max > i64::from(i16::MAX) {
        1_000_000_000 + thousand * 1_000_000
    } else {
        10_000
    }
}

/// The columns that tell a table's rows apart: those that the plan names, else the primary key.
pub(crate) fn key_columns<'t>(planned: &'t plan::Table, live: &'t Table) -> &'t [String] {
    planned.key.as_deref().unwrap_or(&live.primary_key)
}

/// The key column whose value the seeder makes: a uuid or a whole number alone,
/// that is no reference to another table's row and that the plan leaves out.
pub(crate) fn generated_key<'t>(planned: &plan::Table, live: &'t Table) -> Option<&'t str> {
    let [name] = live.primary_key.as_slice() else { return None };
    let column = live.column(name)?;
    // Where other columns tell the rows apart, a sequence may go on numbering them.
    let numbered_by_database = planned.key.as_ref().is_some_and(|key| *key != live.primary_key)
        && column.filled_by == FilledBy::Default;
    let can_be_made = match column.kind {
        Kind::Uuid => true,
        Kind::Integer { .. } => !numbered_by_database,
        _ => false,
    };
    let free = can_be_made
        && column.filled_by != FilledBy::Database
        && live.reference(name).is_none()
        && planned.groups.iter().all(|group| !group.columns.contains_key(name));
    free.then_some(name)
}
