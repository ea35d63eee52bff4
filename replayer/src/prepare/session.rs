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
    /// Login slots that its prologue fills, and those that the rest needs.
    pub gives: Box<[usize]>,
    pub needs: Box<[usize]>,
    /// A request past the prologue that renews what the prologue captured.
    pub refresh: Option<usize>,
    /// The most exchanges that were under way at once, at most [`MAX_CONNECTIONS`].
    pub width: usize,
}

impl Session {
    /// Whether a user who began with it has what another session needs of a login. `slots` says
    /// what is the same.
    pub fn gives_what(&self, other: &Self, slots: &[u32]) -> bool {
        let is_given =
            |needed: &usize| self.gives.iter().any(|given| slots.get(*given) == slots.get(*needed));
        other.needs.iter().all(is_given)
    }
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

#[derive(Clone, Debug)]
pub struct Request {
    /// Index into the endpoints' names.
    pub endpoint: usize,
    pub template: Template,
    /// It is sent again on a fresh connection where a reused one was closed under it.
    pub idempotent: bool,
    /// It reads and changes nothing: GET or HEAD.
    pub is_safe: bool,
    pub is_head: bool,
    /// The requests that must have ended before it is sent. Those of the prologue are none of
    /// them: what comes after it waits for all of it.
    pub waits: Box<[Wait]>,
    /// The requests that wait for it.
    pub dependents: Box<[u32]>,
    /// The next request of its session that waits for no other; past the last one where there is
    /// none.
    pub next_free: u32,
    /// How long its exchange took when it was recorded, in microseconds; 0 where that is unknown.
    pub took_us: u64,
    pub captures: Vec<Capture>,
    /// What was recorded; none where no answer was.
    pub recorded: Option<Recorded>,
    /// Whether it carries a token from the prologue, which may have expired.
    pub has_token: bool,
    /// The key of the mark that its payload gets, if it gets one.
    pub mark: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Recorded {
    pub status: u16,
    /// Index into the trace's shapes.
    pub shape: Option<usize>,
}

/// An earlier request of the session that one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub request: u32,
    /// By closed pacing, whether there was time to think from its end on; else only its value is
    /// needed.
    pub thinks: bool,
}

/// Notes of each request of a session who waits for it, and which is the next that is free.
pub fn link(requests: &mut [Request]) {
    let mut dependents: Vec<Vec<u32>> = Vec::new();
    dependents.resize_with(requests.len(), Vec::new);
    let mut next_free = number(requests.len());
    for index in (0..requests.len()).rev() {
        for wait in &requests[index].waits {
            dependents[wait.request as usize].push(number(index));
        }
        requests[index].next_free = next_free;
        if requests[index].waits.is_empty() {
            next_free = number(index);
        }
    }
    for (request, mut dependents) in requests.iter_mut().zip(dependents) {
        dependents.reverse();
        request.dependents = dependents.into();
    }
}

/// A request's number in its session.
///
/// # Panics
/// Past four thousand million of them, which no memory holds.
pub fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a session fits into memory")
}
