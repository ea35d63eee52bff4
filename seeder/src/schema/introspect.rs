//! Reading the catalog.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};

use super::{Column, FilledBy, ForeignKey, Kind, Schema, Table, quoted};
use crate::database::SqlError;
use common::nearest;

#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "the database has none of the tables {}; the target's migrations make them: start the target on this database first",
        tables.join(", ")
    )]
    NoTables { tables: Vec<String> },
    #[error("the database has no table {table}{hint}")]
    NoTable { table: String, hint: String },
    #[error("there are no tables at {place}")]
    Empty { place: String },
    #[error("cannot read the schema")]
    Sql(#[from] SqlError),
}

impl From<sqlx::Error> for SchemaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error.into())
    }
}

/// Reads what the catalog says of the named tables.
///
/// # Errors
/// When one of them is missing, or the database fails.
pub async fn introspect(
    connection: &mut PgConnection,
    names: &[&str],
) -> Result<Schema, SchemaError> {
    let found = table_ids(connection, names).await?;
    let missing: Vec<String> = names
        .iter()
        .filter(|name| !found.iter().any(|(known, ..)| known == *name))
        .map(|name| (*name).to_owned())
        .collect();
    if let Some(table) = missing.first().cloned() {
        if found.is_empty() {
            return Err(SchemaError::NoTables { tables: missing });
        }
        let known = visible_tables(connection).await?;
        let hint = nearest::hint(&table, known.iter().map(String::as_str));
        return Err(SchemaError::NoTable { table, hint });
    }
    let ids: Vec<i64> = found.iter().map(|(_, id, ..)| *id).collect();
    let mut columns = columns(connection, &ids).await?;
    let mut primary_keys = primary_keys(connection, &ids).await?;
    let mut foreign_keys = foreign_keys(connection, &ids).await?;
    let tables = found.into_iter().map(|(name, id, schema, relation)| {
        let table = Table {
            oid: oid(id),
            sql_name: format!("{}.{}", quoted(&schema), quoted(&relation)),
            columns: columns.remove(&id).unwrap_or_default(),
            primary_key: primary_keys.remove(&id).unwrap_or_default(),
            foreign_keys: foreign_keys.remove(&id).unwrap_or_default(),
        };
        (name, table)
    });
    Ok(Schema { tables: tables.collect() })
}

/// Ids travel as bigint: the driver has no unsigned integers.
pub(super) fn oid(id: i64) -> u32 {
    u32::try_from(id).unwrap_or_default()
}

/// Name as asked, id, schema and relation of those that there are.
async fn table_ids(
    connection: &mut PgConnection,
    names: &[&str],
) -> Result<Vec<(String, i64, String, String)>, sqlx::Error> {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| name.split('.').map(quoted).collect::<Vec<_>>().join("."))
        .collect();
    sqlx::query_as(
        "SELECT wanted.name, c.oid::bigint, n.nspname::text, c.relname::text
         FROM unnest($1::text[], $2::text[]) AS wanted (name, quoted)
         JOIN pg_class c ON c.oid = to_regclass(wanted.quoted)
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p')",
    )
    .bind(names)
    .bind(quoted)
    .fetch_all(connection)
    .await
}

/// The id of the table with this name, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn table_id(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<u32>, sqlx::Error> {
    let found = table_ids(connection, &[name]).await?;
    Ok(found.first().map(|(_, id, ..)| oid(*id)))
}

async fn visible_tables(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)
           AND relnamespace <> 'pg_catalog'::regnamespace",
    )
    .fetch_all(connection)
    .await
}

async fn columns(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<Column>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT a.attrelid::bigint AS table_id, a.attname::text AS name,
                format_type(a.atttypid, a.atttypmod) AS type_name,
                format_type(base.oid, own.modifier) AS base_type,
                a.attnotnull OR own.not_null AS not_null,
                a.atthasdef AND a.attgenerated = '' OR own.has_default AS has_default,
                a.attidentity::text AS identity, a.attgenerated <> '' AS generated,
                item.typname::text AS base, base.typcategory = 'A' AS is_array,
                CASE WHEN item.typname IN ('varchar', 'bpchar')
                     THEN nullif(greatest(own.modifier, of_item.modifier), -1) - 4 END AS length,
                ARRAY(SELECT e.enumlabel::text FROM pg_enum e
                      WHERE e.enumtypid = item.oid ORDER BY e.enumsortorder) AS labels
         FROM pg_attribute a
         CROSS JOIN LATERAL (
             -- A domain may be of a domain: what any of them says holds.
             WITH RECURSIVE chain AS (
                 SELECT t.*, greatest(a.atttypmod, t.typtypmod) AS modifier
                 FROM pg_type t WHERE t.oid = a.atttypid
                 UNION ALL
                 SELECT t.*, greatest(chain.modifier, t.typtypmod)
                 FROM chain JOIN pg_type t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd')
             SELECT max(oid) FILTER (WHERE typtype <> 'd') AS base, max(modifier) AS modifier,
                    bool_or(typnotnull) AS not_null, bool_or(typdefault IS NOT NULL) AS has_default
             FROM chain) own
         JOIN pg_type base ON base.oid = own.base
         CROSS JOIN LATERAL (
             WITH RECURSIVE chain AS (
                 SELECT t.*, t.typtypmod AS modifier FROM pg_type t
                 WHERE t.oid = CASE WHEN base.typcategory = 'A' THEN base.typelem ELSE base.oid END
                 UNION ALL
                 SELECT t.*, greatest(chain.modifier, t.typtypmod)
                 FROM chain JOIN pg_type t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd')
             SELECT max(oid) FILTER (WHERE typtype <> 'd') AS item, max(modifier) AS modifier
             FROM chain) of_item
         JOIN pg_type item ON item.oid = of_item.item
         WHERE a.attrelid = ANY($1::bigint[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attrelid, a.attnum",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let mut columns: BTreeMap<i64, Vec<Column>> = BTreeMap::new();
    for row in rows {
        columns.entry(row.try_get("table_id")?).or_default().push(Column::from_row(&row)?);
    }
    Ok(columns)
}

impl FromRow<'_, PgRow> for Column {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let item = kind(row.try_get("base")?, row.try_get("length")?, row.try_get("labels")?);
        // `a` always, `d` by default, empty where it is none.
        let identity: &str = row.try_get("identity")?;
        Ok(Self {
            kind: if row.try_get("is_array")? { Kind::Array(Box::new(item)) } else { item },
            // COPY may fill an identity, even one that is always generated.
            filled_by: if row.try_get("generated")? {
                FilledBy::Database
            } else if row.try_get("has_default")? || !identity.is_empty() {
                FilledBy::Default
            } else {
                FilledBy::Nobody
            },
            name: row.try_get("name")?,
            type_name: row.try_get("type_name")?,
            base_type: row.try_get("base_type")?,
            not_null: row.try_get("not_null")?,
        })
    }
}

/// By the name of the base type, of the items where it is an array, and the n of a `varchar(n)`.
fn kind(base: &str, length: Option<i32>, labels: Vec<String>) -> Kind {
    if !labels.is_empty() {
        return Kind::Enum { labels };
    }
    match base {
        "bool" => Kind::Boolean,
        "int2" => Kind::Integer { min: i16::MIN.into(), max: i16::MAX.into() },
        "int4" => Kind::Integer { min: i32::MIN.into(), max: i32::MAX.into() },
        "int8" => Kind::Integer { min: i64::MIN, max: i64::MAX },
        "float4" | "float8" | "numeric" => Kind::Number,
        "text" | "varchar" | "bpchar" => {
            Kind::Text { max: length.and_then(|length| usize::try_from(length).ok()) }
        }
        "uuid" => Kind::Uuid,
        "json" | "jsonb" => Kind::Json,
        "timestamp" | "timestamptz" => Kind::Timestamp,
        "date" => Kind::Date,
        _ => Kind::Other,
    }
}

async fn primary_keys(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<String>>, sqlx::Error> {
    let rows: Vec<(i64, Vec<String>)> = sqlx::query_as(
        "SELECT conrelid::bigint,
                ARRAY(SELECT a.attname::text FROM unnest(conkey) WITH ORDINALITY AS k (number, place)
                      JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.number
                      ORDER BY k.place)
         FROM pg_constraint WHERE contype = 'p' AND conrelid = ANY($1::bigint[]::oid[])",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect())
}

async fn foreign_keys(
    connection: &mut PgConnection,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<ForeignKey>>, sqlx::Error> {
    type Row = (i64, i64, Vec<String>, Vec<String>, bool);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT conrelid::bigint, confrelid::bigint,
                ARRAY(SELECT a.attname::text FROM unnest(conkey) WITH ORDINALITY AS k (number, place)
                      JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.number
                      ORDER BY k.place),
                ARRAY(SELECT a.attname::text FROM unnest(confkey) WITH ORDINALITY AS k (number, place)
                      JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.number
                      ORDER BY k.place),
                condeferrable
         FROM pg_constraint
         -- What partitions inherit is the parent's.
         WHERE contype = 'f' AND conparentid = 0 AND conrelid = ANY($1::bigint[]::oid[])
         ORDER BY conname",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let mut keys: BTreeMap<i64, Vec<ForeignKey>> = BTreeMap::new();
    for (table, parent, columns, parent_columns, deferrable) in rows {
        let key = ForeignKey { columns, parent: oid(parent), parent_columns, deferrable };
        keys.entry(table).or_default().push(key);
    }
    Ok(keys)
}
