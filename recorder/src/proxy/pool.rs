//! Idle connections to the upstream: each client has its own, as if there were no proxy. One that
//! the upstream closes or resets is then nobody else's.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::link::Link;

/// A connection that was idle for longer is not used again: servers close theirs after 5 s
/// (Node, uvicorn) or more, and no request should run into that.
const IDLE: Duration = Duration::from_secs(4);

/// Those of all clients.
pub(super) struct Pool {
    idle: Mutex<Idle>,
    /// A place for each connection that there may be, at work or idle.
    places: Arc<Semaphore>,
    /// Requests that wait for a place.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Idle {
    next: u64,
    /// In the order in which they became so.
    links: BTreeMap<u64, Resting>,
    /// Which of them are a client's, the latest last.
    of: HashMap<u64, Vec<u64>>,
}

struct Resting {
    link: Link,
    client: u64,
    since: Instant,
}

/// Those of one client's connection, which end with it.
pub(super) struct Own {
    pool: Arc<Pool>,
    client: u64,
}

impl Pool {
    /// For so many connections.
    pub(super) fn new(most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self { idle: Mutex::default(), places, waiting: AtomicUsize::new(0) }
    }

    /// A place for one more connection. Where all are taken, the one that is idle for longest goes,
    /// or the next that would become so.
    ///
    /// # Errors
    /// When the proxy is ending.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = Waiting::begin(&self.waiting);
        drop(self.lock().oldest());
        Arc::clone(&self.places).acquire_owned().await
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        // Nothing panics while it is locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn oldest(&mut self) -> Option<Link> {
        let (number, Resting { link, client, .. }) = self.links.pop_first()?;
        if let Some(of) = self.of.get_mut(&client) {
            of.retain(|other| *other != number);
        }
        Some(link)
    }
}

impl Own {
    pub(super) fn new(pool: Arc<Pool>, client: u64) -> Self {
        Self { pool, client }
    }

    /// A connection that can take a request now.
    pub(super) fn take(&self) -> Option<Link> {
        let mut idle = self.pool.lock();
        while let Some(number) = idle.of.get_mut(&self.client)?.pop() {
            let Some(Resting { link, since, .. }) = idle.links.remove(&number) else { continue };
            if since.elapsed() <= IDLE && link.is_free() {
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection for the client's next request, unless somebody waits for its place.
    pub(super) fn put(&self, link: Link) {
        if self.pool.waiting.load(Ordering::Relaxed) > 0 {
            return;
        }
        let mut idle = self.pool.lock();
        let number = idle.next;
        idle.next += 1;
        let client = self.client;
        idle.links.insert(number, Resting { link, client, since: Instant::now() });
        idle.of.entry(client).or_default().push(number);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut idle = self.pool.lock();
        for number in idle.of.remove(&self.client).unwrap_or_default() {
            idle.links.remove(&number);
        }
    }
}

/// One that waits, counted until it has what it waits for or is gone.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        // Relaxed: one thread serves all.
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
