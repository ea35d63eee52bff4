//! Histograms that add up, and response times with what was not answered in them.

use std::borrow::Cow;

use hdrhistogram::Histogram;
use run_log::format::{LatencyKind, SIGNIFICANT_DIGITS};
use run_log::recorded::Recorded;

use scenario::Percentile;

use crate::Reading;

/// A histogram that grows with its values, in microseconds: a fast endpoint takes little memory.
pub fn histogram() -> Histogram<u64> {
    // Fails for more than five digits only, and grows with what it meets.
    Histogram::new(SIGNIFICANT_DIGITS).expect("three digits are allowed")
}

/// Adds a whole histogram.
pub(crate) fn sum_up(sum: &mut Histogram<u64>, histogram: &Histogram<u64>) {
    let added = sum.add(histogram);
    debug_assert!(added.is_ok(), "they grow as needed");
}

/// Response times of successes, and how long the requests without an answer
/// had waited: those take part as "this or more".
#[derive(Clone, Debug)]
pub struct ResponseTimes {
    ok: Histogram<u64>,
    censored: Histogram<u64>,
}

impl Default for ResponseTimes {
    fn default() -> Self {
        Self { ok: histogram(), censored: histogram() }
    }
}

impl ResponseTimes {
    /// Takes what a tag of the kind response or censored recorded; ignores other kinds.
    pub fn add(&mut self, kind: LatencyKind, recorded: &Recorded) {
        match kind {
            LatencyKind::ResponseOk => recorded.add_to(&mut self.ok),
            LatencyKind::Censored => recorded.add_to(&mut self.censored),
            _ => {}
        }
    }

    pub fn clear(&mut self) {
        self.ok.reset();
        self.censored.reset();
    }

    /// Successes.
    pub fn ok(&self) -> u64 {
        self.ok.len()
    }

    pub fn censored(&self) -> u64 {
        self.censored.len()
    }

    /// Successes and censored together.
    pub fn count(&self) -> u64 {
        self.ok() + self.censored()
    }

    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The time that this percentile of the requests does not exceed, in microseconds.
    pub fn percentile(&self, percentile: Percentile) -> Reading {
        self.reading(value_at(&self.judged(), percentile))
    }

    /// What this percentile is at most, in microseconds, however long those without an answer
    /// would have taken; none where it may be one of them.
    pub fn percentile_at_most(&self, percentile: Percentile) -> Option<u64> {
        let rank = percentile.rank(self.count());
        if rank > self.ok.len() { None } else { at_rank(&self.ok, rank) }
    }

    /// In microseconds.
    pub fn max(&self) -> Reading {
        self.reading((!self.is_empty()).then(|| self.ok.max().max(self.censored.max())))
    }

    /// In microseconds. What was not answered takes part with what it had waited, so that the
    /// true mean is this or more.
    pub fn mean(&self) -> Reading {
        Reading { at_least: self.censored() > 0, ..mean(&self.judged()) }
    }

    /// Successes alone.
    pub fn answered(&self) -> &Histogram<u64> {
        &self.ok
    }

    /// Successes and censored together, which is what percentiles are of. A sum is made only
    /// where something was not answered: every success would be recorded twice.
    pub fn judged(&self) -> Cow<'_, Histogram<u64>> {
        if self.censored.is_empty() {
            return Cow::Borrowed(&self.ok);
        }
        let mut judged = self.ok.clone();
        sum_up(&mut judged, &self.censored);
        Cow::Owned(judged)
    }

    fn reading(&self, us: Option<u64>) -> Reading {
        let Some(us) = us else { return Reading::NONE };
        // A request without an answer below this value would have ended above it,
        // or not: the percentile can only be higher.
        let at_least = !self.censored.is_empty() && self.censored.min() <= us;
        Reading { at_least, ..Reading::exact(us as f64) }
    }
}

/// The value at the nearest rank of a percentile: the least that so many values do not
/// exceed, as exactly as the buckets are narrow. None of an empty histogram.
pub fn value_at(histogram: &Histogram<u64>, percentile: Percentile) -> Option<u64> {
    at_rank(histogram, percentile.rank(histogram.len()))
}

/// The value at a rank, from 1; none at rank 0.
pub(crate) fn at_rank(histogram: &Histogram<u64>, rank: u64) -> Option<u64> {
    let count = histogram.len();
    // The library takes a float and rounds its rank up: halfway below the rank that is
    // wanted, no error of a float reaches the next one.
    (rank > 0).then(|| histogram.value_at_quantile((rank as f64 - 0.5) / count as f64))
}

/// As [`value_at`].
pub fn percentile(histogram: &Histogram<u64>, percentile: Percentile) -> Reading {
    value_at(histogram, percentile).map_or(Reading::NONE, |value| Reading::exact(value as f64))
}

pub fn max(histogram: &Histogram<u64>) -> Reading {
    if histogram.is_empty() { Reading::NONE } else { Reading::exact(histogram.max() as f64) }
}

pub fn mean(histogram: &Histogram<u64>) -> Reading {
    if histogram.is_empty() { Reading::NONE } else { Reading::exact(histogram.mean()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Recorded {
        let mut histogram = histogram();
        for value in values {
            histogram.record(value).unwrap();
        }
        Recorded::of(&histogram)
    }

    fn percentile_of(times: &ResponseTimes, text: &str) -> (f64, bool) {
        let reading = times.percentile(text.parse().unwrap());
        (reading.value.unwrap(), reading.at_least)
    }

    #[test]
    fn a_percentile_that_reaches_into_requests_without_an_answer_is_a_lower_bound() {
        let mut times = ResponseTimes::default();
        times.add(LatencyKind::ResponseOk, &of((1..=96).map(|ms| ms * 1000)));
        times.add(LatencyKind::Censored, &of([60_000_000; 4]));
        assert_eq!(percentile_of(&times, "50"), (50_015.0, false));
        assert_eq!(percentile_of(&times, "95"), (95_039.0, false));
        assert!(percentile_of(&times, "97").1 && times.max().at_least);
        assert!(times.max().value.unwrap() >= 60_000_000.0);
    }

    #[test]
    fn a_mean_counts_what_was_not_answered_as_long_as_it_had_waited() {
        let mut times = ResponseTimes::default();
        assert_eq!(times.mean(), Reading::NONE);
        times.add(LatencyKind::ResponseOk, &of([50_000; 90]));
        assert!(!times.mean().at_least);
        times.add(LatencyKind::ResponseFailed, &of([1_000; 100]));
        times.add(LatencyKind::Censored, &of([3_000_000; 10]));
        let mean = times.mean();
        assert!(mean.at_least);
        assert!((mean.value.unwrap() - 345_000.0).abs() < 345.0, "{mean:?}");
        times.clear();
        assert_eq!(times.mean(), Reading::NONE);
    }

    #[test]
    fn a_request_cut_off_early_makes_every_later_percentile_a_lower_bound() {
        let mut times = ResponseTimes::default();
        times.add(LatencyKind::ResponseOk, &of((1..=99).map(|ms| ms * 1000)));
        times.add(LatencyKind::Censored, &of([60_000]));
        assert!(!percentile_of(&times, "50").1);
        assert!(percentile_of(&times, "95").1);
    }

    #[test]
    fn however_long_the_unanswered_would_have_taken_a_percentile_has_an_upper_bound() {
        let mut times = ResponseTimes::default();
        assert_eq!(times.percentile_at_most(Percentile::P50), None);
        times.add(LatencyKind::ResponseOk, &of((1..=98).map(|ms| ms * 1000)));
        // Refused at once.
        times.add(LatencyKind::Censored, &of([100, 100]));
        let p95 = times.percentile(Percentile::P95);
        assert!(p95.at_least && p95.value.unwrap() < 93_100.0, "{p95:?}");
        // If both had taken for ever, the 95th of the 98 would be it.
        assert_eq!(times.percentile_at_most(Percentile::P95), Some(95_039));
        assert_eq!(times.percentile_at_most(Percentile::P99), None);
    }

    #[test]
    fn failures_do_not_make_latency_look_good() {
        let mut times = ResponseTimes::default();
        times.add(LatencyKind::ResponseOk, &of([90_000]));
        times.add(LatencyKind::ResponseFailed, &of([1_000; 1000]));
        assert_eq!(percentile_of(&times, "50").0, 90_047.0);
        assert_eq!(times.ok(), 1);
    }

    /// Values below 2,048 have buckets of their own, so that a value tells its rank; what has
    /// more of them repeats each, in a known number.
    #[test]
    fn percentiles_are_at_the_exact_rank_for_every_count_up_to_10_000() {
        let named = [
            "0.1", "1", "50", "66", "75", "80", "90", "95", "98", "99", "99.5", "99.9", "99.95",
            "99.99", "99.999",
        ];
        let percentiles = named.map(|text| text.parse::<Percentile>().unwrap());
        let mut values = histogram();
        for count in 1..=10_000 {
            // The value of rank r is r / 8: never falling, and known without the histogram.
            values.record(count / 8).unwrap();
            for percentile in percentiles {
                let expected = percentile.rank(count) / 8;
                assert_eq!(
                    value_at(&values, percentile),
                    Some(expected),
                    "p{percentile} of {count}"
                );
            }
        }
    }
}
