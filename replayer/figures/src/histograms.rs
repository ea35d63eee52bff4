//! Latency histograms by tag.

use hdrhistogram::Histogram;

use run_log::format::{HIGHEST_US, LOWEST_US, LatencyKind, Scope, Tag};
use run_log::recorded::Recorded;

use crate::times::{histogram as empty, sum_up};

/// A histogram for each tag that something was recorded for. Found by index and not by a
/// search, because every request is recorded in several.
#[derive(Debug, Default)]
pub struct Histograms {
    endpoints: Vec<ByKind>,
    personas: Vec<ByKind>,
}

type ByKind = [Option<Histogram<u64>>; LatencyKind::ALL.len()];

impl Histograms {
    /// Records a time.
    pub fn record(&mut self, tag: Tag, us: u32) {
        let histogram = self.of(tag.scope)[tag.kind as usize].get_or_insert_with(empty);
        // Not `saturating_record`, which would not let it grow.
        let recorded = histogram.record(u64::from(us).clamp(LOWEST_US, HIGHEST_US));
        debug_assert!(recorded.is_ok(), "it grows as needed");
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

    /// Adds what `other` has of these kinds.
    pub fn absorb(&mut self, other: &Self, kinds: &[LatencyKind]) {
        for (tag, histogram) in other.iter().filter(|(tag, _)| kinds.contains(&tag.kind)) {
            sum_up(self.of(tag.scope)[tag.kind as usize].get_or_insert_with(empty), histogram);
        }
    }

    /// Adds what an interval recorded for a tag.
    pub fn add_recorded(&mut self, tag: Tag, recorded: &Recorded) {
        recorded.add_to(self.of(tag.scope)[tag.kind as usize].get_or_insert_with(empty));
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

    /// Response times of all completed requests, failures among them, and how long those
    /// without an answer had waited: over all endpoints, or over what `scope` picks.
    pub fn responses(&self, scope: impl Fn(Scope) -> bool) -> Histogram<u64> {
        let mut sum = empty();
        for kind in LatencyKind::RESPONSES {
            sum_up(&mut sum, &self.sum(kind, &scope));
        }
        sum
    }

    /// How many requests `scope` picks of a kind.
    pub fn count(&self, kind: LatencyKind, scope: impl Fn(Scope) -> bool) -> u64 {
        let picked = self.iter().filter(|(tag, _)| tag.kind == kind && scope(tag.scope));
        picked.map(|(_, histogram)| histogram.len()).sum()
    }

    /// The sum over all endpoints, or over what `scope` picks, of one kind.
    pub fn sum(&self, kind: LatencyKind, scope: impl Fn(Scope) -> bool) -> Histogram<u64> {
        let mut sum = empty();
        for (tag, histogram) in self.iter() {
            if tag.kind == kind && scope(tag.scope) {
                sum_up(&mut sum, histogram);
            }
        }
        sum
    }
}

/// Endpoints and personas each hold everything: sums are over one of the two.
pub fn is_endpoint(scope: Scope) -> bool {
    matches!(scope, Scope::Endpoint(_))
}
