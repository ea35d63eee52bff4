//! A small server to record, accounts for it, and the recorder as a process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path as Segment, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tempfile::TempDir;
use trace::format::Request;
use trace::reader::TraceReader;

/// With characters that JSON, URLs and base64 write in another way.
pub(crate) const PASSWORD: &str = r#"Pass"word/12?456!\é"#;

pub(crate) const PERSONAS: &str = r#"
base = "/api"

[headers]
Authorization = "Bearer {{ session.access_token }}"

[[login]]
request = "POST /login"
body = { email = "{{ account.email }}", password = "{{ account.password }}", device = "{{ fresh.uuid }}" }
capture = { access_token = "/access_token" }

[[persona]]
name = "Taker"
weight = 2
wait = ["5ms", "20ms"]

[[persona.task]]
name = "take the second item"
weight = 3
steps = [
  { request = "GET /items?page=1", capture = { item = "/items/1/id" } },
  { request = "POST /items/{{ session.item }}/take", body = { note = "for {{ account.email }}", at = "{{ clock.unix_millis }}", n = "{{ integer(1, 1000) }}" } },
]

[[persona.task]]
name = "take what is not there"
weight = 1
steps = [
  { request = "GET /empty", capture = { item = "/0/id" } },
  { request = "POST /items/{{ session.item }}/take" },
]

[[persona]]
name = "Looker"
weight = 1
wait = ["5ms", "20ms"]

[[persona.task]]
name = "look"
weight = 1
steps = [{ request = "GET /items?page={{ integer(1, 9) }}" }]
"#;

/// What the server saw and gave out.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    tokens: Vec<String>,
    requests: Vec<String>,
}

impl Seen {
    fn note(&self, request: impl Into<String>) {
        self.0.lock().unwrap().requests.push(request.into());
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.0.lock().unwrap().tokens.clone()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }

    /// A token of 40 characters, different at each position from the others.
    fn issue(&self) -> String {
        let token: String = format!("{}{}", uuid::Uuid::new_v4().simple(), "+/=.~_-?");
        self.0.lock().unwrap().tokens.push(token.clone());
        token
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get("authorization").and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
        token.is_some_and(|token| self.tokens().iter().any(|known| known == token))
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Seen,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let seen = Seen::default();
        let router = Router::new()
            .route("/api/login", post(login))
            .route("/api/items", get(items))
            .route("/api/items/{id}/take", post(take))
            .route("/api/empty", get(async || axum::Json(json!([]))))
            .route("/api/broken", get(async || (StatusCode::INTERNAL_SERVER_ERROR, "broken")))
            .route("/api/slow", get(slow))
            .with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen }
    }
}

async fn login(State(seen): State<Seen>, axum::Json(body): axum::Json<Value>) -> Response {
    if body["password"] != PASSWORD {
        // As servers do that echo what they refuse.
        let echoed =
            json!({"detail": "Invalid credentials", "input": body, "text": body["password"]});
        return (StatusCode::UNAUTHORIZED, axum::Json(echoed)).into_response();
    }
    seen.note("login");
    let (access, refresh) = (seen.issue(), seen.issue());
    axum::Json(json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer"}))
        .into_response()
}

async fn items(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    if !seen.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    seen.note("items");
    axum::Json(json!({"items": [{"id": "a b"}, {"id": "item/2"}, {"id": 3}]})).into_response()
}

async fn take(
    State(seen): State<Seen>,
    Segment(id): Segment<String>,
    headers: HeaderMap,
) -> Response {
    if !seen.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    seen.note(format!("take {id}"));
    axum::Json(json!({"id": id})).into_response()
}

/// Answers after 300 ms, so that there is something in flight when a test stops the recording.
async fn slow(State(seen): State<Seen>) -> &'static str {
    seen.note("slow");
    tokio::time::sleep(Duration::from_millis(300)).await;
    "{}"
}

/// A folder with personas and manifest.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new(personas: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        std::fs::write(folder.path("personas.toml"), personas).unwrap();
        folder.write_manifest(PASSWORD);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write_manifest(&self, password: &str) {
        let accounts: Vec<Value> =
            [("Taker", "taker1"), ("Taker", "taker2"), ("Looker", "looker1")]
                .iter()
                .map(|(persona, name)| account(persona, name, password))
                .collect();
        std::fs::write(self.path("manifest.json"), manifest(&accounts).to_string()).unwrap();
    }

    /// `recorder personas` on this folder's files, with `more` arguments, which
    /// stand in the place of the usual ones.
    pub(crate) fn personas(&self, url: &str, more: &[&str]) -> Command {
        let [personas, manifest] = ["personas.toml", "manifest.json"].map(|name| self.path(name));
        let trace = self.trace();
        let usual = [
            ("--target", OsStr::new(url)),
            ("--spawn-rate", OsStr::new("100/s")),
            ("--users", OsStr::new("3")),
            ("--duration", OsStr::new("60s")),
            ("--personas", personas.as_os_str()),
            ("--manifest", manifest.as_os_str()),
            ("--out", trace.as_os_str()),
        ];
        let mut command = recorder(&["personas"]);
        for (option, value) in usual.iter().filter(|(option, _)| !more.contains(option)) {
            command.arg(option).arg(value);
        }
        command.args(more);
        command
    }

    pub(crate) fn trace(&self) -> PathBuf {
        self.path("t.trace.jsonl.zst")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path("t.trace.jsonl.zst.part")
    }
}

pub(crate) fn account(persona: &str, name: &str, password: &str) -> Value {
    let email = format!("{name}@test.eriop.example");
    json!({"persona": persona, "name": name, "fields": {"email": email, "password": password}})
}

pub(crate) fn manifest(accounts: &[Value]) -> Value {
    json!({
        "format": "seeder-manifest", "version": 1, "tool": "seeder test",
        "plan": {"name": "test", "digest": "sha256:00"}, "seed": 1, "scale": 1,
        "database": {"system_identifier": "1", "name": "test", "server_version": "15"},
        "bcrypt_costs": [4], "tables": [], "digest": "sha256:11", "accounts": accounts,
    })
}

pub(crate) fn recorder(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recorder"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(mut command: Command) -> Output {
    command.output().unwrap()
}

/// What a run of the tool took of the machine, as the kernel has it.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) code: i32,
    pub(crate) peak_kib: u64,
    /// Of the processors, which a busy neighbour does not add to.
    pub(crate) seconds: f64,
}

impl Used {
    /// Runs it to its end, in a process of its own whose children are that one alone.
    pub(crate) fn by(args: &[&str]) -> Self {
        let script = "import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=2, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime)";
        let output = Command::new("python3")
            .args(["-c", script, env!("CARGO_BIN_EXE_recorder")])
            .args(args)
            .output()
            .unwrap();
        let told = text(&output.stdout);
        let [code, peak_kib, seconds] = told.trim().split(' ').collect::<Vec<_>>()[..] else {
            panic!("{told:?}: {}", text(&output.stderr))
        };
        Self {
            code: code.parse().unwrap(),
            peak_kib: peak_kib.parse().unwrap(),
            seconds: seconds.parse().unwrap(),
        }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Ends as it should; what was printed otherwise.
pub(crate) fn good(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

pub(crate) fn read(trace: &Path) -> Vec<Request> {
    let mut reader = TraceReader::open(trace).unwrap();
    let mut requests = Vec::new();
    while let Some(request) = reader.next_request().unwrap() {
        requests.push(request);
    }
    requests
}

/// Waits until a file has that many whole lines, while `child` runs.
pub(crate) fn wait_for_lines(child: &mut Child, path: &Path, lines: usize) {
    let start = Instant::now();
    while std::fs::read(path).map_or(0, |b| b.iter().filter(|b| **b == b'\n').count()) < lines {
        assert!(child.try_wait().unwrap().is_none(), "the recorder ended early");
        assert!(start.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process of this test.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(sent.unwrap().success());
}
