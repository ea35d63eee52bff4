//! Which clients' connections have nothing to do, and which of them for longest.
//!
//! Clients keep connections open in case they need them, and some never come back. One that has
//! been idle for [`LIMIT`] is closed, and where all places are taken the one that has been idle
//! for longest makes room for the next client.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use super::answer_body::AnswerBody;
use super::request_body::BoxError;

/// As long as common servers and balancers wait at most.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

/// All idle connections, in the order in which they became so.
#[derive(Default)]
pub(super) struct Idle(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    connections: BTreeMap<u64, (Instant, CancellationToken)>,
}

impl Idle {
    /// Closes the connection that has been idle for longest, if any is idle.
    pub(super) fn close_oldest(&self) {
        if let Some((_, (_, close))) = self.lock().connections.pop_first() {
            close.cancel();
        }
    }

    /// Closes those that have been idle for too long at `now`.
    pub(super) fn close_old(&self, now: Instant) {
        let mut waiting = self.lock();
        while let Some(first) = waiting.connections.first_entry()
            && now.duration_since(first.get().0) >= LIMIT
        {
            first.remove().1.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one connection does.
pub(super) struct Activity {
    idle: Arc<Idle>,
    /// Cancelled when it is to be closed.
    pub(super) close: CancellationToken,
    state: Mutex<State>,
}

struct State {
    /// Requests that are not answered yet.
    busy: usize,
    /// Its place among the idle.
    place: Option<u64>,
}

impl Activity {
    pub(super) fn new(idle: Arc<Idle>) -> Arc<Self> {
        let close = CancellationToken::new();
        let state = Mutex::new(State { busy: 0, place: None });
        let activity = Self { idle, close, state };
        activity.rest(&mut activity.lock());
        Arc::new(activity)
    }

    /// A request began; it is over when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.lock();
        state.busy += 1;
        if let Some(place) = state.place.take() {
            self.idle.lock().connections.remove(&place);
        }
        Busy(Arc::clone(self))
    }

    fn rest(&self, state: &mut State) {
        let mut waiting = self.idle.lock();
        let place = waiting.next;
        waiting.next += 1;
        waiting.connections.insert(place, (Instant::now(), self.close.clone()));
        state.place = Some(place);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        if let Some(place) = self.lock().place {
            self.idle.lock().connections.remove(&place);
        }
    }
}

/// A request at work.
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        if state.busy == 0 {
            self.0.rest(&mut state);
        }
    }
}

/// An answer's body, until whose end its connection is busy.
pub(super) struct Held {
    pub(super) body: AnswerBody,
    pub(super) _busy: Busy,
}

impl Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_rests_for_longest_goes_first_and_a_busy_one_never() {
        let idle = Arc::new(Idle::default());
        let [first, second, third] = [(); 3].map(|()| Activity::new(Arc::clone(&idle)));
        let busy = second.begin();
        drop(first.begin());
        idle.close_oldest();
        let closed = || [&first, &second, &third].map(|activity| activity.close.is_cancelled());
        assert_eq!(closed(), [false, false, true], "the first has worked since");
        idle.close_old(Instant::now());
        assert_eq!(closed(), [false, false, true]);
        idle.close_old(Instant::now() + LIMIT);
        assert_eq!(closed(), [true, false, true]);
        idle.close_oldest();
        assert_eq!(closed(), [true, false, true]);
        drop(busy);
        idle.close_oldest();
        assert_eq!(closed(), [true; 3]);
        drop(Activity::new(Arc::clone(&idle)));
        assert!(idle.lock().connections.is_empty());
    }
}
