//! Which statements of a database the time went into, by `pg_stat_statements`.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::prometheus::Series;
use super::statement::summary;
use super::watch::Figures;

/// How many statements are told.
const MOST_TOLD: usize = 10;

/// More than this no `pg_stat_statements` keeps: its `max` is 5,000, and memory is taken for it.
const MOST_STATEMENTS: usize = 100_000;

/// So much of a statement is looked at, in characters: comments may come before what it is.
const LOOKED_AT: i32 = 1000;

/// Since this version of the server the time of planning is not among that of executing.
const SPLITS_TIMES: i32 = 130_000;

/// What the server says where `statement_timeout` was over.
const TOO_LATE: &str = "57014";

/// What each statement has taken so far.
#[derive(Default)]
pub(super) struct Statements {
    /// By what is left of it without literals.
    others: BTreeMap<String, Spent>,
    /// Those by which the database is observed.
    ours: Spent,
}

#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    calls: i64,
    rows: i64,
    ms: f64,
}

impl Spent {
    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.rows = self.rows.saturating_add(other.rows);
        self.ms += other.ms;
    }

    fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            rows: self.rows.saturating_sub(before.rows),
            ms: self.ms - before.ms,
        }
    }
}

/// Asks for them; none where they are not kept, or not for us.
///
/// # Errors
/// When there is no database any more, or it answers what none would.
pub(super) async fn statements(
    connection: &mut PgConnection,
    version: i32,
) -> Result<Option<Statements>, sqlx::Error> {
    let time = if version < SPLITS_TIMES { "total_time" } else { "total_exec_time" };
    let sql = format!(
        "SELECT /* replayer observes */ left(query, $1), query LIKE '%replayer observes%', \
            sum(calls)::int8, sum(rows)::int8, sum({time})::float8 \
         FROM pg_stat_statements \
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
            AND query IS NOT NULL \
         GROUP BY 1, 2"
    );
    let mut rows = sqlx::query(AssertSqlSafe(sql)).bind(LOOKED_AT).fetch(connection);
    let mut statements = Statements::default();
    for _ in 0..MOST_STATEMENTS {
        let row = match rows.try_next().await {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Some(statements)),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() != Some(TOO_LATE) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let spent = Spent { calls: row.try_get(2)?, rows: row.try_get(3)?, ms: row.try_get(4)? };
        if row.try_get::<bool, _>(1)? {
            statements.ours.add(spent);
        } else {
            // Statements that differ in literals alone are one.
            let statement = summary(&row.try_get::<String, _>(0)?);
            statements.others.entry(statement).or_default().add(spent);
        }
    }
    Err(sqlx::Error::Protocol(format!("it has more than {MOST_STATEMENTS} statements")))
}

/// The statements that took the most time meanwhile, most first, and what it took to ask.
pub(super) fn most_grown(before: &Statements, after: Statements, prefix: &str) -> Figures {
    let mut grown: Vec<(String, Spent)> = after
        .others
        .into_iter()
        .map(|(statement, now)| {
            let then = before.others.get(&statement).copied().unwrap_or_default();
            (statement, now.since(then))
        })
        // Fewer than before are those of a server that was told to forget them.
        .filter(|(_, spent)| spent.calls > 0)
        .collect();
    grown.sort_by(|a, b| b.1.ms.total_cmp(&a.1.ms));
    let ours = after.ours.since(before.ours);
    let told = grown.iter().take(MOST_TOLD).flat_map(|(statement, spent)| {
        let Spent { calls, rows, ms } = *spent;
        let us = ms * 1000.0;
        let figures = [
            ("total_us", us),
            ("mean_us", us / calls as f64),
            ("calls", calls as f64),
            ("rows", rows as f64),
        ];
        figures.map(|(figure, value)| {
            let name = format!("{prefix}.statement.{figure}");
            (Series::new(&name, [("statement", statement)]).to_string(), value)
        })
    });
    told.chain([(format!("{prefix}.observing_us"), ours.ms.max(0.0) * 1000.0)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(calls: i64, ms: f64) -> Spent {
        Spent { calls, rows: 2 * calls, ms }
    }

    #[test]
    fn those_that_grew_most_come_first_and_those_that_did_not_grow_are_left_out() {
        let before = Statements {
            others: [
                ("old", spent(100, 9000.0)),
                ("gone", spent(1, 1.0)),
                ("reset", spent(9, 9.0)),
            ]
            .map(|(name, spent)| (name.to_owned(), spent))
            .into(),
            ours: spent(1, 2.0),
        };
        let many = (0..20).map(|n| (format!("new {n:02}"), spent(1, f64::from(n))));
        let others = [("old", spent(104, 9100.0)), ("reset", spent(2, 2.0))];
        let others = others.map(|(name, spent)| (name.to_owned(), spent));
        let after =
            Statements { others: others.into_iter().chain(many).collect(), ours: spent(3, 6.0) };
        let figures = most_grown(&before, after, "postgres");
        assert_eq!(figures.len(), 4 * MOST_TOLD + 1);
        let expected = [
            ("postgres.statement.total_us{statement=\"old\"}", 100_000.0),
            ("postgres.statement.mean_us{statement=\"old\"}", 25_000.0),
            ("postgres.statement.calls{statement=\"old\"}", 4.0),
            ("postgres.statement.rows{statement=\"old\"}", 8.0),
            ("postgres.statement.total_us{statement=\"new 19\"}", 19_000.0),
        ];
        assert_eq!(figures[..5], expected.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(figures.last(), Some(&("postgres.observing_us".to_owned(), 4000.0)));
    }
}
