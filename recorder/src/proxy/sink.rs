//! Finished exchanges on their way to the journal.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};

use super::tap::Held;
use crate::exchange::Exchange;

/// Exchanges that may wait for the journal, beside those that are at work. Their bodies are
/// bounded together by [`super::tap::Room`], their heads by 64 KiB each.
const QUEUED: usize = 4096;

/// What happens to an exchange that finds the way to the journal full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Requests wait until there is room.
    Block,
    /// It is counted, and dropped.
    Drop,
}

/// An exchange, and the memory that it holds.
pub(super) struct Queued {
    pub(super) exchange: Exchange,
    pub(super) _held: [Held; 2],
}

pub(super) struct Sink {
    queue: Sender<Queued>,
    on_full: OnFull,
    dropped: AtomicU64,
}

/// A place in the queue, if it was to be had before the request.
pub(super) struct Place(Option<OwnedPermit<Queued>>);

impl Sink {
    /// For at most `at_work` requests at once, which may hold places before they are done.
    pub(super) fn new(on_full: OnFull, at_work: usize) -> (Self, Receiver<Queued>) {
        let (queue, exchanges) = channel(QUEUED + at_work);
        (Self { queue, on_full, dropped: AtomicU64::new(0) }, exchanges)
    }

    /// Waits for a place, where requests have to.
    pub(super) async fn place(&self) -> Place {
        match self.on_full {
            // It fails when nobody takes exchanges any more: then this one is dropped and counted.
            OnFull::Block => Place(self.queue.clone().reserve_owned().await.ok()),
            OnFull::Drop => Place(None),
        }
    }

    pub(super) fn send(&self, place: Place, queued: Queued) {
        match place.0 {
            Some(permit) => drop(permit.send(queued)),
            None => {
                if self.queue.try_send(queued).is_err() {
                    // Relaxed: it is a count that nothing else is read by.
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
