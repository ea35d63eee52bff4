//! Samples of the database behind the target: connections by state, commits,
//! and which statements the time went into.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use common::address::{self, SafetyError};
use common_net::apart::{Left, within};
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Row as _};

use super::statement::summary;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    // The URL is not shown: it may hold a password.
    #[error("--database-url is not a URL such as postgres://user@127.0.0.1:5432/name")]
    Url,
    #[error(transparent)]
    Safety(#[from] SafetyError),
    #[error("cannot observe the database at {host}:{port}")]
    Connect { host: String, port: u16, source: sqlx::Error },
    #[error("cannot observe the database at {host}:{port}")]
    Left { host: String, port: u16, source: Left },
}

/// So long a database may take to let somebody in and to say what its statements are.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a database is.
pub struct Place {
    options: PgConnectOptions,
    /// As they were typed, for messages.
    host: String,
    port: u16,
}

impl Place {
    /// Of the database at `url`, on this machine or a host that is allowed.
    ///
    /// # Errors
    /// When it is not a URL, or its host may not be used.
    pub fn of(url: &str, allowed: &[String]) -> Result<Self, DatabaseError> {
        Self::pinned(url, |host, port| address::pin(host, port, allowed))
    }

    /// Connects, and does `work` there; a server that talks without end is left.
    ///
    /// # Errors
    /// When it cannot be connected to, or `work` fails.
    pub async fn visit<T, F>(
        self,
        work: impl FnOnce(PgConnection) -> F + Send + 'static,
    ) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    {
        let Self { options, host, port } = self;
        let visiting = async move { work(PgConnection::connect_with(&options).await?).await };
        match within(CONNECT_TIMEOUT, visiting).await {
            Ok(visited) => visited.map_err(|source| DatabaseError::Connect { host, port, source }),
            Err(source) => Err(DatabaseError::Left { host, port, source }),
        }
    }

    /// Asks `pin` for the addresses of the host, unless it is a socket. What is connected to is
    /// one of them, not the name: a second answer of the name server is never asked for.
    fn pinned(
        url: &str,
        pin: impl FnOnce(&str, u16) -> Result<Vec<SocketAddr>, SafetyError>,
    ) -> Result<Self, DatabaseError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| DatabaseError::Url)?;
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let options = if options.get_socket().is_some() || host.starts_with('/') {
            options
        } else {
            match pin(&host, port)?.first() {
                Some(address) => options.host(&address.ip().to_string()),
                None => return Err(SafetyError::NoAddress { host }.into()),
            }
        };
        Ok(Self { options, host, port })
    }
}

/// A connection of its own, beside those of the target.
pub struct Database {
    connection: PgConnection,
    /// Calls and milliseconds by statement when the run began; none without `pg_stat_statements`.
    statements: Option<BTreeMap<String, Spent>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    calls: i64,
    ms: f64,
}

/// How many statements are reported.
const SLOWEST: usize = 5;

/// More than this no `pg_stat_statements` keeps: its `max` is 5,000, and memory is taken for it.
const MOST_STATEMENTS: usize = 100_000;

/// So much of a statement is looked at, in characters: comments may come before what it is.
const LOOKED_AT: i32 = 1000;

impl Database {
    /// Connects to the database at `url`.
    ///
    /// # Errors
    /// When it is not a URL, its host may not be used, or it cannot be connected to.
    pub async fn connect(url: &str, allowed: &[String]) -> Result<Self, DatabaseError> {
        let connecting = |mut connection| async move {
            let statements = statements(&mut connection).await?;
            Ok(Self { connection, statements })
        };
        Place::of(url, allowed)?.visit(connecting).await
    }

    /// Figures by metric; none where the database did not answer.
    pub(super) async fn sample(&mut self) -> Option<Vec<(String, f64)>> {
        let mut found = Vec::new();
        // Every state each time, so that a state that nobody is in counts as zero.
        let states = "SELECT count(*) FILTER (WHERE state = 'active'), \
                count(*) FILTER (WHERE state = 'idle'), \
                count(*) FILTER (WHERE state LIKE 'idle in transaction%'), \
                count(*) FILTER (WHERE wait_event_type = 'Lock') \
             FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let row = sqlx::query(states).fetch_one(&mut self.connection).await.ok()?;
        let names = ["active", "idle", "idle_in_transaction", "waiting_for_lock"];
        for (index, state) in names.iter().enumerate() {
            let count: i64 = row.try_get(index).ok()?;
            found.push((format!("postgres.connections.{state}"), count as f64));
        }
        let totals = "SELECT xact_commit, xact_rollback FROM pg_stat_database \
             WHERE datname = current_database()";
        let row = sqlx::query(totals).fetch_one(&mut self.connection).await.ok()?;
        for (index, name) in ["commits_total", "rollbacks_total"].iter().enumerate() {
            let count: i64 = row.try_get(index).ok()?;
            found.push((format!("postgres.{name}"), count as f64));
        }
        Some(found)
    }

    /// The statements that took the most time since the start, most first.
    pub(super) async fn slowest(&mut self) -> Vec<(String, f64)> {
        let Some(before) = self.statements.take() else { return Vec::new() };
        let Ok(Some(after)) = statements(&mut self.connection).await else { return Vec::new() };
        let mut spent: Vec<(String, Spent)> = after
            .into_iter()
            .map(|(statement, now)| {
                let then = before.get(&statement).copied().unwrap_or_default();
                (statement, Spent { calls: now.calls - then.calls, ms: now.ms - then.ms })
            })
            .filter(|(_, spent)| spent.calls > 0)
            .collect();
        spent.sort_by(|a, b| b.1.ms.total_cmp(&a.1.ms));
        spent
            .into_iter()
            .take(SLOWEST)
            .flat_map(|(statement, spent)| {
                [
                    (format!("postgres.statement.calls: {statement}"), spent.calls as f64),
                    (format!("postgres.statement.total_ms: {statement}"), spent.ms),
                ]
            })
            .collect()
    }
}

/// What each statement has taken so far; none where that is not kept, or not for us.
///
/// # Errors
/// When there is no database any more, or it answers what none would.
async fn statements(
    connection: &mut PgConnection,
) -> Result<Option<BTreeMap<String, Spent>>, sqlx::Error> {
    let query = "SELECT left(query, $1), \
             sum(calls)::bigint, sum(total_exec_time) \
         FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         GROUP BY 1";
    let mut rows = sqlx::query(query).bind(LOOKED_AT).fetch(connection);
    // Statements that differ in literals alone are one.
    let mut spent: BTreeMap<String, Spent> = BTreeMap::new();
    for _ in 0..MOST_STATEMENTS {
        let row = match rows.try_next().await {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Some(spent)),
            Err(sqlx::Error::Database(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let of = spent.entry(summary(&row.try_get::<String, _>(0)?)).or_default();
        of.calls = of.calls.saturating_add(row.try_get(1)?);
        of.ms += row.try_get::<f64, _>(2)?;
    }
    Err(sqlx::Error::Protocol(format!("it has more than {MOST_STATEMENTS} statements")))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Nothing is sent anywhere: what would be connected to is looked at.
    #[test]
    fn the_first_answer_of_the_name_server_is_what_is_connected_to() {
        let asked = Cell::new(0);
        // Each time another address, as a name server may that wants the load elsewhere.
        let resolver = |_: &str, port| {
            let answers = ["127.0.0.1", "203.0.113.7"];
            let answer = answers[asked.replace(asked.get() + 1)];
            Ok(vec![SocketAddr::new(answer.parse().unwrap(), port)])
        };
        let place = Place::pinned("postgres://u:secret@db.example:5433/d", |host, port| {
            address::pin_by(host, port, &[], resolver)
        });
        let Place { options, host, port } = place.unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("127.0.0.1", 5433));
        assert_eq!((host.as_str(), port, asked.get()), ("db.example", 5433, 1));
        let refused = Place::pinned("postgres://u:secret@db.example/d", |host, port| {
            address::pin_by(host, port, &[], resolver)
        });
        let refused = refused.err().unwrap().to_string();
        assert!(refused.contains("203.0.113.7") && !refused.contains("secret"), "{refused}");
        let socket = Place::pinned("postgres:///d?host=/run/pg", |_, _| panic!("a socket"));
        assert!(socket.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_says_nothing_is_not_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://u@{}/d", listener.local_addr().unwrap());
        let error = Database::connect(&url, &[]).await.err().unwrap();
        assert!(matches!(error, DatabaseError::Left { source: Left::Late(_), .. }), "{error}");
    }
}
