//! Histograms that add up, and response times with what was not answered in them.

use hdrhistogram::Histogram;
use replayer::run_log::format::{LatencyKind, SIGNIFICANT_DIGITS};

use crate::units::{Figure, Unit};

/// A histogram that grows with its values, in microseconds.
pub fn histogram() -> Histogram<u64> {
    // Fails for more than five digits only.
    Histogram::new(SIGNIFICANT_DIGITS).expect("three digits are allowed")
}

/// What one interval recorded: values with their counts. Few buckets of a
/// histogram are used in a second, and each interval is added to several sums.
pub struct Recorded(Vec<(u64, u64)>);

impl Recorded {
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let steps = histogram.iter_recorded();
        Self(steps.map(|step| (step.value_iterated_to(), step.count_at_value())).collect())
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn least(&self) -> Option<u64> {
        self.0.first().map(|(value, _)| *value)
    }
}

/// Response times of successes, and how long the requests without an answer
/// had waited: those take part as "this or more".
#[derive(Clone, Debug)]
pub struct ResponseTimes {
    ok: Histogram<u64>,
    /// Successes and censored together, which is what percentiles are of.
    judged: Histogram<u64>,
    censored: u64,
    least_censored_us: Option<u64>,
}

impl Default for ResponseTimes {
    fn default() -> Self {
        Self { ok: histogram(), judged: histogram(), censored: 0, least_censored_us: None }
    }
}

impl ResponseTimes {
    /// Takes what a tag of the kind response or censored recorded; ignores other kinds.
    pub fn add(&mut self, kind: LatencyKind, recorded: &Recorded) {
        match kind {
            LatencyKind::ResponseOk => add(&mut self.ok, recorded),
            LatencyKind::Censored => {
                self.censored += recorded.count();
                let least = recorded.least().map(|value| self.judged.lowest_equivalent(value));
                self.least_censored_us = self.least_censored_us.into_iter().chain(least).min();
            }
            _ => return,
        }
        add(&mut self.judged, recorded);
    }

    pub fn clear(&mut self) {
        self.ok.reset();
        self.judged.reset();
        self.censored = 0;
        self.least_censored_us = None;
    }

    /// Successes.
    pub fn ok(&self) -> u64 {
        self.ok.len()
    }

    pub fn censored(&self) -> u64 {
        self.censored
    }

    pub fn is_empty(&self) -> bool {
        self.judged.is_empty()
    }

    /// The value that this percentile (0 to 100) of the requests does not exceed.
    pub fn percentile(&self, percentile: f64) -> Figure {
        if self.judged.is_empty() {
            return Figure::none(Unit::Microseconds);
        }
        self.reading(self.judged.value_at_quantile(percentile / 100.0))
    }

    pub fn max(&self) -> Figure {
        if self.judged.is_empty() {
            return Figure::none(Unit::Microseconds);
        }
        self.reading(self.judged.max())
    }

    /// Of the successes alone: a mean with unknown values in it would mean nothing.
    pub fn mean(&self) -> Figure {
        mean(&self.ok)
    }

    /// Successes and censored together.
    pub fn judged(&self) -> &Histogram<u64> {
        &self.judged
    }

    fn reading(&self, us: u64) -> Figure {
        // A request without an answer below this value would have ended above it,
        // or not: the percentile can only be higher.
        let at_least = self.least_censored_us.is_some_and(|least| least <= us);
        Figure { at_least, ..Figure::new(us as f64, Unit::Microseconds) }
    }
}

/// Adds what was recorded to a sum.
pub fn add(sum: &mut Histogram<u64>, recorded: &Recorded) {
    for (value, count) in &recorded.0 {
        // The sum has no upper bound, which is the only reason to refuse.
        sum.record_n(*value, *count).expect("a growing histogram takes any value");
    }
}

/// The value that this percentile (0 to 100) does not exceed.
pub fn percentile(histogram: &Histogram<u64>, percentile: f64) -> Figure {
    if histogram.is_empty() {
        return Figure::none(Unit::Microseconds);
    }
    Figure::new(histogram.value_at_quantile(percentile / 100.0) as f64, Unit::Microseconds)
}

pub fn mean(histogram: &Histogram<u64>) -> Figure {
    if histogram.is_empty() {
        return Figure::none(Unit::Microseconds);
    }
    Figure::new(histogram.mean(), Unit::Microseconds)
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

    #[test]
    fn a_percentile_that_reaches_into_requests_without_an_answer_is_a_lower_bound() {
        let mut times = ResponseTimes::default();
        times.add(LatencyKind::ResponseOk, &of((1..=96).map(|ms| ms * 1000)));
        times.add(LatencyKind::Censored, &of([60_000_000; 4]));
        assert_eq!(times.percentile(50.0).to_string(), "50.0 ms");
        assert_eq!(times.percentile(95.0).to_string(), "95.0 ms");
        assert_eq!(times.percentile(97.0).to_string(), "≥ 60.03 s");
        assert_eq!(times.max().to_string(), "≥ 60.03 s");
    }

    #[test]
    fn a_request_cut_off_early_makes_every_later_percentile_a_lower_bound() {
        let mut times = ResponseTimes::default();
        times.add(LatencyKind::ResponseOk, &of((1..=99).map(|ms| ms * 1000)));
        times.add(LatencyKind::Censored, &of([60_000]));
        assert!(!times.percentile(50.0).at_least);
        assert!(times.percentile(95.0).at_least);
    }

    #[test]
    fn failures_do_not_make_latency_look_good() {
        let mut times = ResponseTimes::default();
        times.add(LatencyKind::ResponseOk, &of([90_000]));
        times.add(LatencyKind::ResponseFailed, &of([1_000; 1000]));
        assert_eq!(times.percentile(50.0).to_string(), "90.0 ms");
        assert_eq!(times.ok(), 1);
    }
}
