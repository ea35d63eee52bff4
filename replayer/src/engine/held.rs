//! How much memory the bodies of answers take that are being read, in all of the process.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all bodies together may take.
pub(super) const MOST_HELD: usize = 256 << 20;

/// Of this process. Its workers share nothing else while they read, and what they must not
/// exceed is the memory of one machine.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// A part of [`MOST_HELD`].
#[derive(Debug, Default)]
pub(super) struct Held(usize);

impl Held {
    /// Makes it so many bytes, if it is less; false where there are not so many left.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.0).filter(|more| *more > 0) else { return true };
        let fits = |held: usize| held.checked_add(more).filter(|sum| *sum <= MOST_HELD);
        let grown = HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if grown {
            self.0 = bytes;
        }
        grown
    }

    pub(super) fn release(&mut self) {
        HELD.fetch_sub(std::mem::take(&mut self.0), Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_together_have_a_bound_and_give_back_what_they_took() {
        let mut one = Held::default();
        assert!(one.grow_to(MOST_HELD / 2) && one.grow_to(10));
        let mut other = Held::default();
        // Less than a half, as another test of this process may hold some.
        assert!(other.grow_to(MOST_HELD / 4));
        assert!(!other.grow_to(MOST_HELD));
        drop(one);
        other.release();
        assert!(other.grow_to(MOST_HELD / 2));
    }
}
