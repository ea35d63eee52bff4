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
use common::address;
use common_net::signals::Shutdown;
use http_body_util::{BodyExt as _, Full, Limited, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use reqwest::Client;
use rewrites::Route;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use trace::format::{Answer, CaptureFrom, RecordedResult};
use trace::reader::{ReadError, TraceReader};

use crate::persona::Target;
use crate::proxy::headers;

/// Answers of the recording that are kept of each route; a longer one has the first of them.
const MOST_ANSWERS: usize = 10_000;

/// Bytes of a request that is passed on, or of its answer, which are held whole.
const MOST_BYTES: usize = 16 << 20;

/// How long requests in flight may take once it is told to stop.
const GRACE: Duration = Duration::from_secs(10);

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
    Refused(#[from] address::SafetyError),
    #[error("cannot set up an HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
}

/// What to answer, and where to.
#[derive(Debug)]
pub struct Config {
    pub trace: PathBuf,
    pub routes: Vec<Route>,
    pub upstream: Target,
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
    headers: Vec<(HeaderName, HeaderValue)>,
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
    client: Client,
    upstream: Target,
    answered: AtomicU64,
    passed_on: AtomicU64,
}

/// Serves until told to stop; then what is in flight gets 10 s.
///
/// # Errors
/// When the trace cannot be read or has no answer of a route, the upstream is refused, or the
/// address is taken.
pub async fn serve(
    config: Config,
    shutdown: Shutdown,
    listening: impl FnOnce(SocketAddr),
) -> Result<Served, MockError> {
    let answers = read(&config)?;
    let upstream = config.upstream;
    let addresses = address::pin(upstream.host(), upstream.port(), &config.allowed_hosts)?;
    // An error means that a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = upstream.client(&addresses).map_err(MockError::Client)?;
    let address = config.listen;
    let failed = |source| MockError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    listening(listener.local_addr().map_err(failed)?);
    let (answered, passed_on) = (AtomicU64::new(0), AtomicU64::new(0));
    let mock = Arc::new(Mock { answers, client, upstream, answered, passed_on });
    let http = Arc::new(Builder::new(TokioExecutor::new()));
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = shutdown.stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // For lack of descriptors, which others give back.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        // It concerns latency alone, and on some systems cannot be had.
        let _ = stream.set_nodelay(true);
        let (mock, http, stop) = (Arc::clone(&mock), Arc::clone(&http), shutdown.stop.clone());
        drop(connections.spawn(async move {
            let service = service_fn(move |request| {
                let mock = Arc::clone(&mock);
                async move { Ok::<_, std::convert::Infallible>(mock.answer(request).await) }
            });
            let mut connection =
                std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
            // A client that goes away is no fault of this server.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        }));
    }
    drop(listener);
    connections.close();
    tokio::select! {
        _ = tokio::time::timeout(GRACE, connections.wait()) => {}
        () = shutdown.abort.cancelled() => {}
    }
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    Ok(Served { answered: count(&mock.answered), passed_on: count(&mock.passed_on) })
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
            of.recorded.push(Recorded::of(answer));
            take_in(&mut of.made, answer);
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
        let mut headers =
            vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        for capture in &answer.capture {
            let name = match &capture.from {
                CaptureFrom::Header(name) | CaptureFrom::HeaderSegment { name, .. } => name,
                _ => continue,
            };
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                headers.push((name, HeaderValue::from_static("/mock/1")));
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

type Body = BoxBody<Bytes, std::convert::Infallible>;

fn whole(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed());
    *response.status_mut() = status;
    response
}

impl Mock {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let name = format!("{method} {path}");
        let is_for =
            |of: &&Answers| of.route.matches(&name, method, path, "") || of.ends(method, path);
        let Some(answers) = self.answers.iter().find(is_for) else {
            self.passed_on.fetch_add(1, Ordering::Relaxed);
            return self.pass_on(request).await.unwrap_or_else(|why| {
                let body = json!({ "detail": format!("recorder mock: {why}") });
                whole(StatusCode::BAD_GATEWAY, Bytes::from(body.to_string()))
            });
        };
        let begun = tokio::time::Instant::now();
        // To its end, so that the connection can be used again.
        let _ = Limited::new(request.into_body(), MOST_BYTES).collect().await;
        let turn = answers.next.fetch_add(1, Ordering::Relaxed) % answers.recorded.len();
        let recorded = &answers.recorded[turn];
        tokio::time::sleep_until(begun + recorded.after).await;
        self.answered.fetch_add(1, Ordering::Relaxed);
        let body = recorded.body.clone();
        let body = body.unwrap_or_else(|| Bytes::from(answers.made.to_string()));
        let mut response = whole(recorded.status, body);
        for (name, value) in &recorded.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }

    async fn pass_on(&self, request: Request<Incoming>) -> Result<Response<Body>, String> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await;
        let body = body.map_err(|error| format!("the request's body: {error}"))?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = self.upstream.url(path).ok_or("its path cannot be passed on")?;
        let mut passed = reqwest::Request::new(head.method, url);
        *passed.headers_mut() = passed_on(head.headers);
        passed.headers_mut().remove(header::HOST);
        if !body.is_empty() {
            *passed.body_mut() = Some(body.into());
        }
        let failed =
            |error: reqwest::Error| format!("the upstream gave no answer: {}", error.without_url());
        let mut answer = self.client.execute(passed).await.map_err(failed)?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(format!("the upstream's answer is over {} MiB", MOST_BYTES >> 20));
            }
            bytes.extend_from_slice(&chunk);
        }
        let mut response = whole(status, Bytes::from(bytes));
        *response.headers_mut() = passed_on(headers);
        Ok(response)
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

/// The headers of a message whose body is held whole: its length is written anew, and it has no
/// trailers.
fn passed_on(mut headers: hyper::HeaderMap) -> hyper::HeaderMap {
    headers::remove_hop_by_hop(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRAILER);
    headers
}
