//! The seconds of all parts, added up as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use figures::Histograms;
use run_log::recorded::Decoder;
use run_log::timeline::Second;
use tokio::time::Instant;

use super::message::EncodedHistograms;
use crate::measure::note_lag;

/// A part that is later is not waited for: what it says of the second is added when it comes.
const LATE: Duration = Duration::from_secs(3);

/// Seconds that not all parts have told of.
#[derive(Default)]
pub(super) struct Sums {
    open: BTreeMap<u64, Open>,
    /// The first second that is not closed.
    next: u64,
    decoder: Decoder,
}

struct Open {
    row: Second,
    histograms: Histograms,
    told: BTreeSet<usize>,
    /// When the first part told of it.
    since: Instant,
}

impl Sums {
    /// Adds what a part tells of a second.
    pub(super) fn add(&mut self, part: usize, row: &Second, measured: &EncodedHistograms) {
        // Of one that is closed: in a second of its own, which is closed at once.
        let open = self.open.entry(row.second).or_insert_with(|| Open {
            row: Second { second: row.second, ..Second::default() },
            histograms: Histograms::default(),
            told: BTreeSet::new(),
            since: Instant::now(),
        });
        open.row.add(row);
        measured.add_to(&mut open.histograms, &mut self.decoder);
        open.told.insert(part);
    }

    /// The next second that all who are still `there` have told of, or that was waited for long
    /// enough.
    pub(super) fn close(&mut self, there: &BTreeSet<usize>) -> Option<(Second, Histograms)> {
        let (&second, open) = self.open.first_key_value()?;
        let is_whole = there.is_subset(&open.told);
        if second >= self.next && !is_whole && open.since.elapsed() < LATE {
            return None;
        }
        self.next = self.next.max(second + 1);
        let (_, Open { mut row, histograms, .. }) = self.open.pop_first()?;
        note_lag(&mut row, &histograms);
        Some((row, histograms))
    }

    /// When the oldest second is waited for no longer.
    pub(super) fn late_at(&self) -> Option<Instant> {
        self.open.first_key_value().map(|(_, open)| open.since + LATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(second: u64, ready: u64) -> Second {
        Second { second, ready, ..Second::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_is_closed_when_all_have_told_of_it_or_it_is_late() {
        let there = BTreeSet::from([0, 1]);
        let mut sums = Sums::default();
        let none = EncodedHistograms::default();
        let closed = |sums: &mut Sums, there: &BTreeSet<usize>| {
            sums.close(there).map(|(row, _)| (row.second, row.ready))
        };
        sums.add(0, &row(0, 1), &none);
        sums.add(0, &row(1, 2), &none);
        assert_eq!(closed(&mut sums, &there), None);
        sums.add(1, &row(0, 10), &none);
        assert_eq!(closed(&mut sums, &there), Some((0, 11)));
        assert_eq!(closed(&mut sums, &there), None);
        // Who is gone is not waited for.
        assert_eq!(closed(&mut sums, &BTreeSet::from([0])), Some((1, 2)));
        sums.add(0, &row(2, 3), &none);
        assert_eq!(closed(&mut sums, &there), None);
        tokio::time::advance(LATE).await;
        assert_eq!(sums.late_at(), Some(Instant::now()));
        assert_eq!(closed(&mut sums, &there), Some((2, 3)));
        // It came later, and counts even so.
        sums.add(1, &row(2, 30), &none);
        assert_eq!(closed(&mut sums, &there), Some((2, 30)));
        assert_eq!(sums.late_at(), None);
    }
}
