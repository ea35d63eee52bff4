//! Reading on a thread of its own, while what was read before is added up.

use std::iter::Flatten;
use std::sync::mpsc;
use std::thread::Scope;

/// So many are handed over at once: a channel costs more than an item.
const BATCH: usize = 64;
/// Batches that wait; few, because an item may have a MiB.
const WAITING: usize = 8;

/// The items, in their order, of an iterator that is run on a thread of its own.
pub(super) fn ahead<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut items: impl Iterator<Item = T> + Send + 'scope,
) -> Flatten<mpsc::IntoIter<Vec<T>>> {
    let (sender, receiver) = mpsc::sync_channel::<Vec<T>>(WAITING);
    scope.spawn(move || {
        loop {
            let batch: Vec<T> = items.by_ref().take(BATCH).collect();
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
    use super::*;

    #[test]
    fn items_come_in_their_order_and_whoever_leaves_early_waits_for_nothing() {
        let all: Vec<u32> = std::thread::scope(|scope| ahead(scope, 0..1_000).collect());
        assert_eq!(all, (0..1_000).collect::<Vec<_>>());
        let first = std::thread::scope(|scope| ahead(scope, 0..).nth(100));
        assert_eq!(first, Some(100));
    }
}
