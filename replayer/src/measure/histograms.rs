//! Latency histograms by tag.

use hdrhistogram::Histogram;

use super::collector::is_endpoint;
use super::sample::Sample;
use crate::outcome::Outcome;
use crate::run_log::format::{HIGHEST_US, LOWEST_US, LatencyKind, SIGNIFICANT_DIGITS, Scope, Tag};

/// A histogram for each tag that something was recorded for. Found by index and not by a
/// search, because every request is recorded in several.
#[derive(Debug, Default)]
pub struct Histograms {
    endpoints: Vec<ByKind>,
    personas: Vec<ByKind>,
}

type ByKind = [Option<Histogram<u64>>; LatencyKind::ALL.len()];

impl Histograms {
    /// Records all figures of a sample, under its endpoint and its persona.
    pub fn record(&mut self, sample: &Sample) {
        let scopes = [
            Scope::Endpoint(usize::from(sample.endpoint)),
            Scope::Persona(usize::from(sample.persona)),
        ];
        for scope in scopes {
            let by_kind = self.of(scope);
            let mut add = |kind: LatencyKind, us: u32| {
                let histogram = by_kind[kind as usize].get_or_insert_with(empty);
                // Not `saturating_record`, which would not let it grow.
                let recorded = histogram.record(u64::from(us).clamp(LOWEST_US, HIGHEST_US));
                debug_assert!(recorded.is_ok(), "it grows as needed");
            };
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

    fn of(&mut self, scope: Scope) -> &mut ByKind {
        let (of, index) = match scope {
            Scope::Endpoint(index) => (&mut self.endpoints, index),
            Scope::Persona(index) => (&mut self.personas, index),
        };
        if of.len() <= index {
            of.resize_with(index + 1, ByKind::default);
        }
        &mut of[index]
    }

    /// Adds all of `other`.
    pub fn absorb(&mut self, other: &Self) {
        for (tag, histogram) in other.iter() {
            self.add_all(tag, histogram);
        }
    }

    /// Adds what was recorded for a tag elsewhere.
    pub fn add_all(&mut self, tag: Tag, histogram: &Histogram<u64>) {
        let sum = self.of(tag.scope)[tag.kind as usize].get_or_insert_with(empty);
        let added = sum.add(histogram);
        debug_assert!(added.is_ok(), "they grow as needed");
    }

    /// Empties all of them; their memory stays for the next second.
    pub fn clear(&mut self) {
        let all = self.endpoints.iter_mut().chain(&mut self.personas);
        all.flatten().flatten().for_each(Histogram::clear);
    }

    /// Those that hold something, by tag.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, &Histogram<u64>)> {
        let endpoints = self.endpoints.iter().enumerate();
        let personas = self.personas.iter().enumerate();
        let scopes = endpoints
            .map(|(index, of)| (Scope::Endpoint(index), of))
            .chain(personas.map(|(index, of)| (Scope::Persona(index), of)));
        scopes
            .flat_map(|(scope, of)| {
                let tags = LatencyKind::ALL.map(|kind| Tag { scope, kind });
                tags.into_iter().zip(of)
            })
            .filter_map(|(tag, histogram)| Some((tag, histogram.as_ref()?)))
            .filter(|(_, histogram)| !histogram.is_empty())
    }

    pub fn get(&self, tag: Tag) -> Option<&Histogram<u64>> {
        let of = match tag.scope {
            Scope::Endpoint(index) => self.endpoints.get(index),
            Scope::Persona(index) => self.personas.get(index),
        };
        of?[tag.kind as usize].as_ref().filter(|histogram| !histogram.is_empty())
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
