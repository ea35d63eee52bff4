//! A number of requests that all workers share.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is left of `--max-requests` by closed pacing, where the target's answers decide
/// who sends next and no plan can tell which requests are the first.
#[derive(Debug)]
pub struct Budget(AtomicU64);

impl Budget {
    pub fn of(requests: u64) -> Self {
        Self(AtomicU64::new(requests))
    }

    /// Takes one, if any is left.
    pub fn take(&self) -> bool {
        // Relaxed: no other memory is ordered by it.
        self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    pub fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}
