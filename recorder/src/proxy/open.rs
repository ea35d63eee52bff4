//! An exchange under way. Everything that passes a part of it on holds it; once the last holder
//! is dropped the exchange is over, and goes to the journal in the state that it has reached.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Request, Version};

use super::headers;
use super::sink::{QueueSlot, Queued, Sink};
use super::tap::{Room, Tap};
use crate::exchange::{Exchange, SeenAnswer};
use trace::format::{RecordedError, RecordedErrorKind};

/// What all exchanges of a recording share.
pub(super) struct Recording {
    pub(super) started: Instant,
    pub(super) sink: Sink,
    pub(super) room: Arc<Room>,
    /// Bytes of a body that are kept.
    pub(super) max_body: usize,
    /// Prefix of the ids, so that two recordings can be merged into one file.
    pub(super) prefix: String,
    pub(super) next: AtomicU64,
    /// Time is up: exchanges that are not done now are recorded as still open.
    pub(super) over: AtomicBool,
}

pub(super) struct Open {
    recording: Arc<Recording>,
    began: Instant,
    /// None once it is not to be recorded.
    parts: Mutex<Option<Parts>>,
}

struct Parts {
    id: String,
    connection: u64,
    http: &'static str,
    method: String,
    path: String,
    headers: Vec<(String, Bytes)>,
    body: Tap,
    answer: Option<AnswerHead>,
    answer_body: Tap,
    /// The first one noted wins.
    end: Option<End>,
    fault: Option<Fault>,
    place: QueueSlot,
}

struct AnswerHead {
    status: u16,
    headers: Vec<(String, Bytes)>,
    header_us: u64,
}

enum End {
    Whole { total_us: u64 },
    Failed(RecordedError),
}

/// What was wrong with the client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Malformed,
    Gone,
}

impl Open {
    pub(super) fn begin<B>(
        recording: &Arc<Recording>,
        place: QueueSlot,
        connection: u64,
        began: Instant,
        request: &Request<B>,
    ) -> Arc<Self> {
        // Relaxed: the numbers only have to differ.
        let number = recording.next.fetch_add(1, Ordering::Relaxed);
        let tap = || Tap::new(&recording.room, recording.max_body);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let parts = Parts {
            id: format!("{}-{number}", recording.prefix),
            connection,
            http: if request.version() == Version::HTTP_2 { "2" } else { "1.1" },
            method: request.method().as_str().to_owned(),
            path: path.to_owned(),
            headers: headers::seen_of(request),
            body: tap(),
            answer: None,
            answer_body: tap(),
            end: None,
            fault: None,
            place,
        };
        let recording = Arc::clone(recording);
        Arc::new(Self { recording, began, parts: Mutex::new(Some(parts)) })
    }

    pub(super) fn request_data(&self, bytes: &[u8]) {
        self.with(|parts| parts.body.add(bytes));
    }

    /// The client's body ended early.
    pub(super) fn request_fault(&self, fault: Fault) {
        self.with(|parts| parts.fault = Some(fault));
        self.failed(RecordedErrorKind::ClientGone);
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.lock().as_ref().and_then(|parts| parts.fault)
    }

    pub(super) fn answered(&self, status: u16, headers: &HeaderMap) {
        let header_us = self.elapsed_us();
        let head = AnswerHead { status, headers: headers::seen(headers), header_us };
        self.with(|parts| parts.answer = Some(head));
    }

    pub(super) fn answer_data(&self, bytes: &[u8]) {
        self.with(|parts| parts.answer_body.add(bytes));
    }

    /// The answer was passed on to its end.
    pub(super) fn ended(&self) {
        let total_us = self.elapsed_us();
        self.end(End::Whole { total_us });
    }

    pub(super) fn failed(&self, kind: RecordedErrorKind) {
        let error = RecordedError { kind, after_us: self.elapsed_us() };
        self.end(End::Failed(error));
    }

    fn end(&self, end: End) {
        self.with(|parts| {
            parts.end.get_or_insert(end);
        });
    }

    /// Does not record it: nothing of it was sent, or the connection switched to another protocol.
    pub(super) fn discard(&self) {
        *self.lock() = None;
    }

    fn with(&self, change: impl FnOnce(&mut Parts)) {
        if let Some(parts) = &mut *self.lock() {
            change(parts);
        }
    }

    fn elapsed_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Option<Parts>> {
        // After a panic a part of the exchange is missing, nothing worse.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let after_us = self.elapsed_us();
        let Some(parts) = self.lock().take() else { return };
        let Parts { id, connection, http, method, path, headers, body, .. } = parts;
        let (body, held) = body.finish();
        let (answer_body, answer_held) = parts.answer_body.finish();
        let result = match (parts.end, parts.answer) {
            (Some(End::Whole { total_us }), Some(AnswerHead { status, headers, header_us })) => {
                Ok(SeenAnswer { status, headers, header_us, total_us, body: answer_body })
            }
            (Some(End::Failed(error)), _) => Err(error),
            // Nothing waits for the answer any more.
            _ if self.recording.over.load(Ordering::Relaxed) => {
                Err(RecordedError { kind: RecordedErrorKind::StillOpen, after_us })
            }
            _ => Err(RecordedError { kind: RecordedErrorKind::ClientGone, after_us }),
        };
        let at = self.began.saturating_duration_since(self.recording.started).as_micros() as u64;
        let exchange = Exchange { id, connection, at, http, method, path, headers, body, result };
        self.recording.sink.send(parts.place, Queued { exchange, _held: [held, answer_held] });
    }
}
