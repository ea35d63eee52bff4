//! Idle connections to the upstream: each client has its own, as if there were no proxy. One that
//! the upstream closes or resets is then nobody else's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::link::Link;

/// A connection that was idle for longer is not used again: servers close theirs after 5 s
/// (Node, uvicorn) or more, and no request should run into that.
const IDLE: Duration = Duration::from_secs(4);

/// Of one client's connection. Last in, first out, so that surplus connections expire.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
    /// As many may be idle, of all clients together; more are closed.
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(places: Arc<Semaphore>) -> Self {
        Self { idle: Mutex::default(), places }
    }

    /// A connection that can take a request now.
    pub(super) fn take(&self) -> Option<Link> {
        let mut idle = self.lock();
        while let Some(Idle { link, since, .. }) = idle.pop() {
            if since.elapsed() > IDLE {
                // Those below it are even older.
                idle.clear();
            } else if link.is_free() {
                return Some(link);
            }
        }
        None
    }

    pub(super) fn put(&self, link: Link) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.lock().push(Idle { link, since: Instant::now(), _place: place });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        // Nothing panics while it is locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
