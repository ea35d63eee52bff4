//! Connections to the upstream between two requests.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use super::request_body::RequestBody;

/// A connection that was idle for longer is not used again: servers close theirs after 5 s
/// (Node, uvicorn) or more, and a request must not meet that.
const IDLE: Duration = Duration::from_secs(4);

/// The one that came last goes first, so that those that are too many grow old. Never more than
/// were at work at once, which [`super::limits::Limits`] bounds.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

impl Pool {
    /// A connection that could take a request now.
    pub(super) fn take(&self) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.lock();
        while let Some(Idle { sender, since }) = idle.pop() {
            if since.elapsed() > IDLE {
                // Those below are older still.
                idle.clear();
            } else if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    pub(super) fn put(&self, sender: SendRequest<RequestBody>) {
        self.lock().push(Idle { sender, since: Instant::now() });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        // Nothing that could panic happens between two states of it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
