//! The rows that are to go, of all tables, in one temporary table: the plan's, the load's, and
//! those that go with them.
//!
//! They are locked as they are found. Nobody else can change them from then on, nor refer to
//! them anew, so that what is counted here is what is removed.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgConnection};

use super::send::execute;
use crate::schema::{DeleteRule, Reference, TableName};

/// Why a row is to go. The letter is what stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Plan,
    Load,
    Others,
}

impl Whose {
    const ALL: [Self; 3] = [Self::Plan, Self::Load, Self::Others];

    const fn letter(self) -> &'static str {
        match self {
            Self::Plan => "p",
            Self::Load => "l",
            Self::Others => "o",
        }
    }
}

/// Rows by table and by whose they are. Those of partitions count as their table's.
pub(super) type Counts = BTreeMap<(u32, Whose), u64>;

const TABLE: &str = "pg_temp.\"seeder doomed\"";

pub(super) async fn create(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let create = format!(
        "CREATE TABLE {TABLE} (relation oid, place tid, whose text, round int,
                               PRIMARY KEY (relation, place))"
    );
    execute(connection, &create, &[]).await?;
    Ok(())
}

pub(super) async fn discard(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    execute(connection, &format!("DROP TABLE {TABLE}"), &[]).await?;
    Ok(())
}

/// Adds the rows `t` of a table that the condition is true of.
pub(super) async fn add(
    connection: &mut PgConnection,
    whose: Whose,
    table: &str,
    condition: &str,
    parameters: &[&str],
) -> Result<u64, sqlx::Error> {
    let whose = whose.letter();
    let add = format!(
        "INSERT INTO {TABLE} SELECT t.tableoid, t.ctid, '{whose}', 0 FROM {table} t
         WHERE {condition} FOR UPDATE OF t ON CONFLICT DO NOTHING"
    );
    execute(connection, &add, parameters).await
}

/// The condition that row `t` stays.
pub(super) fn stays() -> String {
    format!("NOT EXISTS (SELECT FROM {TABLE} d WHERE d.relation = t.tableoid AND d.place = t.ctid)")
}

/// Adds what goes with rows that are to go, and what goes with that, to the end. `along` are
/// tables of which rows go even where their foreign keys would stop it.
pub(super) async fn follow(
    connection: &mut PgConnection,
    references: &[Reference],
    along: &BTreeSet<u32>,
) -> Result<(), sqlx::Error> {
    let mut round = 0;
    loop {
        execute(connection, &format!("ANALYZE {TABLE}"), &[]).await?;
        let parents = parents(connection, Some(round)).await?;
        let mut found = 0;
        for reference in references.iter().filter(|reference| parents.contains(&reference.parent)) {
            if goes(reference, along) {
                let next = round + 1;
                let whose = Whose::Others.letter();
                // Without it, they could still be changed, but none can be added: what they
                // refer to is locked.
                let lock = if reference.lockable { "FOR UPDATE OF r" } else { "" };
                let add = format!(
                    "INSERT INTO {TABLE} SELECT r.tableoid, r.ctid, '{whose}', {next} {}
                     WHERE d.round = {round} {lock} ON CONFLICT DO NOTHING",
                    from(reference)
                );
                found += execute(connection, &add, &[]).await?;
            }
        }
        if found == 0 {
            return Ok(());
        }
        round += 1;
    }
}

/// Whether a row goes when the one that it refers to does.
fn goes(reference: &Reference, along: &BTreeSet<u32>) -> bool {
    match reference.rule {
        DeleteRule::Cascade => true,
        DeleteRule::NoAction | DeleteRule::Restrict => along.contains(&reference.child_root),
        DeleteRule::SetNull | DeleteRule::SetDefault => false,
    }
}

/// Rows `r` that refer to rows `d` that are to go.
fn from(reference: &Reference) -> String {
    let Reference { child_sql, parent_sql, .. } = reference;
    format!(
        "FROM {child_sql} r JOIN {parent_sql} p ON {}
         JOIN {TABLE} d ON d.relation = p.tableoid AND d.place = p.ctid",
        reference.joins("r", "p")
    )
}

/// The tables with rows that are to go, and those that they are parts of; of one round or all.
async fn parents(
    connection: &mut PgConnection,
    round: Option<i32>,
) -> Result<BTreeSet<u32>, sqlx::Error> {
    let parents = format!(
        "WITH RECURSIVE part (of) AS (
             SELECT DISTINCT relation FROM {TABLE} WHERE round = coalesce($1, round)
             UNION SELECT i.inhparent FROM part JOIN pg_inherits i ON i.inhrelid = part.of)
         SELECT of::bigint FROM part"
    );
    let ids: Vec<i64> =
        sqlx::query_scalar(AssertSqlSafe(parents)).bind(round).fetch_all(connection).await?;
    Ok(ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect())
}

/// How many rows are to go.
pub(super) async fn counts(connection: &mut PgConnection) -> Result<Counts, sqlx::Error> {
    let count = format!(
        "SELECT coalesce(pg_partition_root(relation), relation)::oid::bigint, whose, count(*)
         FROM {TABLE} GROUP BY 1, 2"
    );
    let rows = sqlx::query_as(AssertSqlSafe(count)).fetch_all(connection).await?;
    Ok(counted(rows))
}

fn counted(rows: Vec<(i64, String, i64)>) -> Counts {
    let counted = rows.into_iter().filter_map(|(table, letter, rows)| {
        let whose = Whose::ALL.into_iter().find(|whose| whose.letter() == letter)?;
        Some(((u32::try_from(table).ok()?, whose), u64::try_from(rows).ok()?))
    });
    let mut counts = Counts::new();
    for (key, rows) in counted {
        *counts.entry(key).or_default() += rows;
    }
    counts
}

/// Rows of others that refer by a foreign key to rows that are to go.
pub(super) struct Referring<'r> {
    pub(super) reference: &'r Reference,
    /// Those that stay.
    pub(super) stay: u64,
    /// Those that refer to rows of the plan.
    pub(super) to_plan: u64,
    /// With those that go.
    pub(super) all: u64,
}

pub(super) async fn referring<'r>(
    connection: &mut PgConnection,
    references: &'r [Reference],
) -> Result<Vec<Referring<'r>>, sqlx::Error> {
    let parents = parents(connection, None).await?;
    let mut found = Vec::new();
    for reference in references.iter().filter(|reference| parents.contains(&reference.parent)) {
        let (plan, others) = (Whose::Plan.letter(), Whose::Others.letter());
        let count = format!(
            "SELECT count(*) FILTER (WHERE own.whose IS NULL),
                    count(*) FILTER (WHERE d.whose = '{plan}'), count(*)
             {} LEFT JOIN {TABLE} own ON own.relation = r.tableoid AND own.place = r.ctid
             WHERE own.whose IS NULL OR own.whose = '{others}'",
            from(reference)
        );
        let (stay, to_plan, all): (i64, i64, i64) =
            sqlx::query_as(AssertSqlSafe(count)).fetch_one(&mut *connection).await?;
        let number = |count| u64::try_from(count).unwrap_or_default();
        if all > 0 {
            let (stay, to_plan, all) = (number(stay), number(to_plan), number(all));
            found.push(Referring { reference, stay, to_plan, all });
        }
    }
    Ok(found)
}

/// Deletes the rows in one statement: in whatever order foreign keys have them, and whoever
/// refers to whom, the database looks only when all are gone. Returns what is gone.
pub(super) async fn delete(
    connection: &mut PgConnection,
    tables: &BTreeMap<u32, TableName>,
) -> Result<Counts, sqlx::Error> {
    if tables.is_empty() {
        return Ok(Counts::new());
    }
    let deletes = tables.iter().map(|(id, table)| {
        format!(
            "t{id} AS (DELETE FROM {} t USING {TABLE} d
                       WHERE d.relation = t.tableoid AND d.place = t.ctid RETURNING d.whose)",
            table.sql
        )
    });
    let counts = tables
        .keys()
        .map(|id| format!("SELECT {id}::bigint, whose, count(*) FROM t{id} GROUP BY whose"));
    let statement = format!(
        "WITH {} {}",
        deletes.collect::<Vec<_>>().join(", "),
        counts.collect::<Vec<_>>().join(" UNION ALL ")
    );
    Ok(counted(sqlx::query_as(AssertSqlSafe(statement)).fetch_all(connection).await?))
}
