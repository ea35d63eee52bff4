//! Finished exchanges on their way to the journal.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};

use super::tap::RoomShare;
use crate::exchange::Exchange;

/// How many exchanges may wait for the journal, besides those at work. Their bodies are bounded
/// together by [`super::tap::Room`], their heads by 64 KiB each.
const QUEUED: usize = 4096;

/// What happens to an exchange when the queue to the journal is full.
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
    pub(super) _held: [RoomShare; 2],
}

pub(super) struct Sink {
    queue: Sender<Queued>,
    on_full: OnFull,
    dropped: AtomicU64,
}

/// A slot in the queue, if one was reserved before the request.
pub(super) struct QueueSlot(Option<OwnedPermit<Queued>>);

impl Sink {
    /// For at most `at_work` requests at once, which may hold slots before they are done.
    pub(super) fn new(on_full: OnFull, at_work: usize) -> (Self, Receiver<Queued>) {
        let (queue, exchanges) = channel(QUEUED + at_work);
        (Self { queue, on_full, dropped: AtomicU64::new(0) }, exchanges)
    }

    /// Reserves a slot, waiting for one where requests have to wait.
    pub(super) async fn place(&self) -> QueueSlot {
        match self.on_full {
            // It fails once the receiver is gone: then this exchange is dropped and counted.
            OnFull::Block => QueueSlot(self.queue.clone().reserve_owned().await.ok()),
            OnFull::Drop => QueueSlot(None),
        }
    }

    pub(super) fn send(&self, place: QueueSlot, queued: Queued) {
        match place.0 {
            Some(permit) => drop(permit.send(queued)),
            None => {
                if self.queue.try_send(queued).is_err() {
                    // Relaxed: it is only a count.
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tap::Room;
    use super::*;
    use crate::exchange::SeenBody;
    use trace::format::{RecordedError, RecordedErrorKind};

    fn queued() -> Queued {
        let exchange = Exchange {
            id: String::new(),
            connection: 1,
            at: 0,
            http: "1.1",
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: SeenBody::Whole(bytes::Bytes::new()),
            result: Err(RecordedError { kind: RecordedErrorKind::Reset, after_us: 1 }),
        };
        let room = Room::new(0);
        Queued { exchange, _held: [room.hold(), room.hold()] }
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted() {
        let (sink, mut exchanges) = Sink::new(OnFull::Drop, 0);
        for _ in 0..QUEUED + 3 {
            sink.send(sink.place().await, queued());
        }
        assert_eq!((exchanges.len(), sink.dropped()), (QUEUED, 3));
        exchanges.recv().await.unwrap();
        sink.send(sink.place().await, queued());
        assert_eq!(sink.dropped(), 3);
    }

    #[tokio::test]
    async fn where_nothing_may_be_dropped_requests_wait() {
        let (sink, mut exchanges) = Sink::new(OnFull::Block, 0);
        for _ in 0..QUEUED {
            sink.send(sink.place().await, queued());
        }
        let mut waiting = std::pin::pin!(sink.place());
        let now = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx)));
        assert!(now.await.is_pending());
        exchanges.recv().await.unwrap();
        sink.send(waiting.await, queued());
        assert_eq!((exchanges.len(), sink.dropped()), (QUEUED, 0));
    }
}
