//! The shipped personas against the reference target on a real Postgres.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::middleware::Next;
use axum::response::Response;
use cluster::testing::{TestDatabase, TestServer};
use recorder::edit::check::check;
use reference_target::{Settings, app_with};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use trace::format::{Binding, CaptureFrom, Origin, Part, RecordedResult, Request};
use uuid::Uuid;

use crate::proxy::peer::Proxy;
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
        for number in 1..=10 {
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

/// The reference target with accounts, and the shipped personas made quick.
struct Vigilia<'a> {
    pool: PgPool,
    url: String,
    /// Every token that the target gave out.
    issued: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
    _database: TestDatabase<'a>,
}

impl<'a> Vigilia<'a> {
    async fn new(server: &'a TestServer) -> Self {
        let database = server.database().unwrap();
        let pool = PgPoolOptions::new().max_connections(8).connect(database.url()).await.unwrap();
        reference_target::migrate(&pool).await.unwrap();
        let accounts = insert(&pool).await;
        let issued: Arc<Mutex<Vec<String>>> = Arc::default();
        let url = serve(pool.clone(), issued.clone()).await;
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("m.json"), manifest(&accounts).to_string()).unwrap();
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/personas/vigilia.toml");
        // What it names stands beside the shipped file, and not beside a copy.
        let traps = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/traps/vigilia.toml");
        // Waits a twentieth as long, so that a few seconds show every task.
        let text = std::fs::read_to_string(shipped).unwrap();
        let faster = text
            .replace("[\"2s\", \"5s\"]", "[\"100ms\", \"250ms\"]")
            .replace("[\"3s\", \"8s\"]", "[\"150ms\", \"400ms\"]")
            .replace("../traps/vigilia.toml", traps);
        assert_ne!(faster, text);
        std::fs::write(folder.path().join("p.toml"), faster).unwrap();
        Self { pool, url, issued, folder, _database: database }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Records 20 users for 6 s.
    fn personas(&self, target: &str, trace: &Path) -> Output {
        let mut command = recorder(&["personas", "--users", "20", "--duration", "6s", "--json"]);
        command.args(["--spawn-rate", "40/s", "--target", target]);
        command.arg("--personas").arg(self.path("p.toml"));
        command.arg("--manifest").arg(self.path("m.json")).arg("--out").arg(trace);
        let output = run(command);
        good(&output);
        output
    }

    fn assert_no_secret_in(&self, trace: &Path) {
        let mut secrets = self.issued.lock().unwrap().clone();
        assert_eq!(secrets.len(), 40);
        secrets.push(PASSWORD.to_owned());
        let bytes = std::fs::read(trace).unwrap();
        let is_compressed = trace.extension().is_some_and(|extension| extension == "zst");
        let plain = if is_compressed { zstd::decode_all(&*bytes).unwrap() } else { bytes };
        assert_free_of(&secrets, "the trace", &plain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vigilias_personas_are_recorded_without_failure_and_can_be_replayed() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server).await;
    let trace = vigilia.path("t.jsonl.zst");
    let output = vigilia.personas(&vigilia.url, &trace);

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
        sqlx::query_scalar("SELECT count(*) FROM alerts").fetch_one(&vigilia.pool).await.unwrap();
    assert_eq!(ingested.count() as i64, stored, "every alert of the trace is in the database");
    assert!(requests.iter().all(|request| match &request.result {
        RecordedResult::Answer(answer) => answer.shape.is_some() && answer.size > 0,
        RecordedResult::Error(_) => false,
    }));

    vigilia.assert_no_secret_in(&trace);
    let secrets = vigilia.issued.lock().unwrap().clone();
    assert_free_of(&secrets, "stderr", &output.stderr);
}

/// Where a value stands in a request, and what kind of origin it has.
fn bound(request: &Request, session: &[Request]) -> BTreeSet<(String, usize, usize, String)> {
    // Captures may have any name: what they are taken from is what counts.
    let field = |of: &str, name: &str| {
        let source = session.iter().find(|request| request.id == of).unwrap();
        let RecordedResult::Answer(answer) = &source.result else { panic!("no answer") };
        let capture = answer.capture.iter().find(|capture| capture.name == name).unwrap();
        let CaptureFrom::Json { pointer, .. } = &capture.from else { panic!("{capture:?}") };
        format!("capture {}", pointer.rsplit('/').next().unwrap())
    };
    let describe = |binding: &Binding| {
        let part = match binding.part {
            Part::Path => "path".to_owned(),
            Part::Header(index) => request.headers[index].0.clone(),
            Part::Body => "body".to_owned(),
        };
        let origin = match &binding.from {
            Origin::Capture { of, name } => field(of, name),
            Origin::Account(field) => format!("account {field}"),
            Origin::Clock(format) => format!("{format:?}"),
            Origin::Fresh { like, .. } => format!("{like:?}"),
            Origin::Slot(name) => format!("slot {name}"),
        };
        (part, binding.start, binding.end, origin)
    };
    request.bind.iter().map(describe).collect()
}

/// The personas' own recorder knows what they took from where. The proxy between them and the
/// target, which knows nothing of them, has to find the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_binds_what_the_personas_took_and_nothing_else() {
    let server = TestServer::start().unwrap();
    let vigilia = Vigilia::new(&server).await;
    let truth = vigilia.path("truth.jsonl.zst");
    let manifest = vigilia.path("m.json");
    let proxy = Proxy::start(&vigilia.url, &["--manifest", manifest.to_str().unwrap()]);
    vigilia.personas(&format!("http://{}", proxy.address), &truth);
    let recorded = proxy.stop();
    assert_eq!(recorded.summary["failures"], 0, "{}", recorded.summary);
    let trace = recorded.folder.path().join("t.jsonl");
    vigilia.assert_no_secret_in(&trace);
    let mut problems = Vec::new();
    check(&trace, |problem| problems.push(problem.message)).unwrap();
    assert_eq!(problems, [""; 0]);

    let by_account = |requests: Vec<Request>| {
        let mut accounts: BTreeMap<String, Vec<Request>> = BTreeMap::new();
        for request in requests {
            accounts.entry(request.account.clone().unwrap()).or_default().push(request);
        }
        accounts
    };
    let (truth, seen) = (by_account(read(&truth)), by_account(recorded.requests));
    assert_eq!(truth.keys().collect::<Vec<_>>(), seen.keys().collect::<Vec<_>>());
    let (mut taken, mut missed, mut given, mut wrong) = (0, Vec::new(), 0, Vec::new());
    for (account, truth) in &truth {
        let seen = &seen[account];
        assert_eq!(truth.len(), seen.len(), "{account}");
        let sessions = (truth, seen);
        for (truth, seen) in truth.iter().zip(seen) {
            let base = truth.name.split_once(' ').unwrap();
            assert_eq!(seen.name, format!("{} /api/v1{}", base.0, base.1));
            assert_eq!((&truth.persona, truth.prologue), (&seen.persona, seen.prologue));
            assert_eq!((&truth.path, &truth.body), (&seen.path, &seen.body));
            let (expected, found) = (bound(truth, sessions.0), bound(seen, sessions.1));
            taken += expected.len();
            given += found.len();
            missed.extend(expected.difference(&found).map(|b| format!("{} {b:?}", truth.name)));
            wrong.extend(found.difference(&expected).map(|b| format!("{} {b:?}", truth.name)));
        }
    }
    println!("taken {taken}, missed {}; bound {given}, wrong {}", missed.len(), wrong.len());
    assert!(missed.len() * 100 <= taken, "{missed:#?}");
    assert!(wrong.len() * 100 <= given, "{wrong:#?}");
}

/// The reference target, with every token noted that it gives out.
async fn serve(pool: PgPool, issued: Arc<Mutex<Vec<String>>>) -> String {
    let note = move |request: axum::extract::Request, next: Next| {
        note_tokens(request, next, issued.clone())
    };
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

async fn note_tokens(
    request: axum::extract::Request,
    next: Next,
    issued: Arc<Mutex<Vec<String>>>,
) -> Response {
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
