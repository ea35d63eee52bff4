//! What the catalog has beyond what `apply` needs: unique and check
//! constraints, and which values the partitions of a table take.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::check::Limits;
use crate::schema::{FilledBy, Kind, Table, quoted};

/// All ordinary and partitioned tables, partitions themselves aside, by the
/// names that a plan has for them.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text
                     ELSE n.nspname || '.' || c.relname END
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
           AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
         ORDER BY 1",
    )
    .fetch_all(connection)
    .await
}

/// Of one table.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Sets of columns that are unique, the primary key among them; first those of columns as
    /// they are, then those of expressions.
    pub(super) unique: Vec<BTreeSet<String>>,
    /// How many of these are of columns as they are.
    pub(super) plain: usize,
    /// Sets of columns that one condition is about.
    pub(super) together: Vec<BTreeSet<String>>,
    pub(super) comments: BTreeMap<String, String>,
    /// Conditions on a column by its own type or by the table, as the catalog
    /// writes them; a column of a domain is `VALUE`.
    pub(super) checks: BTreeMap<String, Vec<String>>,
    /// Literals that a partition takes; where there is a default partition, none.
    pub(super) partitions: BTreeMap<String, Vec<String>>,
}

impl Facts {
    /// Whether a unique set has one value alone by the table's own conditions.
    pub(super) fn has_one_row(&self, table: &Table) -> bool {
        let is_fixed = |column: &String| {
            let checks = self.checks.get(column).map_or(&[][..], Vec::as_slice);
            // `lock char(1) DEFAULT 'X' UNIQUE`: there is no room for another.
            let is_lock = table.column(column).is_some_and(|column| {
                column.filled_by == FilledBy::Default
                    && matches!(column.kind, Kind::Boolean | Kind::Text { max: Some(1) })
            });
            is_lock
                || Limits::of(checks).one_of.len() == 1
                || checks.iter().any(|check| is_true(check))
        };
        self.unique.iter().any(|set| !set.is_empty() && set.iter().all(is_fixed))
    }
}

/// `CHECK (lock)`, of a boolean.
fn is_true(check: &str) -> bool {
    ["CHECK (VALUE)", "CHECK ((VALUE))", "CHECK ((VALUE = true))"].contains(&check)
}

pub(super) async fn facts(connection: &mut PgConnection, table: u32) -> Result<Facts, sqlx::Error> {
    let oid = i64::from(table);
    let unique: Vec<(Vec<String>, bool)> = sqlx::query_as(
        "SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = i.indrelid AND (a.attnum = ANY(i.indkey)
                          -- Of expressions, and of what says which rows are meant.
                          OR i.indexprs IS NOT NULL AND EXISTS (
                              SELECT FROM pg_depend d
                              WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))),
                i.indexprs IS NULL
         FROM pg_index i WHERE i.indisunique AND i.indrelid = $1::bigint::oid
         ORDER BY i.indexprs IS NOT NULL, NOT i.indisprimary, i.indexrelid",
    )
    .bind(oid)
    .fetch_all(&mut *connection)
    .await?;
    let together: Vec<(Vec<String>,)> = sqlx::query_as(
        "SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey))
         FROM pg_constraint c
         WHERE c.contype IN ('c', 'x') AND c.conrelid = $1::bigint::oid
           AND array_length(c.conkey, 1) > 1",
    )
    .bind(oid)
    .fetch_all(&mut *connection)
    .await?;
    let comments: Vec<(String, String)> = sqlx::query_as(
        "SELECT a.attname::text, col_description(a.attrelid, a.attnum)
         FROM pg_attribute a
         WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0
           AND col_description(a.attrelid, a.attnum) IS NOT NULL",
    )
    .bind(oid)
    .fetch_all(&mut *connection)
    .await?;
    let checks: Vec<(String, String)> = sqlx::query_as(
        "SELECT a.attname::text, pg_get_constraintdef(c.oid)
         FROM pg_constraint c
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
         WHERE c.contype = 'c' AND c.conrelid = $1::bigint::oid
         UNION ALL
         (WITH RECURSIVE chain AS (
              SELECT a.attname::text AS name, t.oid, t.typbasetype
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
              WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND t.typtype = 'd'
              UNION ALL
              SELECT chain.name, t.oid, t.typbasetype
              FROM chain JOIN pg_type t ON t.oid = chain.typbasetype WHERE t.typtype = 'd')
          SELECT chain.name, pg_get_constraintdef(c.oid)
          FROM chain JOIN pg_constraint c ON c.contypid = chain.oid)",
    )
    .bind(oid)
    .fetch_all(&mut *connection)
    .await?;
    let mut facts = Facts {
        plain: unique.iter().filter(|(_, plain)| *plain).count(),
        unique: unique.into_iter().map(|(columns, _)| columns.into_iter().collect()).collect(),
        together: together.into_iter().map(|(columns,)| columns.into_iter().collect()).collect(),
        comments: comments.into_iter().collect(),
        ..Facts::default()
    };
    for (column, check) in checks {
        // As the domain's own value, so that both are parsed alike.
        let check = check.replace(&quoted(&column), "VALUE");
        let check = replace_word(&check, &column, "VALUE");
        facts.checks.entry(column).or_default().push(check);
    }
    facts.partitions = partitions(connection, oid).await?;
    Ok(facts)
}

/// Replaces a name where it is a word of its own.
fn replace_word(text: &str, name: &str, by: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let alone = !before.ends_with(is_part) && !after.starts_with(is_part);
        replaced.push_str(before);
        replaced.push_str(if alone { by } else { name });
        rest = after;
    }
    replaced + rest
}

/// Of a table that is partitioned by a column: the values where ranges begin,
/// or those of lists.
async fn partitions(
    connection: &mut PgConnection,
    table: i64,
) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let bounds: Vec<(String, String)> = sqlx::query_as(
        "WITH RECURSIVE tree AS (
             SELECT $1::bigint::oid AS oid
             UNION ALL
             SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
         SELECT a.attname::text, pg_get_expr(c.relpartbound, c.oid)
         FROM tree JOIN pg_partitioned_table p ON p.partrelid = tree.oid
         JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
         JOIN pg_inherits i ON i.inhparent = p.partrelid
         JOIN pg_class c ON c.oid = i.inhrelid
         WHERE p.partstrat IN ('r', 'l') ORDER BY c.relname",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let mut partitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut open: BTreeSet<String> = BTreeSet::new();
    for (column, bound) in bounds {
        if bound == "DEFAULT" {
            open.insert(column);
            continue;
        }
        let from =
            bound.strip_prefix("FOR VALUES FROM (").or(bound.strip_prefix("FOR VALUES IN ("));
        let list = from.and_then(|rest| rest.split_once(')')).map_or("", |(list, _)| list);
        let literals = partitions.entry(column).or_default();
        let first = list.split(", ").take(if bound.contains(" FROM ") { 1 } else { usize::MAX });
        literals.extend(
            first
                .map(|literal| literal.trim_matches('\'').replace("''", "'"))
                .filter(|literal| !["MINVALUE", "NULL", ""].contains(&literal.as_str())),
        );
    }
    partitions.retain(|column, literals| !open.contains(column) && !literals.is_empty());
    Ok(partitions)
}
