//! The shipped personas against the reference target on a real Postgres.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use recorder::check::check;
use recorder::trace::format::Result as Outcome;
use reference_target::{Settings, app_with};
use seeder::cluster::testing::TestServer;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use uuid::Uuid;

use crate::secrets::assert_free_of;
use crate::world::{account, good, manifest, read, recorder, run};

const PASSWORD: &str = "TestPass123456!";

/// Persona, prefix of its accounts' names, role.
const ACCOUNTS: [(&str, &str, &str); 3] = [
    ("ERIOPDispatcher", "dispatcher", "dispatcher"),
    ("ERIOPResponder", "responder", "responder"),
    ("AlertIngestion", "alertsystem", "public_user"),
];

async fn insert(pool: &PgPool) -> Vec<Value> {
    let agency = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO agencies (id, name, code, is_active) VALUES ($1, 'A', 'LOADTEST', true)",
    )
    .bind(agency)
    .execute(pool)
    .await
    .unwrap();
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    let mut accounts = Vec::new();
    for (persona, prefix, role) in ACCOUNTS {
        for number in 1..=5 {
            let account = account(persona, &format!("{prefix}{number}"), PASSWORD);
            sqlx::query(
                "INSERT INTO users (id, email, hashed_password, full_name, role, is_active,
                    is_verified, mfa_enabled, failed_login_attempts, agency_id)
                 VALUES ($1, $2, $3, 'A Person', $4::userrole, true, true, false, 0, $5)",
            )
            .bind(Uuid::new_v4())
            .bind(account["fields"]["email"].as_str().unwrap())
            .bind(&hash)
            .bind(role)
            .bind(agency)
            .execute(pool)
            .await
            .unwrap();
            accounts.push(account);
        }
    }
    accounts
}

#[tokio::test(flavor = "multi_thread")]
async fn vigilias_personas_are_recorded_without_failure_and_can_be_replayed() {
    let server = TestServer::start().unwrap();
    let database = server.database().unwrap();
    let pool = PgPoolOptions::new().max_connections(8).connect(database.url()).await.unwrap();
    reference_target::migrate(&pool).await.unwrap();
    let accounts = insert(&pool).await;
    let issued: Arc<Mutex<Vec<String>>> = Arc::default();
    let url = serve(pool.clone(), issued.clone()).await;

    let folder = TempDir::new().unwrap();
    let (manifest_path, trace) = (folder.path().join("m.json"), folder.path().join("t.jsonl.zst"));
    std::fs::write(&manifest_path, manifest(&accounts).to_string()).unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/personas/vigilia.toml");
    // Waits a twentieth as long, so that a few seconds show every task.
    let personas = folder.path().join("p.toml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let faster = text
        .replace("[\"2s\", \"5s\"]", "[\"100ms\", \"250ms\"]")
        .replace("[\"3s\", \"8s\"]", "[\"150ms\", \"400ms\"]");
    assert_ne!(faster, text);
    std::fs::write(&personas, faster).unwrap();
    let mut command = recorder(&["personas", "--users", "20", "--duration", "6s", "--json"]);
    command.args(["--spawn-rate", "40/s", "--target", &url]);
    command.arg("--personas").arg(&personas).arg("--manifest").arg(&manifest_path);
    command.arg("--out").arg(&trace);
    let output = run(command);
    good(&output);

    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["failures"], 0, "{summary}");
    assert_eq!(summary["sessions"], 20);
    let users: Vec<_> = (0..3).map(|n| summary["personas"][n]["users"].clone()).collect();
    assert_eq!(users, [6, 10, 4], "shared by weight");

    let mut problems = Vec::new();
    check(&trace, |problem| problems.push(problem.message)).unwrap();
    assert_eq!(problems, [""; 0]);
    let requests = read(&trace);
    let names: BTreeSet<&str> = requests.iter().map(|request| request.name.as_str()).collect();
    let expected = BTreeSet::from([
        "GET /alerts",
        "GET /alerts/pending",
        "GET /alerts/{id}",
        "GET /auth/me",
        "GET /incidents",
        "GET /incidents/active",
        "GET /incidents/{id}",
        "GET /resources",
        "GET /resources/available",
        "POST /alerts/ingest",
        "POST /alerts/{id}/acknowledge",
        "POST /auth/login",
        "POST /incidents",
    ]);
    assert_eq!(names, expected);
    let ingested = requests.iter().filter(|request| request.name == "POST /alerts/ingest");
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM alerts").fetch_one(&pool).await.unwrap();
    assert_eq!(ingested.count() as i64, stored, "every alert of the trace is in the database");
    assert!(requests.iter().all(|request| match &request.result {
        Outcome::Answer(answer) => answer.shape.is_some() && answer.size > 0,
        Outcome::Error(_) => false,
    }));

    let mut secrets = issued.lock().unwrap().clone();
    assert_eq!(secrets.len(), 40);
    secrets.push(PASSWORD.to_owned());
    let plain = zstd::decode_all(std::fs::read(&trace).unwrap().as_slice()).unwrap();
    assert_free_of(&secrets, "the trace", &plain);
    assert_free_of(&secrets, "stderr", &output.stderr);
}

/// The reference target, with every token noted that it gives out.
async fn serve(pool: PgPool, issued: Arc<Mutex<Vec<String>>>) -> String {
    let note = move |request: Request, next: Next| note_tokens(request, next, issued.clone());
    let router = app_with(pool, Settings::default()).layer(axum::middleware::from_fn(note));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(reference_target::serve(
        listener,
        router,
        tokio_util::sync::CancellationToken::new(),
    ));
    url
}

async fn note_tokens(request: Request, next: Next, issued: Arc<Mutex<Vec<String>>>) -> Response {
    let login = request.uri().path().ends_with("/auth/login");
    let response = next.run(request).await;
    if !login {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    for name in ["access_token", "refresh_token"] {
        issued.lock().unwrap().extend(answer[name].as_str().map(str::to_owned));
    }
    Response::from_parts(parts, Body::from(bytes))
}
