//! A server in front of another that answers chosen routes as a recording has them, with the times
//! that they took then, and passes on all else.
//!
//! What an endpoint would answer that the target does not have (Vigilia's trap 3) is so measured
//! as part of the load, and the report says so if a rewrite's `means` does.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common_net::signals::Shutdown;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use rewrites::Route;
use serde_json::{Value, json};
use trace::format::{Answer, CaptureFrom, RecordedResult};
use trace::reader::{ReadError, TraceReader};

use crate::proxy::{Given, Instead, Passing, ProxyError, UpstreamUrl, pass_on};

/// Nobody reads JSON that goes deeper, and what writes it goes as deep as it does.
const MOST_DEPTH: usize = 100;

/// Answers of the recording that are kept of each route; a longer one has the first of them.
const MOST_ANSWERS: usize = 10_000;

/// Bytes of their bodies that are kept together, the first one of each route aside.
const MOST_BYTES: usize = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum MockError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("trace {} has no answer to {route}; it has {known}", path.display())]
    NoAnswer { path: PathBuf, route: String, known: String },
    #[error(
        "trace {} has nothing but failures of {route}, such as {status}: take a recording of a \
         target that has it, such as fixtures/traces/personas.trace.jsonl",
        path.display()
    )]
    Failures { path: PathBuf, route: String, status: u16 },
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

/// What to answer, and where to.
#[derive(Debug)]
pub struct Config {
    pub trace: PathBuf,
    pub routes: Vec<Route>,
    pub upstream: UpstreamUrl,
    pub allowed_hosts: Vec<String>,
    pub listen: SocketAddr,
}

/// Requests that were answered here, and those that were passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub answered: u64,
    pub passed_on: u64,
}

/// An answer as it was recorded.
struct Recorded {
    status: StatusCode,
    after: Duration,
    /// Where it was kept.
    body: Option<Bytes>,
    headers: HeaderMap,
}

/// The answers of a route, given in turn.
struct Answers {
    route: Route,
    recorded: Vec<Recorded>,
    /// A body in the place of one that was not kept: what any later request took from any of them
    /// is there, since nobody knows who asks.
    made: Value,
    next: AtomicUsize,
}

struct Mock {
    answers: Vec<Answers>,
    answered: AtomicU64,
}

/// Serves until told to stop; then what is in flight gets 10 s.
///
/// # Errors
/// When the trace cannot be read or has no answer of a route, the upstream is refused or cannot be
/// reached, or the address is taken.
pub async fn serve(
    config: Config,
    shutdown: Shutdown,
    listening: impl FnOnce(SocketAddr),
) -> Result<Served, MockError> {
    let mock = Arc::new(Mock { answers: read(&config)?, answered: AtomicU64::new(0) });
    let Config { upstream, allowed_hosts, listen, .. } = config;
    let passing = Passing { upstream, allowed_hosts, listen };
    let passed_on = pass_on(passing, Arc::<Mock>::clone(&mock), shutdown, listening).await?;
    // Relaxed: all that counted has ended.
    Ok(Served { answered: mock.answered.load(Ordering::Relaxed), passed_on })
}

/// The answers of each route, in the order of the recording.
fn read(config: &Config) -> Result<Vec<Answers>, MockError> {
    let mut reader = TraceReader::open(&config.trace)?;
    let answers = config.routes.iter().cloned();
    let mut answers: Vec<Answers> = answers
        .map(|route| Answers {
            route,
            recorded: Vec::new(),
            made: json!({}),
            next: AtomicUsize::new(0),
        })
        .collect();
    let mut known = BTreeSet::new();
    let mut room = MOST_BYTES;
    while let Some(request) = reader.next_request()? {
        if known.len() < 20 {
            known.insert(request.name.clone());
        }
        let RecordedResult::Answer(answer) = &request.result else { continue };
        let is_for =
            |of: &&mut Answers| of.route.matches(&request.name, &request.method, &request.path, "");
        if let Some(of) = answers.iter_mut().find(is_for)
            && of.recorded.len() < MOST_ANSWERS
        {
            let size = answer.body.as_ref().map_or(0, String::len);
            if size <= room || of.recorded.is_empty() {
                room = room.saturating_sub(size);
                of.recorded.push(Recorded::of(answer));
                take_in(&mut of.made, answer);
            }
        }
    }
    reader.finish()?;
    let fails = |of: &&Answers| of.recorded.iter().all(|answer| answer.status.as_u16() >= 400);
    if let Some((of, first)) =
        answers.iter().filter(fails).find_map(|of| Some((of, of.recorded.first()?)))
    {
        return Err(MockError::Failures {
            path: config.trace.clone(),
            route: of.route.to_string(),
            status: first.status.as_u16(),
        });
    }
    match answers.iter().find(|of| of.recorded.is_empty()) {
        None => Ok(answers),
        Some(of) => Err(MockError::NoAnswer {
            path: config.trace.clone(),
            route: of.route.to_string(),
            known: known.into_iter().collect::<Vec<_>>().join(", "),
        }),
    }
}

impl Recorded {
    fn of(answer: &Answer) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for capture in &answer.capture {
            let name = match &capture.from {
                CaptureFrom::Header(name) | CaptureFrom::HeaderSegment { name, .. } => name,
                _ => continue,
            };
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                headers.append(name, HeaderValue::from_static("/mock/1"));
            }
        }
        Self {
            status: StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK),
            after: Duration::from_micros(answer.total_us),
            body: answer.body.clone().map(Bytes::from),
            headers,
        }
    }
}

/// Has what was captured from an answer in a body that is made.
fn take_in(body: &mut Value, answer: &Answer) {
    for capture in &answer.capture {
        if let CaptureFrom::Json { pointer, .. } = &capture.from
            && let Some(tokens) = trace::pointer::tokens(pointer)
            && tokens.len() <= MOST_DEPTH
        {
            put(body, &tokens, uuid_like(&capture.name));
        }
    }
}

/// Puts a value where a pointer leads, and the lists and objects on the way.
fn put(at: &mut Value, tokens: &[String], value: Value) {
    let Some((token, rest)) = tokens.split_first() else {
        *at = value;
        return;
    };
    match token.parse::<usize>() {
        Ok(index) if index < 1000 => {
            if !at.is_array() {
                *at = json!([]);
            }
            let Value::Array(items) = at else { return };
            if items.len() <= index {
                items.resize(index + 1, json!({}));
            }
            put(&mut items[index], rest, value);
        }
        _ => {
            if !at.is_object() {
                *at = json!({});
            }
            let Value::Object(fields) = at else { return };
            put(fields.entry(token.clone()).or_insert_with(|| json!({})), rest, value);
        }
    }
}

/// Something that looks like an id, the same for the same name.
fn uuid_like(name: &str) -> Value {
    let hash = common::digest::stable_hash(name.as_bytes());
    let (high, low) = (hash >> 32, hash & 0xffff_ffff);
    json!(format!("{high:08x}-0000-4000-8000-0000{low:08x}"))
}

impl Instead for Mock {
    fn answer(&self, method: &Method, path: &str) -> Option<Given> {
        let method = method.as_str();
        let name = format!("{method} {path}");
        let is_for =
            |of: &&Answers| of.route.matches(&name, method, path, "") || of.ends(method, path);
        let answers = self.answers.iter().find(is_for)?;
        let turn = answers.next.fetch_add(1, Ordering::Relaxed) % answers.recorded.len();
        let Recorded { status, after, body, headers } = &answers.recorded[turn];
        self.answered.fetch_add(1, Ordering::Relaxed);
        let made = || Bytes::from(answers.made.to_string());
        Some(Given {
            status: *status,
            headers: headers.clone(),
            body: body.clone().unwrap_or_else(made),
            after: *after,
        })
    }
}

impl Answers {
    /// Whether a path ends as the route does: what a recording calls `/alerts/ingest` may be sent
    /// to `/api/v1/alerts/ingest`.
    fn ends(&self, method: &str, path: &str) -> bool {
        let starts = path.match_indices('/').map(|(at, _)| at);
        let mut below = starts.map(|at| &path[at..]);
        below.any(|path| self.route.matches(&format!("{method} {path}"), method, path, ""))
    }
}
