//! Latency histograms by tag.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::collector::is_endpoint;
use super::sample::Sample;
use crate::outcome::Outcome;
use crate::run_log::format::{HIGHEST_US, LOWEST_US, LatencyKind, SIGNIFICANT_DIGITS, Scope, Tag};

/// A histogram for each tag that something was recorded for.
#[derive(Debug, Default)]
pub struct Histograms {
    by_tag: BTreeMap<Tag, Histogram<u64>>,
}

impl Histograms {
    /// Records all figures of a sample, under its endpoint and its persona.
    pub fn record(&mut self, sample: &Sample) {
        let scopes = [
            Scope::Endpoint(usize::from(sample.endpoint)),
            Scope::Persona(usize::from(sample.persona)),
        ];
        for scope in scopes {
            let mut add = |kind, us: u32| self.add(Tag { scope, kind }, u64::from(us));
            match sample.outcome {
                Outcome::Completed { .. } if sample.is_failed => {
                    add(LatencyKind::ResponseFailed, sample.response_us);
                }
                Outcome::Completed { .. } => add(LatencyKind::ResponseOk, sample.response_us),
                outcome if outcome.is_censored() => add(LatencyKind::Censored, sample.response_us),
                _ => add(LatencyKind::Lost, sample.response_us),
            }
            if let (Outcome::Completed { .. }, Some(us)) = (sample.outcome, sample.service_us) {
                add(LatencyKind::Service, us);
            }
            if sample.was_sent {
                add(LatencyKind::Queue, sample.queue_us);
            }
            for (kind, us) in [
                (LatencyKind::Connect, sample.connect_us),
                (LatencyKind::SessionDelay, sample.session_delay_us),
                (LatencyKind::Lag, sample.lag_us),
            ] {
                if let Some(us) = us {
                    add(kind, us);
                }
            }
        }
    }

    fn add(&mut self, tag: Tag, us: u64) {
        let histogram = self.by_tag.entry(tag).or_insert_with(empty);
        // Not `saturating_record`, which would not let it grow.
        let recorded = histogram.record(us.clamp(LOWEST_US, HIGHEST_US));
        debug_assert!(recorded.is_ok(), "it grows as needed");
    }

    /// Adds all of `other`.
    pub fn absorb(&mut self, other: &Self) {
        for (tag, histogram) in other.iter() {
            self.add_all(tag, histogram);
        }
    }

    /// Adds what was recorded for a tag elsewhere.
    pub fn add_all(&mut self, tag: Tag, histogram: &Histogram<u64>) {
        let added = self.by_tag.entry(tag).or_insert_with(empty).add(histogram);
        debug_assert!(added.is_ok(), "they grow as needed");
    }

    /// Empties all of them; their memory stays for the next second.
    pub fn clear(&mut self) {
        self.by_tag.values_mut().for_each(Histogram::clear);
    }

    /// Those that hold something, by tag.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, &Histogram<u64>)> {
        self.by_tag.iter().filter(|(_, h)| !h.is_empty()).map(|(tag, h)| (*tag, h))
    }

    pub fn get(&self, tag: Tag) -> Option<&Histogram<u64>> {
        self.by_tag.get(&tag).filter(|histogram| !histogram.is_empty())
    }

    /// Response times of all completed requests.
    pub fn completed(&self) -> Histogram<u64> {
        let mut sum = self.sum(LatencyKind::ResponseOk, is_endpoint);
        let added = sum.add(self.sum(LatencyKind::ResponseFailed, is_endpoint));
        debug_assert!(added.is_ok(), "they grow as needed");
        sum
    }

    /// The sum over all endpoints, or over what `scope` picks, of one kind.
    pub fn sum(&self, kind: LatencyKind, scope: impl Fn(Scope) -> bool) -> Histogram<u64> {
        let mut sum = empty();
        for (tag, histogram) in self.iter() {
            if tag.kind == kind && scope(tag.scope) {
                let added = sum.add(histogram);
                debug_assert!(added.is_ok(), "they grow as needed");
            }
        }
        sum
    }
}

/// Grows with the values that it meets, so that a fast endpoint takes little memory.
fn empty() -> Histogram<u64> {
    let mut histogram = Histogram::new(SIGNIFICANT_DIGITS).expect("three digits are in range");
    histogram.auto(true);
    histogram
}
