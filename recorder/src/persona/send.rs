//! One exchange with the target.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use redact::Redactor;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::render::Rendered;
use common::target::{self, TargetError};
use common_net::coding::decode;
use trace::format::RecordedErrorKind;
use trace::shape::{Shape, json_of};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Of an answer's body this much is kept for its shape and for captures; a
/// longer one is read to its end, and has neither.
const KEPT_BYTES: usize = 8 << 20;

/// Scheme, host and port of the system that is recorded.
#[derive(Clone, Debug)]
pub struct Target(Url);

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let target: target::Target = text.parse()?;
        Url::parse(&target.to_string()).map(Self).map_err(|_| TargetError::NotAUrl)
    }
}

impl Target {
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    /// `http://127.0.0.1:8080`.
    pub(super) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// A client with connections of its own, to the pinned addresses alone.
    pub(crate) fn client(&self, addresses: &[SocketAddr]) -> reqwest::Result<Client> {
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .http1_title_case_headers()
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .resolve_to_addrs(self.host(), addresses);
        if self.0.scheme() == "http" {
            // Nothing is verified, and reading the system's certificates once a user takes long.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        builder.build()
    }

    /// The request, ready to be sent; none if a value cannot stand in a header or path.
    pub(super) fn request(
        &self,
        method: &reqwest::Method,
        rendered: &Rendered,
    ) -> Option<reqwest::Request> {
        let url = self.0.join(&rendered.path.sent).ok()?;
        let mut request = reqwest::Request::new(method.clone(), url);
        for (name, value) in &rendered.headers {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).ok()?;
            request.headers_mut().append(name, value.sent.parse().ok()?);
        }
        *request.body_mut() = rendered.body.as_ref().map(|body| body.sent.clone().into());
        Some(request)
    }
}

/// What came back, with times from the sending. It may have secrets in it, hence no `Debug`.
pub(super) enum Received {
    Answer {
        status: u16,
        header: Duration,
        total: Duration,
        size: u64,
        content_type: String,
        /// Its content coding undone; empty where it was longer than what is kept, or damaged.
        body: Vec<u8>,
        /// Whether the body is there to be looked into.
        is_seen: bool,
    },
    Failed {
        kind: RecordedErrorKind,
        after: Duration,
        error: Option<reqwest::Error>,
    },
}

impl Received {
    /// The body, if it is JSON.
    pub(super) fn json(&self) -> Option<Value> {
        match self {
            Self::Answer { body, .. } => serde_json::from_slice(body).ok(),
            Self::Failed { .. } => None,
        }
    }

    /// The shape of the body, as whoever compares it will take it; that of an unseen one where a
    /// key is a secret.
    pub(super) fn shape(&self, redactor: Redactor<'_>) -> Option<Shape> {
        match self {
            Self::Answer { status, content_type, body, is_seen: true, .. } => {
                let json = json_of(content_type, body);
                match json {
                    Some(json) if redactor.is_key_in(&json) => Shape::unseen(*status, content_type),
                    json => Shape::of_json(*status, json.as_ref()),
                }
            }
            Self::Answer { status, content_type, .. } => Shape::unseen(*status, content_type),
            Self::Failed { .. } => None,
        }
    }
}

/// Sends a request and reads the answer to its end, unless `abandon` comes first.
pub(super) async fn send(
    client: &Client,
    request: reqwest::Request,
    abandon: &CancellationToken,
) -> Received {
    let sent = Instant::now();
    let exchange = async {
        let mut response = client.execute(request).await?;
        let header = sent.elapsed();
        let (mut size, mut body) = (0, Vec::new());
        while let Some(chunk) = response.chunk().await? {
            size += chunk.len() as u64;
            if size <= KEPT_BYTES as u64 {
                body.extend_from_slice(&chunk);
            } else {
                body = Vec::new();
            }
        }
        let total = sent.elapsed();
        let text_of = |name| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        let is_whole = size <= KEPT_BYTES as u64;
        let coding = text_of(CONTENT_ENCODING).as_bytes();
        let plain = decode(coding, &body, KEPT_BYTES).ok().filter(|_| is_whole);
        Ok(Received::Answer {
            status: response.status().as_u16(),
            header,
            total,
            size: plain.as_ref().map_or(size, |plain| plain.len() as u64),
            content_type: text_of(CONTENT_TYPE).to_owned(),
            is_seen: plain.is_some(),
            body: plain.map(Cow::into_owned).unwrap_or_default(),
        })
    };
    let failed = |kind, error| Received::Failed { kind, after: sent.elapsed(), error };
    tokio::select! {
        () = abandon.cancelled() => failed(RecordedErrorKind::StillOpen, None),
        received = exchange => received.unwrap_or_else(|error: reqwest::Error| {
            let kind = if error.is_timeout() {
                RecordedErrorKind::Timeout
            } else {
                RecordedErrorKind::Reset
            };
            failed(kind, Some(error.without_url()))
        }),
    }
}
