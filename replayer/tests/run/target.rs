//! Against the reference target on a real Postgres.

use cluster::testing::{TestDatabase, TestServer};
use reference_target::{Settings, Target};
use run_log::outcome::Outcome;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;

use super::preflight::row;
use crate::support::trace::{answer, at, bears, gives, logs_in, request, takes};
use crate::support::{PASSWORD, TraceBuilder, Workplace};

/// The target with accounts of the persona `visitor`.
pub(super) struct World<'a> {
    pub(super) pool: PgPool,
    pub(super) target: Target,
    /// Kept until the end of the test.
    pub(super) database: TestDatabase<'a>,
}

impl<'a> World<'a> {
    pub(super) async fn new(server: &'a TestServer, accounts: i32, settings: Settings) -> Self {
        let database = server.database().unwrap();
        let pool = PgPoolOptions::new().max_connections(8).connect(database.url()).await.unwrap();
        reference_target::migrate(&pool).await.unwrap();
        sqlx::query(
            "WITH agency AS (
                INSERT INTO agencies (id, name, code, is_active)
                VALUES (gen_random_uuid(), 'Load', 'LOAD', true) RETURNING id
             )
             INSERT INTO users (id, email, hashed_password, full_name, role, is_active,
                is_verified, mfa_enabled, failed_login_attempts, agency_id)
             SELECT gen_random_uuid(), 'visitor' || n || '@example.org', $1, 'A Person',
                'responder', true, true, false, 0, agency.id
             FROM agency, generate_series(1, $2) n",
        )
        .bind(bcrypt::hash(PASSWORD, 4).unwrap())
        .bind(accounts)
        .execute(&pool)
        .await
        .unwrap();
        let target = Target::start(pool.clone(), settings).await.unwrap();
        Self { pool, target, database }
    }

    /// All rows of each table but the log of the logins, as digests.
    async fn checksums(&self) -> Vec<(String, String)> {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r'
                AND relnamespace = 'public'::regnamespace AND relname <> 'audit_logs'
             ORDER BY relname",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert!(tables.len() > 5, "{tables:?}");
        let mut sums = Vec::new();
        for table in tables {
            let sum = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                "SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {table} t"
            )));
            sums.push((table, sum.fetch_one(&self.pool).await.unwrap()));
        }
        sums
    }

    async fn logins(&self) -> u64 {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = 'login'")
                .fetch_one(&self.pool)
                .await
                .unwrap();
        count as u64
    }
}

/// A login, then so many requests so far apart.
fn visitors(requests: u64, gap_ms: u64) -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> =
        (0..requests).map(|n| (n * gap_ms, "GET", "/api/v1/auth/me")).collect();
    TraceBuilder { login: Some("/api/v1/auth/login"), ..TraceBuilder::default() }
        .session_with_login("a", &steps)
}

/// Runs the tool beside the target, whose tasks go on meanwhile.
async fn run(place: &Workplace, target: &str, options: &[&str]) -> crate::support::Ran {
    let mut command = place.command(target, options);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    place.ran(output)
}

#[tokio::test(flavor = "multi_thread")]
async fn users_outlive_their_tokens_and_lose_nothing() {
    let server = TestServer::start().unwrap();
    let life = Duration::from_secs(3);
    let world = World::new(&server, 25, Settings { token_life: life, ..Settings::default() }).await;
    let place = Workplace::new(&visitors(4, 500), 25);
    let options = ["--users", "100", "--spawn-rate", "50/s", "--duration", "12s"];
    let more = ["--login-rate", "60/s", "--quiet"];
    let ran = run(&place, &world.target.url(), &[&options[..], &more].concat()).await;
    let run = ran.checked();
    let totals = &run.totals;
    assert_eq!(totals.outcomes[Outcome::Completed], totals.planned, "{}", ran.stderr);
    assert_eq!(totals.failed_status, 0, "no request is lost to expiry");
    assert!(totals.extra.renewals >= 200, "{:?}", totals.extra);
    assert!(totals.extra.renewals as f64 <= run.elapsed_s * 60.0 + 2.0, "{:?}", totals.extra);
    // The probe's login, one a user, and the renewals.
    assert_eq!(world.logins().await, 1 + 100 + totals.extra.renewals);
    assert_eq!((run.personas[0].accounts, run.personas[0].users_per_account), (25, 4));
}

/// Somebody who reports an incident, opens it, and acknowledges an alert that he reported himself.
fn reporter() -> TraceBuilder {
    let incident = r#"{"category":"fire","priority":1,"title":"Smoke on the roof","description":"d",
        "location":{"latitude":45.5,"longitude":-73.5,"address":"1 Main St","building_info":"2"}}"#;
    let path = |rest: &str| format!("/api/v1{rest}");
    let mut of = TraceBuilder::default();
    of.requests.push(logs_in("l", "s", 0, &path("/auth/login"), "access_token"));
    let mut make = request("a", "s", 100, "POST", &path("/incidents"));
    make.headers.push(("Content-Type".into(), "application/json".into()));
    make.body = Some(trace::format::Body::Text(incident.into()));
    answer(&mut make).status = 201;
    gives(&mut make, "id", at("/id"));
    let id = "11111111-1111-1111-1111-111111111111";
    let mut one = request("b", "s", 200, "GET", &path(&format!("/incidents/{id}")));
    takes(&mut one, 18..54, "a", "id");
    let list = request("c", "s", 300, "GET", &path("/incidents/active"));
    for mut request in [make, one, list] {
        bears(&mut request, "l", "access_token");
        of.requests.push(request);
    }
    of.in_order()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_changes_no_row_of_the_target() {
    let server = TestServer::start().unwrap();
    let world = World::new(&server, 1, Settings::default()).await;
    let place = Workplace::new(&reporter(), 1);
    let probe = async |options: &[&str]| {
        tokio::task::block_in_place(|| place.probe(&world.target.url(), options))
    };
    let before = world.checksums().await;
    let ran = probe(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.ends_with("\n2 requests sent, 0 failed\n"), "{}", ran.stdout);
    assert_eq!(world.checksums().await, before);
    // What it left out would have changed them.
    let ran = probe(&["--full"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.ends_with("\n4 requests sent, 0 failed\n"), "{}", ran.stdout);
    assert_ne!(world.checksums().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_held_against_the_manifest() {
    let server = TestServer::start().unwrap();
    let world = World::new(&server, 3, Settings::default()).await;
    let (id, name): (String, String) = sqlx::query_as(
        "SELECT system_identifier::text, current_database()::text FROM pg_control_system()",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    let place = Workplace::new(&reporter(), 1);
    let url = world.database.url();
    let found = |name: &str, tables: &[(&str, u64)], options: &[&str]| {
        let tables: Vec<_> = tables
            .iter()
            .map(|(table, rows)| serde_json::json!({"table": table, "rows": rows, "digest": "d"}))
            .collect();
        place.change_manifest(|manifest| {
            manifest["database"]["system_identifier"] = id.as_str().into();
            manifest["database"]["name"] = name.into();
            manifest["tables"] = tables.into();
        });
        let probe = || place.probe(&world.target.url(), options);
        let ran = tokio::task::block_in_place(probe);
        // It is no reason to fail.
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        row(&ran.stdout, "database")
    };
    let observed = ["--database-url", url];
    let good = format!("good {name}, that of the manifest, with its rows");
    assert_eq!(found(&name, &[("users", 3), ("public.agencies", 1)], &observed), good);
    let fewer = "warning users has 3 rows, 1,200 in the manifest; \
                 none\"such is not there, 7 rows in the manifest";
    assert_eq!(found(&name, &[("users", 1200), ("none\"such", 7)], &observed), fewer);
    // What has more rows than are counted is held against what the server believes.
    sqlx::raw_sql(
        "CREATE TABLE large AS SELECT n FROM generate_series(1, 120000) n; ANALYZE large;
         CREATE TABLE unseen AS SELECT n FROM generate_series(1, 120000) n;",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let fewer = "warning large has 120,000 rows, 900,000 in the manifest";
    assert_eq!(found(&name, &[("large", 900_000), ("unseen", 120_000)], &observed), fewer);
    assert_eq!(found(&name, &[("large", 125_000)], &observed), good);
    let other = format!("warning {name}, and the manifest is of another");
    assert_eq!(found("another", &[("users", 3)], &observed), other);
    let not_asked = "not asked nobody observes it (--database-url)";
    assert_eq!(found(&name, &[("users", 3)], &[]), not_asked);
    // A run says it, and begins, unless the database is not to be asked.
    place.change_manifest(|manifest| manifest["tables"][0]["rows"] = 4.into());
    let run = |options: &[&str]| {
        let all = [&["--quiet", "--force"], &observed[..], options].concat();
        let ran = tokio::task::block_in_place(|| place.run(&world.target.url(), &all));
        assert_eq!(ran.checked().totals.outcomes[Outcome::Completed], 4, "{}", ran.stderr);
        ran.stderr
    };
    assert!(row(&run(&[]), "database").starts_with("warning "));
    assert!(!run(&["--no-observe"]).contains("database"));
    let refused =
        place.probe(&world.target.url(), &["--database-url", "postgres://u@203.0.113.7/d"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
}
