//! The database behind the target: what its connections do and wait for, what it has written, and
//! which statements the time of the plateau went into.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _};

use super::place::{DatabaseError, Place};
use super::prometheus::Series;
use super::statements::{Statements, most_grown, statements};
use super::watch::{Figures, Source};

/// Our own statements have this in them, by which they are told from those of others.
pub(super) const OURS: &str = "/* replayer observes */";

/// So long a statement of ours may take, and wait for a lock that somebody has for himself.
const TIMEOUT: &str = "1s";
const LOCK_TIMEOUT: &str = "100ms";

/// So many looks apart tables are looked at, of which the largest are kept.
const LOOKS_APART: u64 = 10;

/// How many tables are kept.
const TABLES: i64 = 5;

/// Versions of the server from which on it has what is asked for.
const HAS_WAIT_STARTS: i32 = 140_000;
const HAS_CHECKPOINTER: i32 = 170_000;

/// A connection of its own, beside those of the target.
pub(super) struct Postgres {
    place: Place,
    /// None where the last look failed: the next one connects again.
    session: Option<Session>,
    prefix: String,
    name: String,
    looks: u64,
    before: Before,
}

/// What is asked by.
struct Session {
    connection: PgConnection,
    version: i32,
    sql: String,
}

/// The statements when the plateau began.
enum Before {
    NotAsked,
    /// They could not be asked for, or not all of them are known.
    NotKnown,
    /// The server does not keep any, or not for us.
    NotKept,
    Known(Statements),
}

impl Postgres {
    /// Connects.
    ///
    /// # Errors
    /// When it cannot be connected to.
    pub(super) async fn connect(
        place: Place,
        prefix: String,
        name: String,
    ) -> Result<Self, DatabaseError> {
        let session = Some(Session::begin(place.clone()).await?);
        Ok(Self { place, session, prefix, name, looks: 0, before: Before::NotAsked })
    }

    /// What it says; an error where it no longer can be asked.
    async fn ask(&mut self) -> Result<Figures, sqlx::Error> {
        let Self { session, prefix, looks, .. } = self;
        let Some(Session { connection, sql, .. }) = session else { return Ok(Figures::new()) };
        let row = sqlx::query(AssertSqlSafe(sql.clone())).fetch_one(&mut *connection).await?;
        let mut figures = figures(&row, prefix)?;
        let is_due = looks.is_multiple_of(LOOKS_APART);
        *looks += 1;
        if is_due {
            figures.extend(tables(connection, prefix).await?);
        }
        Ok(figures)
    }
}

impl Session {
    async fn begin(place: Place) -> Result<Self, DatabaseError> {
        let connected = place.visit(|mut connection| async move {
            let sql = "SELECT /* replayer observes */ set_config('statement_timeout', $1, false), \
                       set_config('lock_timeout', $2, false), \
                       current_setting('server_version_num')::int4";
            let asking = sqlx::query(sql).bind(TIMEOUT).bind(LOCK_TIMEOUT);
            let version = asking.fetch_one(&mut connection).await?.try_get(2)?;
            Ok((connection, version))
        });
        let (connection, version) = connected.await?;
        Ok(Self { connection, version, sql: sql(version) })
    }
}

impl Source for Postgres {
    async fn look(&mut self) -> Option<Figures> {
        if self.session.is_none() {
            self.session = Some(Session::begin(self.place.clone()).await.ok()?);
        }
        let asked = self.ask().await;
        if asked.is_err() {
            self.session = None;
        }
        asked.ok().filter(|figures| !figures.is_empty())
    }

    fn gave_up(&mut self) {
        // What it still has to say would be taken for the next answer.
        self.session = None;
    }

    async fn plateau_begins(&mut self) {
        // Whatever happens meanwhile.
        self.before = Before::NotKnown;
        let Some(Session { connection, version, .. }) = &mut self.session else { return };
        self.before = match statements(connection, *version).await {
            Ok(Some(statements)) => Before::Known(statements),
            Ok(None) => Before::NotKept,
            Err(_) => Before::NotKnown,
        };
    }

    async fn plateau_ended(&mut self) -> Figures {
        let Before::Known(before) = std::mem::replace(&mut self.before, Before::NotKnown) else {
            return Figures::new();
        };
        let Some(Session { connection, version, .. }) = &mut self.session else {
            return Figures::new();
        };
        match statements(connection, *version).await {
            Ok(Some(after)) => {
                self.before = Before::Known(Statements::default());
                most_grown(&before, after, &self.prefix)
            }
            Ok(None) | Err(_) => Figures::new(),
        }
    }

    fn limitations(&self) -> Vec<String> {
        let name = &self.name;
        match self.before {
            Before::NotAsked | Before::Known(_) => Vec::new(),
            Before::NotKnown => vec![format!(
                "{name}: which statements the time of the plateau went into is not known, since \
                 the database did not say it"
            )],
            Before::NotKept => vec![format!(
                "{name}: which statements the time went into is not known, since there is no \
                 pg_stat_statements for us: put it into shared_preload_libraries, start the \
                 server again and say CREATE EXTENSION pg_stat_statements in this database"
            )],
        }
    }
}

/// One row of everything, so that a look is one round trip. A column is called as its metric is.
fn sql(version: i32) -> String {
    // How long the longest wait for a lock has lasted, asked only where somebody waits for one.
    let longest_wait = match version {
        HAS_WAIT_STARTS.. => {
            "CASE WHEN waiting_for_lock > 0 THEN (SELECT coalesce(max(extract(epoch FROM \
                clock_timestamp() - waitstart)), 0) FROM pg_locks WHERE NOT granted) ELSE 0 END"
        }
        _ => "NULL",
    };
    let checkpoints = match version {
        HAS_CHECKPOINTER.. => "SELECT num_timed + num_requested FROM pg_stat_checkpointer",
        _ => "SELECT checkpoints_timed + checkpoints_req FROM pg_stat_bgwriter",
    };
    // Every state and wait each time, so that one that nobody is in counts as zero. Who blocks
    // somebody is asked of those that wait for a lock alone: it holds up the locks of all.
    format!(
        "WITH activity AS (
            SELECT pid, state, wait_event_type AS waits_for, backend_type,
                datname = current_database() AS is_here
            FROM pg_stat_activity WHERE pid <> pg_backend_pid()
        ), counts AS (
            SELECT count(*) FILTER (WHERE is_here AND state = 'active') AS active,
                count(*) FILTER (WHERE is_here AND state = 'idle') AS idle,
                count(*) FILTER (WHERE is_here AND state LIKE 'idle in transaction%') AS in_transaction,
                count(*) FILTER (WHERE is_here AND waits_for = 'Lock') AS waiting_for_lock,
                count(*) FILTER (WHERE backend_type = 'client backend') AS clients,
                count(*) FILTER (WHERE is_here AND state = 'active' AND waits_for = 'LWLock') AS lwlock,
                count(*) FILTER (WHERE is_here AND state = 'active' AND waits_for = 'IO') AS io,
                count(*) FILTER (WHERE is_here AND state = 'active' AND waits_for = 'IPC') AS ipc,
                count(*) FILTER (WHERE is_here AND state = 'active' AND waits_for = 'Client') AS client,
                count(*) FILTER (WHERE is_here AND state = 'active'
                    AND waits_for NOT IN ('Lock', 'LWLock', 'IO', 'IPC', 'Client')) AS other
            FROM activity
        ), blocked AS (
            SELECT count(DISTINCT pid) AS blocked, count(DISTINCT blocker) AS blockers
            FROM activity, LATERAL unnest(pg_blocking_pids(pid)) AS blocker
            WHERE is_here AND waits_for = 'Lock'
        )
        SELECT {OURS}
            active::float8 AS \"connections.active\",
            idle::float8 AS \"connections.idle\",
            in_transaction::float8 AS \"connections.idle_in_transaction\",
            waiting_for_lock::float8 AS \"connections.waiting_for_lock\",
            clients::float8 AS \"connections_of_all\",
            current_setting('max_connections')::float8 AS \"connections_allowed\",
            waiting_for_lock::float8 AS \"waits.lock\",
            lwlock::float8 AS \"waits.lwlock\",
            io::float8 AS \"waits.io\",
            ipc::float8 AS \"waits.ipc\",
            client::float8 AS \"waits.client\",
            other::float8 AS \"waits.other\",
            blocked::float8 AS \"blocked\",
            blockers::float8 AS \"blockers\",
            ({longest_wait})::float8 AS \"longest_wait_seconds\",
            xact_commit::float8 AS \"commits_total\",
            xact_rollback::float8 AS \"rollbacks_total\",
            blks_hit::float8 AS \"blocks_hit_total\",
            blks_read::float8 AS \"blocks_read_total\",
            temp_files::float8 AS \"temp_files_total\",
            temp_bytes::float8 AS \"temp_bytes_total\",
            deadlocks::float8 AS \"deadlocks_total\",
            pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END, '0/0')::float8 AS \"wal_bytes_total\",
            ({checkpoints})::float8 AS \"checkpoints_total\"
        FROM counts, blocked, pg_stat_database WHERE datname = current_database()"
    )
}

/// Each column as a metric; what is NULL is not known.
fn figures(row: &PgRow, prefix: &str) -> Result<Figures, sqlx::Error> {
    let mut figures = Figures::with_capacity(row.columns().len());
    for (index, column) in row.columns().iter().enumerate() {
        if let Some(value) = row.try_get::<Option<f64>, _>(index)? {
            figures.push((format!("{prefix}.{}", column.name()), value));
        }
    }
    Ok(figures)
}

/// Size and dead rows of the largest tables. None where it takes too long, or somebody holds one
/// of them for himself.
async fn tables(connection: &mut PgConnection, prefix: &str) -> Result<Figures, sqlx::Error> {
    let sql = "SELECT /* replayer observes */ schemaname || '.' || relname, n_dead_tup::float8, \
            pg_total_relation_size(relid)::float8 AS size \
         FROM pg_stat_user_tables ORDER BY size DESC NULLS LAST LIMIT $1";
    let rows = match sqlx::query(sql).bind(TABLES).fetch_all(connection).await {
        Err(sqlx::Error::Database(_)) => return Ok(Figures::new()),
        rows => rows?,
    };
    let mut figures = Figures::new();
    for row in rows {
        let table: String = row.try_get(0)?;
        for (index, what) in [(1, "dead_rows"), (2, "size_bytes")] {
            if let Some(value) = row.try_get::<Option<f64>, _>(index)? {
                let series = Series::new(&format!("{prefix}.table.{what}"), [("table", &table)]);
                figures.push((series.to_string(), value));
            }
        }
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use cluster::testing::TestServer;
    use sqlx::Connection as _;

    use super::*;

    fn value(figures: &Figures, name: &str) -> f64 {
        let found = figures.iter().find(|(of, _)| of == &format!("postgres.{name}"));
        found.map(|(_, value)| *value).unwrap_or_else(|| panic!("{name} is not in {figures:?}"))
    }

    async fn look_until(postgres: &mut Postgres, holds: impl Fn(&Figures) -> bool) -> Figures {
        let mut figures = Figures::new();
        for _ in 0..10_000 {
            // On a busy machine a look may fail.
            figures = postgres.look().await.unwrap_or_default();
            if holds(&figures) {
                return figures;
            }
        }
        panic!("{figures:?}");
    }

    async fn observed(url: &str) -> Postgres {
        let place = Place::of(url, &[]).unwrap();
        Postgres::connect(place, "postgres".into(), "it".into()).await.unwrap()
    }

    #[tokio::test]
    async fn who_waits_for_whom_is_seen_and_which_tables_are_large() {
        let server = TestServer::start().unwrap();
        let database = server.database().unwrap();
        let connect = || PgConnection::connect(database.url());
        let (mut one, mut other) = (connect().await.unwrap(), connect().await.unwrap());
        let tables = "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n; \
                      CREATE TABLE empty (n int)";
        sqlx::raw_sql(tables).execute(&mut one).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE empty").execute(&mut one).await.unwrap();
        let mut postgres = observed(database.url()).await;
        let waiting =
            tokio::spawn(
                async move { sqlx::raw_sql("SELECT n FROM empty").execute(&mut other).await },
            );
        let is_blocked = |figures: &Figures| {
            figures.iter().any(|(name, value)| name == "postgres.blocked" && *value == 1.0)
        };
        let figures = look_until(&mut postgres, is_blocked).await;
        assert_eq!(value(&figures, "connections.idle_in_transaction"), 1.0);
        assert_eq!(value(&figures, "connections.waiting_for_lock"), 1.0);
        assert_eq!(value(&figures, "blockers"), 1.0);
        assert!(value(&figures, "longest_wait_seconds") >= 0.0);
        assert!(value(&figures, "connections_of_all") >= 2.0);
        assert!(value(&figures, "connections_allowed") >= 3.0);
        for counter in
            ["commits", "rollbacks", "wal_bytes", "checkpoints", "deadlocks", "temp_bytes"]
        {
            assert!(value(&figures, &format!("{counter}_total")) >= 0.0);
        }
        sqlx::raw_sql("COMMIT").execute(&mut one).await.unwrap();
        waiting.await.unwrap().unwrap();
        let table = "postgres.table.size_bytes{table=\"public.t\"}";
        let is_seen = |figures: &Figures| figures.iter().any(|(name, _)| name == table);
        // Nobody holds a table for himself any more.
        let figures = look_until(&mut postgres, is_seen).await;
        assert!(value(&figures, "table.size_bytes{table=\"public.t\"}") >= 8192.0);
        assert_eq!(value(&figures, "table.dead_rows{table=\"public.t\"}"), 0.0);
    }

    #[tokio::test]
    async fn statements_of_the_plateau_are_told_by_their_growth() {
        let server = TestServer::start().unwrap();
        let database = server.database().unwrap();
        let mut load = PgConnection::connect(database.url()).await.unwrap();
        let mut postgres = observed(database.url()).await;
        postgres.plateau_begins().await;
        // Whether the server keeps statements is its own affair, and that it does not is told.
        if let Before::NotKept = postgres.before {
            assert!(postgres.limitations()[0].contains("CREATE EXTENSION pg_stat_statements"));
        }
        let extension = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements";
        if sqlx::raw_sql(extension).execute(&mut load).await.is_err() {
            return;
        }
        sqlx::raw_sql("SELECT 7 AS before").execute(&mut load).await.unwrap();
        postgres.plateau_begins().await;
        for _ in 0..3 {
            let many = "SELECT n, 'hunter2' AS secret FROM generate_series(1, 5) n";
            sqlx::raw_sql(many).execute(&mut load).await.unwrap();
        }
        assert!(postgres.look().await.is_some());
        let figures = postgres.plateau_ended().await;
        let of = |figure: &str| {
            let found = figures.iter().find(|(name, _)| {
                name.starts_with(&format!("postgres.statement.{figure}{{"))
                    && name.contains("AS secret FROM generate_series")
            });
            found.map(|(_, value)| *value).unwrap_or_else(|| panic!("{figure}: {figures:?}"))
        };
        assert_eq!((of("calls"), of("rows")), (3.0, 15.0));
        assert!((of("mean_us") - of("total_us") / 3.0).abs() < 1e-6);
        let text = format!("{figures:?}");
        assert!(!text.contains("hunter2") && !text.contains("AS before"), "{text}");
        // What it took to ask is told apart from what the target asked.
        assert!(value(&figures, "observing_us") > 0.0);
        assert!(!text.contains("pg_stat_activity"), "{text}");
        assert_eq!(postgres.limitations(), [""; 0]);
    }

    #[tokio::test]
    async fn a_database_that_went_is_asked_again() {
        let server = TestServer::start().unwrap();
        let database = server.database().unwrap();
        let mut postgres = observed(database.url()).await;
        let mut other = PgConnection::connect(database.url()).await.unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'replayer' AND datname = current_database()";
        sqlx::raw_sql(end).execute(&mut other).await.unwrap();
        look_until(&mut postgres, Figures::is_empty).await;
        look_until(&mut postgres, |figures| !figures.is_empty()).await;
    }
}
