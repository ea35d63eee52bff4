//! By how much the load has grown: what an application holds for each user grows with it.

use std::ops::Range;

use run_log::timeline::Second;

/// For each second how many times the load of the usual ones it has, at least 1.
pub(super) struct LoadBySecond(Vec<f64>);

impl LoadBySecond {
    /// By users, by requests under way and by requests sent, whichever grew most.
    pub(super) fn new(timeline: &[Second], usual: &Range<u64>) -> Self {
        let of = |row: &Second| [row.users, row.in_flight, row.sent];
        let at_first = timeline
            .iter()
            .filter(|row| usual.contains(&row.second))
            .map(of)
            .fold([1; 3], |most, now| std::array::from_fn(|n| most[n].max(now[n])));
        let grown = |row: &Second| {
            let now = of(row);
            (0..3).map(|n| now[n] as f64 / at_first[n] as f64).fold(1.0, f64::max)
        };
        Self(timeline.iter().map(grown).collect())
    }

    /// Of a second behind the last one it is that of the last.
    pub(super) fn at(&self, second: u64) -> f64 {
        let known = usize::try_from(second).ok().and_then(|second| self.0.get(second));
        known.or(self.0.last()).copied().unwrap_or(1.0)
    }
}
