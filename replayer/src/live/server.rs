//! What is served, on a thread and a runtime of its own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use axum::{Json, Router};
use common_net::signals::Interrupt;
use futures_util::stream;
use rustix::process::Signal;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::guard::{Guard, Pass, Refusal};
use super::marks::{MarkError, Marks};
use super::metrics::{Form, page};
use super::page::{FILES, HEADERS};
use super::report::{ReportError, page_of, reporter};
use super::snapshot::{Event, Snapshot};
use super::told::Told;

/// Connections at once: each takes a descriptor that a user of the run might have.
const CONNECTIONS: usize = 64;

/// Events that a viewer may be behind before it gets all anew.
const BEHIND: usize = 16;

/// A viewer who is told nothing else hears that it is still connected.
const QUIET: Duration = Duration::from_secs(10);

/// How long viewers may take to read the end of a run.
const FAREWELL: Duration = Duration::from_secs(1);

/// Bytes of a request's body.
const MOST_BODY: usize = 4096;

pub(super) struct Server {
    pub listener: std::net::TcpListener,
    pub guard: Guard,
    pub marks: Marks,
    /// What viewers ask of the run.
    pub asked: watch::Sender<Interrupt>,
}

struct App {
    guard: Guard,
    marks: Marks,
    asked: watch::Sender<Interrupt>,
    shown: Mutex<Shown>,
    /// One report is written at a time.
    reports: Semaphore,
}

struct Shown {
    snapshot: Snapshot,
    /// None when there is nothing more to come.
    events: Option<broadcast::Sender<Event>>,
}

impl App {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        // Of this thread alone.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until whoever tells is gone, and all that was told was sent to who reads it.
///
/// # Errors
/// When the listener cannot be used.
pub(super) async fn serve(server: Server, mut told: mpsc::Receiver<Told>) -> io::Result<()> {
    let Server { listener, guard, marks, asked } = server;
    let listener = Capped {
        listener: TcpListener::from_std(listener)?,
        permits: Arc::new(Semaphore::new(CONNECTIONS)),
    };
    let events = Some(broadcast::channel(BEHIND).0);
    let shown = Mutex::new(Shown { snapshot: Snapshot::default(), events });
    let app = Arc::new(App { guard, marks, asked, shown, reports: Semaphore::new(1) });
    let routes = FILES.iter().fold(Router::new(), |routes, file| {
        let answer = ([(header::CONTENT_TYPE, file.kind)], file.text);
        routes.route(file.path, get(move || async move { answer }))
    });
    let routes = routes
        .route("/events", get(events_of))
        .route("/metrics", get(metrics))
        .route("/report", get(report))
        .route("/stop", post(stop))
        .route("/abort", post(abort))
        .route("/mark", post(mark))
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn_with_state(Arc::clone(&app), guarded))
        .with_state(Arc::clone(&app));
    let (over, is_over) = oneshot::channel::<()>();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(async {
        let _ = is_over.await;
    });
    let mut serving = tokio::spawn(serving.into_future());
    while let Some(told) = told.recv().await {
        // However much is waiting, viewers have their turn.
        tokio::task::yield_now().await;
        let Shown { snapshot, events } = &mut *app.shown();
        let event = snapshot.take(told, app.marks.so_far());
        // Nobody may be looking.
        let _ = events.as_ref().map(|events| events.send(event));
    }
    // Viewers are sent what they have not read yet, and no more.
    app.shown().events = None;
    let _ = over.send(());
    let _ = timeout(FAREWELL, &mut serving).await;
    serving.abort();
    Ok(())
}

async fn guarded(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let passed = app.guard.pass(request.method(), request.uri(), request.headers());
    let mut response = match passed {
        Ok(Pass::Through) => next.run(request).await,
        Ok(Pass::ByCookie { set, to }) => {
            (StatusCode::SEE_OTHER, [(header::SET_COOKIE, set), (header::LOCATION, to)])
                .into_response()
        }
        Err(Refusal(status, why)) => (status, format!("{why}\n")).into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// A viewer's way through what happens.
struct Viewer {
    app: Arc<App>,
    receiver: Option<broadcast::Receiver<Event>>,
    waiting: VecDeque<Event>,
}

async fn events_of(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let viewer = {
        let shown = app.shown();
        let receiver = shown.events.as_ref().map(broadcast::Sender::subscribe);
        let waiting = shown.snapshot.since(last).into();
        drop(shown);
        Viewer { app, receiver, waiting }
    };
    let body = Body::from_stream(stream::unfold(viewer, |mut viewer| async {
        let chunk = viewer.next().await?;
        Some((Ok::<_, Infallible>(chunk), viewer))
    }));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

impl Viewer {
    /// What it is sent next; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(event) = self.waiting.pop_front() {
            return Some(event.text);
        }
        let receiver = self.receiver.as_mut()?;
        match timeout(QUIET, receiver.recv()).await {
            Err(_quiet) => Some(Bytes::from_static(b":\n\n")),
            Ok(Ok(event)) => Some(event.text),
            Ok(Err(RecvError::Closed)) => None,
            Ok(Err(RecvError::Lagged(_))) => {
                let shown = self.app.shown();
                *receiver = receiver.resubscribe();
                Some(shown.snapshot.whole().text)
            }
        }
    }
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = Form::accepted(accept.unwrap_or_default());
    let text = page(&app.shown().snapshot, form);
    ([(header::CONTENT_TYPE, form.content_type())], text).into_response()
}

/// The report so far. Its page has a policy of its own, which lets its scripts run and no others.
async fn report(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match reported(&app, &headers).await {
        Ok(page) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
            ];
            (headers, page).into_response()
        }
        Err(error) => (error.status(), format!("{error}\n")).into_response(),
    }
}

async fn reported(app: &App, headers: &HeaderMap) -> Result<String, ReportError> {
    // It takes processor time, which a page of another site could make it take.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(ReportError::Foreign);
    }
    let dir = app.shown().snapshot.dir.clone().ok_or(ReportError::NotYet)?;
    let _alone = app.reports.try_acquire().map_err(|_| ReportError::Busy)?;
    page_of(&dir, &reporter()?).await
}

/// As Ctrl-C does.
async fn stop(State(app): State<Arc<App>>) -> StatusCode {
    // Told again, too: what lingers after a run that was stopped ends by it.
    app.asked.send_modify(|asked| {
        if *asked == Interrupt::None {
            *asked = Interrupt::Stop { signal: Signal::INT.as_raw() };
        }
    });
    StatusCode::NO_CONTENT
}

/// As a second Ctrl-C does.
async fn abort(State(app): State<Arc<App>>) -> StatusCode {
    app.asked.send_replace(Interrupt::Abort { signal: Signal::INT.as_raw() });
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Labelled {
    label: String,
}

async fn mark(State(app): State<Arc<App>>, Json(Labelled { label }): Json<Labelled>) -> Response {
    match app.marks.note(&label) {
        Ok(mark) => Json(mark).into_response(),
        Err(error) => {
            let status = match error {
                MarkError::NoRun | MarkError::TooMany => StatusCode::CONFLICT,
                MarkError::Label => StatusCode::UNPROCESSABLE_ENTITY,
            };
            (status, format!("{error}\n")).into_response()
        }
    }
}

/// No more connections than there are permits; others wait to be accepted.
struct Capped {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl Listener for Capped {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Each second is small, and somebody waits for it.
        let _ = stream.set_nodelay(true);
        (Connection { stream, _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Connection {
    stream: TcpStream,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
