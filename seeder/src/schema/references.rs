//! Who refers to whom in the whole database, and what the database does by itself when rows go.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};

use super::introspect::oid;
use super::quoted;

/// A foreign key, of whatever table.
#[derive(Debug)]
pub struct Reference {
    /// The table that refers. A partition with a key of its own is one; see `child_root`.
    pub child: u32,
    pub parent: u32,
    /// The partitioned table that it is a part of, or itself.
    pub child_root: u32,
    pub parent_root: u32,
    /// What a FROM needs: rows of tables that inherit from them have no part in the key.
    pub child_sql: String,
    pub parent_sql: String,
    pub rule: DeleteRule,
    /// Whether we have the right to lock rows of the child.
    pub lockable: bool,
    /// Column, operator and column that it refers to, quoted.
    pairs: Vec<(String, String, String)>,
}

/// What becomes of a row when the one that it refers to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteRule {
    /// It stops that, at the end of the statement or of the transaction.
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl Reference {
    /// The condition that `child` refers to `parent`, by their names in the statement.
    pub fn joins(&self, child: &str, parent: &str) -> String {
        let pair = |(own, operator, other): &(String, String, String)| {
            format!("{parent}.{other} {operator} {child}.{own}")
        };
        self.pairs.iter().map(pair).collect::<Vec<_>>().join(" AND ")
    }

    /// The condition that some row refers to `parent`.
    pub fn any(&self, parent: &str) -> String {
        format!("EXISTS (SELECT FROM {} r WHERE {})", self.child_sql, self.joins("r", parent))
    }
}

impl FromRow<'_, PgRow> for Reference {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let own: Vec<String> = row.try_get("own")?;
        let operators: Vec<String> = row.try_get("operators")?;
        let other: Vec<String> = row.try_get("other")?;
        let columns = own.iter().zip(operators).zip(&other);
        Ok(Self {
            child: oid(row.try_get("child")?),
            parent: oid(row.try_get("parent")?),
            child_root: oid(row.try_get("child_root")?),
            parent_root: oid(row.try_get("parent_root")?),
            child_sql: row.try_get("child_sql")?,
            parent_sql: row.try_get("parent_sql")?,
            rule: match row.try_get("rule")? {
                "c" => DeleteRule::Cascade,
                "n" => DeleteRule::SetNull,
                "d" => DeleteRule::SetDefault,
                "r" => DeleteRule::Restrict,
                _ => DeleteRule::NoAction,
            },
            lockable: row.try_get("lockable")?,
            pairs: columns.map(|((own, by), other)| (quoted(own), by, quoted(other))).collect(),
        })
    }
}

/// All foreign keys of the database.
///
/// # Errors
/// When the database fails.
pub async fn references(connection: &mut PgConnection) -> Result<Vec<Reference>, sqlx::Error> {
    sqlx::query_as(
        "SELECT k.conrelid::bigint AS child, k.confrelid::bigint AS parent,
                coalesce(pg_partition_root(k.conrelid), k.conrelid)::oid::bigint AS child_root,
                coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid::bigint AS parent_root,
                CASE child.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END
                    || format('%I.%I', of_child.nspname, child.relname)
                    AS child_sql,
                CASE parent.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END
                    || format('%I.%I', of_parent.nspname, parent.relname)
                    AS parent_sql,
                k.confdeltype::text AS rule,
                has_table_privilege(k.conrelid, 'UPDATE') AS lockable, pairs.own, pairs.operators, pairs.other
         FROM pg_constraint k
         JOIN pg_class child ON child.oid = k.conrelid
         JOIN pg_namespace of_child ON of_child.oid = child.relnamespace
         JOIN pg_class parent ON parent.oid = k.confrelid
         JOIN pg_namespace of_parent ON of_parent.oid = parent.relnamespace
         CROSS JOIN LATERAL (
             SELECT array_agg(own.attname::text ORDER BY p.place) AS own,
                    array_agg(format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY p.place)
                        AS operators,
                    array_agg(other.attname::text ORDER BY p.place) AS other
             FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY
                  AS p (own, other, operator, place)
             JOIN pg_attribute own ON own.attrelid = k.conrelid AND own.attnum = p.own
             JOIN pg_attribute other ON other.attrelid = k.confrelid AND other.attnum = p.other
             JOIN pg_operator o ON o.oid = p.operator
             JOIN pg_namespace n ON n.oid = o.oprnamespace) pairs
         -- What partitions inherit is the parent's.
         WHERE k.contype = 'f' AND k.conparentid = 0
         ORDER BY k.conrelid::regclass::text, k.conname",
    )
    .fetch_all(connection)
    .await
}

/// A table by its id, in a plan and in SQL.
#[derive(Clone, Debug)]
pub struct TableName {
    /// As a plan would write it: with its schema where it needs one.
    pub plain: String,
    /// What a FROM needs, without the rows of tables that inherit from it.
    pub sql: String,
}

/// What these tables are called.
///
/// # Errors
/// When the database fails.
pub async fn names(
    connection: &mut PgConnection,
    tables: impl IntoIterator<Item = u32>,
) -> Result<BTreeMap<u32, TableName>, sqlx::Error> {
    let ids: Vec<i64> = tables.into_iter().map(i64::from).collect();
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT c.oid::bigint,
                CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname || '.' END || c.relname,
                CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END
                    || format('%I.%I', n.nspname, c.relname)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = ANY($1::bigint[]::oid[])",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id, plain, sql)| (oid(id), TableName { plain, sql })).collect())
}

/// Of partitions the tables that they are parts of, and of others themselves.
///
/// # Errors
/// When the database fails.
pub async fn roots(
    connection: &mut PgConnection,
    tables: impl IntoIterator<Item = u32>,
) -> Result<BTreeMap<u32, u32>, sqlx::Error> {
    let ids: Vec<i64> = tables.into_iter().map(i64::from).collect();
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT id, coalesce(pg_partition_root(id::oid), id::oid)::oid::bigint
         FROM unnest($1::bigint[]) AS id",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id, root)| (oid(id), oid(root))).collect())
}

/// The names of the triggers, by table, that run when rows of it are deleted, those aside that
/// the database made for foreign keys.
///
/// # Errors
/// When the database fails.
pub async fn delete_triggers(
    connection: &mut PgConnection,
) -> Result<BTreeMap<u32, Vec<String>>, sqlx::Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT DISTINCT coalesce(pg_partition_root(tgrelid), tgrelid)::oid::bigint, tgname::text
         FROM pg_trigger
         WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 8 <> 0
         ORDER BY 1, 2",
    )
    .fetch_all(connection)
    .await?;
    let mut triggers: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (table, name) in rows {
        triggers.entry(oid(table)).or_default().push(name);
    }
    Ok(triggers)
}

/// Columns of a table in which the database itself puts the time that a row was made at.
///
/// # Errors
/// When the database fails.
pub async fn stamped(
    connection: &mut PgConnection,
    table: u32,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT a.attname::text FROM pg_attribute a
         JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = $1::bigint::oid AND NOT a.attisdropped
           AND a.atttypid = 'timestamptz'::regtype
           AND pg_get_expr(d.adbin, d.adrelid)
               IN ('now()', 'CURRENT_TIMESTAMP', 'statement_timestamp()', 'clock_timestamp()',
                   'transaction_timestamp()')",
    )
    .bind(i64::from(table))
    .fetch_all(connection)
    .await
}
