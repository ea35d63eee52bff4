//! Whether the database that is observed is the one that the manifest is of, and still has its rows.

use std::time::{Duration, Instant};

use common::shown;
use manifest::format::{DatabaseId, Header};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::table::{Check, Row, State, few, grouped};
use crate::observe::{DatabaseError, Place, quoted_table};

/// What a manifest says of its database.
#[derive(Clone, Debug)]
pub struct Seeded {
    database: DatabaseId,
    /// Tables and their rows.
    tables: Vec<(String, u64)>,
}

impl From<&Header> for Seeded {
    fn from(header: &Header) -> Self {
        let rows = header.tables.iter().map(|table| (table.table.clone(), table.rows));
        Self { database: header.database.clone(), tables: rows.collect() }
    }
}

/// Which database is to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    pub url: &'a str,
    /// Hosts other than this machine that it may be on.
    pub allowed: &'a [String],
}

/// Rows are counted up to here; what has more is held against what the server believes it has.
const MOST_COUNTED: u64 = 100_000;

/// What the server believes may be so much off, as a share.
const BELIEF: f64 = 0.1;

/// How long a table is counted, and all of them together.
const FOR_ONE: &str = "SET statement_timeout = '1s'";
const FOR_ALL: Duration = Duration::from_secs(5);

/// So many tables are named.
const MOST_NAMED: usize = 3;

/// Characters of a name that are shown; Postgres's have 63 bytes.
const MOST_SHOWN: usize = 64;

/// What is there of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// As many as in the manifest, or more.
    Enough,
    Fewer(u64),
    Missing,
    /// They could not be counted in time, or may not be.
    Unknown,
}

/// Asks the database, where there is one to ask and a manifest to ask it about.
///
/// # Errors
/// When it may not be connected to, or cannot be.
pub(super) async fn row(
    seeded: Option<&Seeded>,
    observed: Option<Observed<'_>>,
) -> Result<Row, DatabaseError> {
    let not_asked = |says: &str| Ok(Row::new(Check::Database, State::NotAsked, says));
    let Some(Observed { url, allowed }) = observed else {
        return not_asked("nobody observes it (--database-url)");
    };
    let Some(seeded) = seeded.filter(|seeded| seeded.database != DatabaseId::unknown()) else {
        return not_asked("no manifest says which one it is to be");
    };
    let of = seeded.clone();
    let (id, found) = Place::of(url, allowed)?
        .visit(|mut connection| async move {
            let id = id(&mut connection).await?;
            let found = rows(&mut connection, &of.tables).await?;
            Ok((id, found))
        })
        .await?;
    Ok(in_words(seeded, &id, &found))
}

/// What the database calls itself; a name alone where more is not for us to know.
async fn id(connection: &mut PgConnection) -> Result<DatabaseId, sqlx::Error> {
    let whole = "SELECT system_identifier::text, current_database()::text, \
                 current_setting('server_version') FROM pg_control_system()";
    let (system_identifier, name, server_version) =
        match sqlx::query_as(whole).fetch_one(&mut *connection).await {
            Err(sqlx::Error::Database(_)) => {
                let name = "SELECT '', current_database()::text, current_setting('server_version')";
                sqlx::query_as(name).fetch_one(connection).await?
            }
            found => found?,
        };
    Ok(DatabaseId { system_identifier, name, server_version })
}

async fn rows(
    connection: &mut PgConnection,
    tables: &[(String, u64)],
) -> Result<Vec<Rows>, sqlx::Error> {
    let begun = Instant::now();
    sqlx::query(FOR_ONE).execute(&mut *connection).await?;
    let mut found = Vec::with_capacity(tables.len());
    for (table, expected) in tables {
        found.push(match begun.elapsed() {
            so_far if so_far > FOR_ALL => Rows::Unknown,
            _ => match rows_of(connection, table, *expected).await {
                Err(sqlx::Error::Database(_)) => Rows::Unknown,
                found => found?,
            },
        });
    }
    Ok(found)
}

async fn rows_of(
    connection: &mut PgConnection,
    table: &str,
    expected: u64,
) -> Result<Rows, sqlx::Error> {
    let quoted = quoted_table(table);
    // As the planner has it, since what was counted last may be long ago.
    let believed = "SELECT CASE WHEN relkind = 'r' AND relpages > 0 AND reltuples >= 0 THEN \
            reltuples::float8 / relpages \
                * (pg_relation_size(oid) / current_setting('block_size')::bigint) \
         END FROM pg_class WHERE oid = to_regclass($1)";
    let believed: Option<Option<f64>> =
        sqlx::query_scalar(believed).bind(&quoted).fetch_optional(&mut *connection).await?;
    let Some(believed) = believed else { return Ok(Rows::Missing) };
    let most = expected.min(MOST_COUNTED);
    // A name that is quoted is a name, whatever it consists of.
    let count = format!("SELECT count(*) FROM (SELECT FROM {quoted} LIMIT $1) AS counted");
    let counted: i64 = sqlx::query_scalar(AssertSqlSafe(count))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_one(connection)
        .await?;
    let counted = u64::try_from(counted).unwrap_or_default();
    let is_less = |believed: &f64| *believed < expected as f64 * (1.0 - BELIEF);
    Ok(match believed.filter(is_less) {
        _ if counted < most => Rows::Fewer(counted),
        Some(believed) if expected > MOST_COUNTED => Rows::Fewer((believed as u64).max(counted)),
        _ => Rows::Enough,
    })
}

fn in_words(Seeded { database, tables }: &Seeded, id: &DatabaseId, found: &[Rows]) -> Row {
    let is_known = !id.system_identifier.is_empty();
    let is_same = if is_known { database.is_same(id) } else { database.name == id.name };
    // A server may say anything.
    let name = shown::shortened(&id.name, MOST_SHOWN);
    let other = (!is_same).then(|| match database.name == id.name {
        true => format!("{name} of another server than the manifest's"),
        false => format!("{name}, and the manifest is of {}", database.name),
    });
    let missed = tables.iter().zip(found).filter_map(|((table, expected), found)| {
        let expected = grouped(*expected);
        match found {
            Rows::Missing => Some(format!("{table} is not there, {expected} rows in the manifest")),
            Rows::Fewer(rows) => {
                let rows = grouped(*rows);
                Some(format!("{table} has {rows} rows, {expected} in the manifest"))
            }
            Rows::Enough | Rows::Unknown => None,
        }
    });
    let missed: Vec<String> = missed.collect();
    let unknown = found.iter().filter(|rows| **rows == Rows::Unknown).count();
    let uncounted = (unknown > 0).then(|| format!("{unknown} tables could not be counted"));
    let is_good = is_same && missed.is_empty();
    let rows = (!missed.is_empty()).then(|| few(missed, MOST_NAMED, "; "));
    if is_good {
        let all = format!("{}, that of the manifest, with its rows", database.name);
        let parts = [Some(all), uncounted].into_iter().flatten().collect::<Vec<_>>();
        return Row::new(Check::Database, State::Good, parts.join("; "));
    }
    let parts = [other, rows, uncounted].into_iter().flatten().collect::<Vec<_>>();
    Row::new(Check::Database, State::Warning, parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(system_identifier: &str, name: &str) -> DatabaseId {
        DatabaseId {
            system_identifier: system_identifier.into(),
            name: name.into(),
            server_version: "17".into(),
        }
    }

    #[test]
    fn what_is_not_as_in_the_manifest_is_said_with_both_counts() {
        let tables = ["a", "b", "c"].map(|table| (table.to_owned(), 1500)).to_vec();
        let seeded = Seeded { database: id("1", "app"), tables };
        let good = in_words(&seeded, &id("1", "app"), &[Rows::Enough; 3]);
        assert_eq!(
            (good.state, good.says.as_str()),
            (State::Good, "app, that of the manifest, with its rows")
        );
        let nameless =
            in_words(&seeded, &id("", "app"), &[Rows::Unknown, Rows::Enough, Rows::Enough]);
        assert_eq!(nameless.state, State::Good);
        assert!(nameless.says.ends_with("; 1 tables could not be counted"), "{nameless:?}");
        let fewer =
            in_words(&seeded, &id("2", "app"), &[Rows::Fewer(1200), Rows::Missing, Rows::Enough]);
        assert_eq!(fewer.state, State::Warning);
        assert_eq!(
            fewer.says,
            "app of another server than the manifest's; a has 1,200 rows, 1,500 in the manifest; \
             b is not there, 1,500 rows in the manifest"
        );
        let other = in_words(&seeded, &id("1", "shop"), &[Rows::Enough; 3]);
        assert_eq!(
            (other.state, other.says.as_str()),
            (State::Warning, "shop, and the manifest is of app")
        );
    }
}
