//! Reading on a thread of its own, while what was read before is added up.

use std::iter::Flatten;
use std::sync::mpsc;
use std::thread::Scope;

/// So many are handed over at once: a channel costs more than an item.
const BATCH: usize = 64;
/// Or as many as have so many bytes: one alone may have a MiB.
const BATCH_BYTES: usize = 256 << 10;
/// Batches that wait.
const WAITING: usize = 8;

/// The items, in their order, of an iterator that is run on a thread of its own, which is no more
/// than some MiB ahead, each item taking as much as `bytes` says.
pub(super) fn ahead<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut items: impl Iterator<Item = T> + Send + 'scope,
    bytes: impl Fn(&T) -> usize + Send + 'scope,
) -> Flatten<mpsc::IntoIter<Vec<T>>> {
    let (sender, receiver) = mpsc::sync_channel::<Vec<T>>(WAITING);
    scope.spawn(move || {
        loop {
            let (mut batch, mut size) = (Vec::with_capacity(BATCH), 0);
            while batch.len() < BATCH && size < BATCH_BYTES {
                let Some(item) = items.next() else { break };
                size += bytes(&item);
                batch.push(item);
            }
            // Nobody takes it where the first error was enough.
            if batch.is_empty() || sender.send(batch).is_err() {
                return;
            }
        }
    });
    receiver.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn items_come_in_their_order_and_whoever_leaves_early_waits_for_nothing() {
        let none = |_: &u32| 0;
        let all: Vec<u32> = thread::scope(|scope| ahead(scope, 0..1_000, none).collect());
        assert_eq!(all, (0..1_000).collect::<Vec<_>>());
        let first = thread::scope(|scope| ahead(scope, 0.., none).nth(100));
        assert_eq!(first, Some(100));
    }

    #[test]
    fn what_is_large_is_not_read_far_ahead() {
        let made = AtomicUsize::new(0);
        thread::scope(|scope| {
            let items = (0..1_000).inspect(|_| {
                made.fetch_add(1, Ordering::SeqCst);
            });
            let mut read = ahead(scope, items, |_| BATCH_BYTES);
            for taken in 1..=1_000 {
                assert_eq!(read.next(), Some(taken - 1));
                // Those that wait, the one that is handed over, and the one that is made.
                let made = made.load(Ordering::SeqCst);
                assert!(made <= taken + WAITING + 2, "{made} made, {taken} taken");
            }
        });
    }
}
