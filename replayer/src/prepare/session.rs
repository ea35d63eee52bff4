//! A session as the engine runs it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::capture::Capture;
use super::template::Template;

/// One recorded session.
#[derive(Debug)]
pub struct Session {
    /// The recorded name, for messages and for the stable hash of shards.
    pub name: String,
    pub persona: usize,
    /// When it began, from the start of the recording.
    pub arrival: Duration,
    /// How many of the first requests are its prologue (the login).
    pub prologue: usize,
    /// From its first request to the end of its prologue.
    pub prologue_length: Duration,
    /// From the end of its prologue to the end of its last exchange.
    pub body_length: Duration,
    /// When its requests were sent, from the first, in order: what the plan is made from.
    pub offsets: Box<[Offset]>,
    pub body: Body,
    /// How many values its requests capture.
    pub captures: usize,
    /// A request past the prologue that renews what the prologue captured.
    pub refresh: Option<usize>,
    /// The most exchanges that were under way at once, at most [`MAX_CONNECTIONS`].
    pub width: usize,
}

/// A time since the session's first request, in half the memory of a `Duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    micros: u64,
}

impl Offset {
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.micros)
    }
}

impl From<Duration> for Offset {
    fn from(offset: Duration) -> Self {
        Self { micros: u64::try_from(offset.as_micros()).unwrap_or(u64::MAX) }
    }
}

/// A session's requests.
#[derive(Debug)]
pub enum Body {
    Held(Arc<[Request]>),
    /// Given just before the session begins, and taken when it does.
    Streamed(Mutex<Option<Arc<[Request]>>>),
}

impl Default for Body {
    fn default() -> Self {
        Self::Streamed(Mutex::new(None))
    }
}

impl Body {
    /// The requests for a run of the session; none where they were not given, or were taken.
    pub fn begin(&self) -> Option<Arc<[Request]>> {
        match self {
            Self::Held(requests) => Some(Arc::clone(requests)),
            Self::Streamed(given) => given.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }

    /// The requests of one that is held; none of one that is streamed.
    pub fn held(&self) -> &[Request] {
        match self {
            Self::Held(requests) => requests,
            Self::Streamed(_) => &[],
        }
    }

    pub fn give(&self, requests: Arc<[Request]>) {
        if let Self::Streamed(given) = self {
            *given.lock().unwrap_or_else(PoisonError::into_inner) = Some(requests);
        }
    }
}

/// Connections that one user may have.
pub const MAX_CONNECTIONS: usize = 6;

#[derive(Debug)]
pub struct Request {
    /// Index into the endpoints' names.
    pub endpoint: usize,
    /// From the session's first request.
    pub offset: Duration,
    pub template: Template,
    /// It is sent again on a fresh connection where a reused one was closed under it.
    pub idempotent: bool,
    pub is_head: bool,
    /// By open pacing, the requests that must have ended before it is sent.
    pub sources: Vec<Wait>,
    /// By closed pacing, the request whose end releases it: that of the exchange of the session
    /// that had ended last before it began. None for the first.
    pub predecessor: Option<Wait>,
    /// How often later requests name it as a source or as their predecessor: as long as it may
    /// be asked for, its end is kept.
    pub dependents: u32,
    pub captures: Vec<Capture>,
    /// What was recorded; none where no answer was.
    pub recorded: Option<Recorded>,
    /// Whether it carries a token from the prologue, which may have expired.
    pub has_token: bool,
}

#[derive(Debug)]
pub struct Recorded {
    pub status: u16,
    /// Index into the trace's shapes.
    pub shape: Option<usize>,
}

/// Notes of each request of a session how often others wait for it.
pub fn count_dependents(requests: &mut [Request]) {
    let mut dependents = vec![0; requests.len()];
    for wait in requests.iter().flat_map(Request::waits) {
        dependents[wait.request] += 1;
    }
    for (request, dependents) in requests.iter_mut().zip(dependents) {
        request.dependents = dependents;
    }
}

impl Request {
    /// All that it may wait for, by either pacing.
    pub fn waits(&self) -> impl Iterator<Item = Wait> {
        self.sources.iter().copied().chain(self.predecessor)
    }
}

/// An earlier request of the session, and how long after its end this one was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub request: usize,
    pub gap: Duration,
}
