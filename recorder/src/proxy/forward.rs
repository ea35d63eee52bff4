//! One request: to the upstream, and its answer back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::answer_body::{AnswerBody, BusyConnection};
use super::beginnings::{Beginnings, Inside};
use super::error::ConnectError;
use super::headers;
use super::instead::Instead;
use super::link::Link;
use super::open::{Fault, Open, Recording};
use super::pool::{Own, Pool};
use super::request_body::{Gate, RequestBody};
use super::rewrite::{self, Site};
use super::upgrade::tunnel;
use super::upstream::Upstream;
use trace::format::RecordedErrorKind;

/// How long the upstream may take to ask for a body, as clients do it.
const CONTINUE_AFTER: Duration = Duration::from_secs(1);

/// What all requests share.
pub(super) struct Proxy {
    pub(super) recording: Arc<Recording>,
    pub(super) upstream: Upstream,
    pub(super) pool: Arc<Pool>,
    pub(super) preserve_host: bool,
    pub(super) counts: Arc<Counts>,
    /// Ends what would otherwise go on for ever.
    pub(super) abandon: CancellationToken,
    /// What answers in the upstream's place; nothing is recorded then.
    pub(super) instead: Option<Arc<dyn Instead>>,
}

/// What is counted besides exchanges.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Client connections that are open.
    pub(super) open: AtomicU64,
    /// Client connections so far.
    pub(super) connections: AtomicU64,
    /// Connections that switched to another protocol.
    pub(super) upgrades: AtomicU64,
    /// Requests that were malformed, and not passed on.
    pub(super) refused: AtomicU64,
}

/// A client's connection.
pub(super) struct Client {
    /// From 1.
    pub(super) number: u64,
    pub(super) tls: bool,
    pub(super) beginnings: Beginnings,
    pub(super) own: Arc<Own>,
}

/// The upstream ended the connection in place of an answer: the client sees the same.
#[derive(Debug, thiserror::Error)]
#[error("the upstream did not answer")]
pub(super) struct Lost;

/// Answers a client, in one way or another.
pub(super) async fn answer(
    proxy: Arc<Proxy>,
    client: Arc<Client>,
    mut request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Lost> {
    let (began, inside) = client.began(&request);
    if !headers::is_only_chunked(request.headers()) {
        return Ok(proxy.refuse(StatusCode::NOT_IMPLEMENTED, "only chunked is understood here"));
    }
    if !headers::has_one_host(&request) {
        return Ok(proxy.refuse(StatusCode::BAD_REQUEST, "it does not name one host"));
    }
    if request.method() == Method::CONNECT {
        return Ok(proxy.refuse(StatusCode::NOT_IMPLEMENTED, "CONNECT is not possible here"));
    }
    let given = proxy
        .instead
        .as_ref()
        .and_then(|instead| instead.answer(request.method(), request.uri().path()));
    if let Some(given) = given {
        return Ok(given.give(began, request.into_body(), inside).await);
    }
    let place = proxy.recording.sink.place().await;
    let open = Open::begin(&proxy.recording, place, client.number, began, &request);
    if proxy.instead.is_some() {
        open.discard();
    }
    let upgrade = headers::upgrade(request.headers()).filter(|_| is_http_1(&request));
    let upgraded = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));

    let (parts, incoming) = request.into_parts();
    let host = headers::host(&parts.headers, &parts.uri);
    let mut body = RequestBody::new(incoming, Arc::clone(&open), inside);
    let chunked = !body.is_end_stream() && !parts.headers.contains_key(CONTENT_LENGTH);
    let expects = parts.headers.contains_key(EXPECT) && !body.is_end_stream();
    if chunked && !expects && !body.begins_well().await {
        open.discard();
        return Ok(proxy.refuse(StatusCode::BAD_REQUEST, "the body is malformed"));
    }
    let gate = expects.then(|| body.wait());
    let front = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let front = Site { https: client.tls, authority: front };
    let mut request = proxy.request(parts, body, host.as_ref(), front, upgrade);
    if let Some(gate) = &gate {
        let gate = gate.clone();
        hyper::ext::on_informational(&mut request, move |informed| {
            if informed.status() == StatusCode::CONTINUE {
                gate.open();
            }
        });
    }

    match proxy.send(request, &client.own, gate.as_ref()).await {
        Ok(Sent { mut response, link }) => {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let Some(upgraded) = upgraded else {
                    open.failed(RecordedErrorKind::Reset);
                    let why = "the upstream switched to a protocol that nobody asked for";
                    return Ok(own(StatusCode::BAD_GATEWAY, why));
                };
                open.discard();
                client.beginnings.off();
                return Ok(proxy.switch(upgraded, response, link.place));
            }
            open.answered(response.status().as_u16(), response.headers());
            if response.headers().contains_key(TRANSFER_ENCODING) {
                // RFC 9112, 6.3: it is not the length, and would cut the body off.
                response.headers_mut().remove(CONTENT_LENGTH);
            }
            headers::remove_hop_by_hop(response.headers_mut());
            rewrite::answer(response.headers_mut(), &proxy.upstream.origin, front);
            *response.version_mut() = Version::HTTP_11;
            let connection = BusyConnection { link, own: Arc::clone(&client.own), gate };
            Ok(response.map(|incoming| AnswerBody::passing(incoming, open, connection)))
        }
        Err(_) if open.fault() == Some(Fault::Malformed) => {
            Ok(proxy.refuse(StatusCode::BAD_REQUEST, "the body is malformed"))
        }
        Err(SendError::Lost) => {
            open.failed(RecordedErrorKind::Reset);
            Err(Lost)
        }
        Err(error) => {
            let (status, kind) = match error {
                SendError::Connect(ConnectError::Timeout(_)) => {
                    (StatusCode::GATEWAY_TIMEOUT, RecordedErrorKind::Timeout)
                }
                _ => (StatusCode::BAD_GATEWAY, RecordedErrorKind::Reset),
            };
            open.failed(kind);
            Ok(own(status, &error.to_string()))
        }
    }
}

struct Sent {
    response: Response<Incoming>,
    link: Link,
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("cannot reach the upstream: {0}")]
    Connect(#[from] ConnectError),
    #[error("the upstream's answer is malformed: {0}")]
    Http(hyper::Error),
    #[error("the upstream ended the connection")]
    Lost,
    #[error("the proxy is ending")]
    Ending(#[from] tokio::sync::AcquireError),
}

impl From<hyper::Error> for SendError {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() { Self::Http(error) } else { Self::Lost }
    }
}

impl Proxy {
    /// What the upstream gets.
    fn request(
        &self,
        mut parts: Parts,
        body: RequestBody,
        host: Option<&HeaderValue>,
        front: Site<'_>,
        upgrade: Option<HeaderValue>,
    ) -> Request<RequestBody> {
        let trailers = headers::takes_trailers(&parts.headers);
        headers::remove_hop_by_hop(&mut parts.headers);
        if parts.version == Version::HTTP_2 {
            rewrite::join_cookies(&mut parts.headers);
        }
        if self.preserve_host {
            if let Some(host) = host {
                parts.headers.insert(HOST, host.clone());
            }
        } else {
            rewrite::request(&mut parts.headers, &self.upstream.origin, front);
        }
        if let Some(to) = upgrade {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, to);
        } else if trailers {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("te"));
            parts.headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.uri_mut() =
            parts.uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
        *request.headers_mut() = parts.headers;
        request
    }

    /// Sends a request on a connection that is there or on a new one, when its turn has come. What
    /// may have been sent is not sent again: whether that is right only the client knows.
    async fn send(
        &self,
        mut request: Request<RequestBody>,
        own: &Own,
        gate: Option<&Gate>,
    ) -> Result<Sent, SendError> {
        while let Some(mut link) = own.take() {
            match in_time(link.sender.try_send_request(request), gate).await {
                Ok(response) => return Ok(Sent { response, link }),
                Err(mut error) => match error.take_message() {
                    // The upstream was closing this connection.
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let place = self.pool.place().await?;
        let (sender, input) = self.upstream.connect().await?;
        let mut link = Link { sender, input, place };
        let response = in_time(link.sender.send_request(request), gate).await?;
        Ok(Sent { response, link })
    }

    /// Joins the two connections, once hyper has let go of both.
    fn switch(
        &self,
        client: OnUpgrade,
        mut response: Response<Incoming>,
        place: OwnedSemaphorePermit,
    ) -> Response<AnswerBody> {
        self.counts.upgrades.fetch_add(1, Ordering::Relaxed);
        let upstream = hyper::upgrade::on(&mut response);
        tokio::spawn(tunnel(client, upstream, place, self.abandon.clone()));
        response.map(|_| AnswerBody::Own(None))
    }

    /// Answers a request that is not passed on, and ends the connection: where its next request
    /// begins is not known.
    fn refuse(&self, status: StatusCode, why: &str) -> Response<AnswerBody> {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        let mut response = own(status, why);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

impl Client {
    /// When the request began, and what its body is to hold.
    fn began<B>(&self, request: &Request<B>) -> (Instant, Option<Inside>) {
        if !is_http_1(request) {
            self.beginnings.off();
            return (Instant::now(), None);
        }
        let (began, inside) = self.beginnings.take();
        (began, Some(inside))
    }
}

/// Opens the gate where the upstream says nothing about the body.
async fn in_time<T>(sending: impl Future<Output = T>, gate: Option<&Gate>) -> T {
    let Some(gate) = gate else { return sending.await };
    let mut sending = std::pin::pin!(sending);
    tokio::select! {
        sent = &mut sending => sent,
        () = tokio::time::sleep(CONTINUE_AFTER) => {
            gate.open();
            sending.await
        }
    }
}

fn is_http_1<B>(request: &Request<B>) -> bool {
    request.version() != Version::HTTP_2
}

/// An answer of the proxy's own.
fn own(status: StatusCode, why: &str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Own(Some(Bytes::from(format!("{why}\n")))));
    *response.status_mut() = status;
    response
}
