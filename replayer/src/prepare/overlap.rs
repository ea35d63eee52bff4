//! Which exchanges of a session were under way at the same time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Takes a session's exchanges in the order in which they began.
#[derive(Default)]
pub(super) struct Overlaps {
    /// End and number of each.
    under_way: BinaryHeap<Reverse<(u64, usize)>>,
    ended_last: Option<usize>,
    width: usize,
}

impl Overlaps {
    /// The exchange that had ended last by this time; of those that ended at the same time, the
    /// one that began last. Times must not go back.
    pub(super) fn ended_before(&mut self, at: u64) -> Option<usize> {
        // What is popped now ended no earlier than all that was popped before.
        while let Some(&Reverse((end, number))) = self.under_way.peek()
            && end <= at
        {
            self.under_way.pop();
            self.ended_last = Some(number);
        }
        self.ended_last
    }

    /// Adds the exchange that begins at the time that was asked about last.
    pub(super) fn begin(&mut self, end: u64, number: usize) {
        self.under_way.push(Reverse((end, number)));
        self.width = self.width.max(self.under_way.len());
    }

    /// The most that were under way at once.
    pub(super) fn width(&self) -> usize {
        self.width
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_what_comparing_each_with_each_finds(
            times in prop::collection::vec((0..30_u64, 0..20_u64), 0..40)
        ) {
            let mut times = times;
            times.sort_unstable();
            let mut overlaps = Overlaps::default();
            let mut width = 0;
            for (number, &(at, length)) in times.iter().enumerate() {
                let end = |earlier: &usize| times[*earlier].0 + times[*earlier].1;
                let before = (0..number).filter(|earlier| end(earlier) <= at).max_by_key(end);
                prop_assert_eq!(overlaps.ended_before(at), before);
                overlaps.begin(at + length, number);
                width = width.max(1 + (0..number).filter(|earlier| end(earlier) > at).count());
            }
            prop_assert_eq!(overlaps.width(), width);
        }
    }
}
