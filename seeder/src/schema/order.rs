//! Parents before children.

use std::collections::{BTreeMap, BTreeSet};

use super::{ForeignKey, Schema, Table};

#[derive(Debug, thiserror::Error)]
#[error(
    "the tables {} refer to each other in a circle, and none can be loaded first; make one of these foreign keys deferrable or one of their columns nullable",
    tables.join(", ")
)]
pub struct CycleError {
    pub tables: Vec<String>,
}

/// In which order tables are loaded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoadOrder<'a> {
    pub tables: Vec<&'a str>,
    /// Columns, by table, that are filled once all rows are there: they refer
    /// to rows that come later.
    pub later: BTreeMap<&'a str, BTreeSet<String>>,
}

/// The tables so that every foreign key refers to an earlier one, waits for the
/// end of the transaction, or has a column that is filled later; where that
/// leaves a choice, in the order given.
///
/// # Errors
/// When tables refer to each other in a circle that nothing can open.
pub fn load_order<'a>(schema: &Schema, names: &[&'a str]) -> Result<LoadOrder<'a>, CycleError> {
    let mut waiting: Vec<&str> = names.to_vec();
    let mut order = LoadOrder::default();
    while !waiting.is_empty() {
        let free = waiting.iter().position(|name| blocking(schema, name, &waiting).is_empty());
        let next = match free {
            Some(free) => waiting.remove(free),
            None => {
                let opened = waiting.iter().position(|name| can_open(schema, name, &waiting));
                let opened = opened.ok_or_else(|| CycleError {
                    tables: waiting.iter().map(ToString::to_string).collect(),
                })?;
                let name = waiting[opened];
                for (table, key) in blocking(schema, name, &waiting) {
                    let columns = table.can_wait(key).into_iter().map(str::to_owned);
                    order.later.entry(name).or_default().extend(columns);
                }
                waiting.remove(opened)
            }
        };
        // Rows of one table may refer to each other, whatever statement brings them.
        let itself = schema.table(next).into_iter().flat_map(|table| {
            let own = table.foreign_keys.iter().filter(|key| key.parent == table.oid);
            own.filter(|key| !key.deferrable).map(|key| table.can_wait(key))
        });
        let own: BTreeSet<String> = itself.flatten().map(str::to_owned).collect();
        if !own.is_empty() {
            order.later.entry(next).or_default().extend(own);
        }
        order.tables.push(next);
    }
    Ok(order)
}

/// The foreign keys of a table to others that still wait.
fn blocking<'s>(
    schema: &'s Schema,
    name: &str,
    waiting: &[&str],
) -> Vec<(&'s Table, &'s ForeignKey)> {
    let Some(table) = schema.table(name) else { return Vec::new() };
    let keys = table.foreign_keys.iter().filter(|key| {
        key.parent != table.oid
            && !key.deferrable
            && schema.name_of(key.parent).is_some_and(|parent| waiting.contains(&parent))
    });
    keys.map(|key| (table, key)).collect()
}

fn can_open(schema: &Schema, name: &str, waiting: &[&str]) -> bool {
    blocking(schema, name, waiting).iter().all(|(table, key)| !table.can_wait(key).is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::{Column, FilledBy, ForeignKey, Kind, Table};
    use super::*;

    /// Of each table the tables that it refers to: `?` by a column that may be
    /// null, `!` by a key that may be deferred.
    fn schema(references: &[(&str, &[&str])]) -> Schema {
        let oid = |name: &str| {
            u32::try_from(references.iter().position(|(table, _)| *table == name).unwrap()).unwrap()
        };
        let tables = references.iter().map(|(name, parents)| {
            let column = |parent: &&str| Column {
                name: format!("to_{}", parent.trim_end_matches(['?', '!'])),
                type_name: String::new(),
                base_type: String::new(),
                kind: Kind::Uuid,
                not_null: !parent.ends_with('?'),
                filled_by: FilledBy::Nobody,
            };
            let foreign_keys = parents.iter().map(|parent| ForeignKey {
                columns: vec![column(parent).name],
                parent: oid(parent.trim_end_matches(['?', '!'])),
                parent_columns: vec![],
                deferrable: parent.ends_with('!'),
            });
            let table = Table {
                oid: oid(name),
                sql_name: String::new(),
                columns: parents.iter().map(column).collect(),
                primary_key: vec![],
                foreign_keys: foreign_keys.collect(),
            };
            ((*name).to_owned(), table)
        });
        Schema::of(tables)
    }

    #[test]
    fn parents_come_first_and_the_rest_keeps_its_order() {
        let schema = schema(&[("b", &["c", "b"]), ("a", &[]), ("c", &["d"]), ("d", &[])]);
        let order = load_order(&schema, &["b", "a", "c", "d"]).unwrap();
        assert_eq!(order.tables, ["a", "d", "c", "b"]);
        assert!(order.later.is_empty());
    }

    #[test]
    fn a_circle_that_nothing_opens_is_told_with_its_tables() {
        let schema = schema(&[("a", &["b"]), ("b", &["a"]), ("c", &[])]);
        let error = load_order(&schema, &["a", "b", "c"]).unwrap_err();
        assert_eq!(error.tables, ["a", "b"]);
    }

    #[test]
    fn a_circle_opens_where_a_column_may_be_null_or_a_key_deferred() {
        let by_null = schema(&[("a", &["b"]), ("b", &["a?", "c"]), ("c", &["b?"])]);
        let order = load_order(&by_null, &["a", "b", "c"]).unwrap();
        assert_eq!(order.tables, ["c", "b", "a"]);
        let columns = |table| order.later[table].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!((columns("c"), columns("b")), (vec!["to_b"], vec!["to_a"]));

        let by_deferring = schema(&[("a", &["b!"]), ("b", &["a"])]);
        let order = load_order(&by_deferring, &["b", "a"]).unwrap();
        assert_eq!((order.tables.as_slice(), order.later.len()), (&["a", "b"][..], 0));
    }
}
