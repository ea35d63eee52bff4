//! When a worker did not run: its process was stopped, or others had its processor.
//!
//! A task of the worker wakes every [`BEAT`]. What lies between the time at which it was to
//! wake and the time at which it did is a gap, where that is long enough to be none of the
//! usual unpunctualities of a scheduler. Gaps tell how much of a wait that the kernel does
//! not time was the generator's own doing.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use crate::time::At;

/// How often the heart beats.
pub(super) const BEAT: Duration = Duration::from_millis(10);

/// How late a beat is at which it leaves a gap.
pub(super) const LATE: Duration = Duration::from_millis(20);

/// Gaps kept: those of the last seconds, however bad they were.
const KEPT: usize = 1024;

#[derive(Debug)]
pub(super) struct Gaps {
    /// When the next beat is due; never, before the first.
    due: Cell<At>,
    /// In their order; none overlap.
    gaps: RefCell<VecDeque<(At, At)>>,
}

impl Default for Gaps {
    fn default() -> Self {
        Self { due: Cell::new(At::NEVER), gaps: RefCell::default() }
    }
}

impl Gaps {
    /// Notes a beat; returns the length of the gap before it, zero where there was none.
    pub(super) fn beat(&self, now: At) -> Duration {
        let due = self.due.replace(now + BEAT);
        let late = now.since(due);
        if late <= LATE {
            return Duration::ZERO;
        }
        let mut gaps = self.gaps.borrow_mut();
        if gaps.len() == KEPT {
            gaps.pop_front();
        }
        gaps.push_back((due, now));
        late
    }

    /// How much of `[from, to]` the worker did not run. A gap whose beat is still to come
    /// counts: after a stop nobody knows who wakes first.
    pub(super) fn within(&self, from: At, to: At) -> Duration {
        if to <= from {
            return Duration::ZERO;
        }
        let due = self.due.get();
        let open = (to.since(due) > LATE).then_some((due, to));
        let gaps = self.gaps.borrow();
        gaps.iter()
            .rev()
            .take_while(|(_, end)| *end > from)
            .chain(&open)
            .map(|(begin, end)| (*end).min(to).since((*begin).max(from)))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(at: i64) -> At {
        At::from_nanos(at * 1_000_000)
    }

    #[test]
    fn a_late_beat_leaves_a_gap_that_counts_for_what_overlaps_it() {
        let gaps = Gaps::default();
        assert_eq!(gaps.within(ms(0), ms(1000)), Duration::ZERO, "not begun");
        assert_eq!(gaps.beat(ms(12)), Duration::ZERO);
        assert_eq!(gaps.beat(ms(42)), Duration::ZERO, "20 ms late is not over 20 ms");
        assert_eq!(gaps.beat(ms(252)), Duration::from_millis(200));
        let within = |from, to| gaps.within(ms(from), ms(to)).as_millis();
        assert_eq!(within(0, 260), 200);
        assert_eq!(within(100, 200), 100);
        assert_eq!(within(0, 52), 0);
        assert_eq!(within(252, 270), 0);
        // A beat is due at 262, and nothing has run since.
        assert_eq!(within(240, 400), 12 + 138);
        assert_eq!(gaps.beat(ms(1262)), Duration::from_secs(1));
        assert_eq!(within(0, 2000), 200 + 1000 + 728);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let gaps = Gaps::default();
        for beat in 1..=2 * KEPT as i64 {
            gaps.beat(ms(beat * 100));
        }
        assert_eq!(gaps.gaps.borrow().len(), KEPT);
    }
}
