//! Idle connections to the upstream.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use super::request_body::RequestBody;

/// A connection that was idle for longer is not used again: servers close theirs after 5 s
/// (Node, uvicorn) or more, and no request should run into that.
const IDLE: Duration = Duration::from_secs(4);

/// Last in, first out, so that surplus connections expire. There are never more than were at
/// work at once, which [`super::limits::Limits`] bounds.
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
    /// A connection that can take a request now.
    pub(super) fn take(&self) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.lock();
        while let Some(Idle { sender, since }) = idle.pop() {
            if since.elapsed() > IDLE {
                // Those below it are even older.
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
        // Nothing panics while it is locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
