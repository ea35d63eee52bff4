//! What changed first: each series of a run, held against what it was when the load had just begun.
//!
//! Watched are the 95th percentile of each endpoint, failures by their cause, seconds without an
//! answer, and of what was observed all that has a limit or should not grow: connections and locks
//! of databases, processors, memory, descriptors, threads, connections that nobody accepted. A
//! series that changes and stays changed is a symptom, told with when it began. Other samples have
//! no direction that would be worse, and are left out.

mod band;
mod load;
mod signs;
mod symptom;

use std::collections::BTreeMap;
use std::ops::Range;

use figures::{Few, Recorded};
use run_log::format::{LatencyKind, Run, TargetSample};
use run_log::outcome::Outcome;
use run_log::phase::first_step;
use run_log::timeline::Second;
use scenario::Percentile;

use self::band::{Band, Limit};
use self::load::LoadBySecond;
use self::signs::Signs;
use self::symptom::{Order, ordered};

pub use self::symptom::Symptom;
use crate::units::{Figure, Unit};

/// What a part of a plateau is held against is its first quarter, in seconds within these bounds.
const LEAST_USUAL_S: u64 = 5;
const MOST_USUAL_S: u64 = 60;

/// What is fed with all series of a run, second by second.
pub(super) struct Symptoms {
    /// What all else is held against.
    usual: Range<u64>,
    /// Behind it nothing is watched: the load goes.
    end: u64,
    load: LoadBySecond,
    names: Vec<String>,
    endpoints: BTreeMap<usize, Endpoint>,
    signs: Signs,
    found: Vec<Symptom>,
}

struct Endpoint {
    second: u64,
    times: Few,
    p95: Band,
}

impl Symptoms {
    /// None where the run is too short to tell what is usual.
    pub(super) fn of(run: &Run, timeline: &[Second], plateau: &Range<u64>) -> Option<Self> {
        let usual = usual(run, plateau)?;
        let mut symptoms = Self {
            load: LoadBySecond::new(timeline, &usual),
            usual,
            end: plateau.end,
            names: run.endpoints.clone(),
            endpoints: BTreeMap::new(),
            signs: Signs::new(run),
            found: Vec::new(),
        };
        symptoms.watch(timeline);
        Some(symptoms)
    }

    fn watch(&mut self, timeline: &[Second]) {
        let mut unanswered = Band::new(Limit::Reaches(1.0), 2);
        let mut failures: Vec<(&str, Band)> = std::iter::once("failed answers")
            .chain(Outcome::without_answer().map(Outcome::plural))
            .map(|cause| (cause, Band::new(Limit::FAILURES, band::LASTS)))
            .collect();
        for row in timeline {
            let Some(is_usual) = self.is_usual(row.second) else { continue };
            let waiting = if row.done() == 0 { row.in_flight as f64 } else { 0.0 };
            let is_silent = f64::from(waiting > 0.0);
            unanswered.see_shown(row.second, is_silent, waiting, is_usual, 1.0);
            if row.done() == 0 {
                continue;
            }
            let counts = std::iter::once(row.failed_status)
                .chain(Outcome::without_answer().map(|outcome| row.outcomes[outcome]));
            for ((_, band), count) in failures.iter_mut().zip(counts) {
                band.see(row.second, count as f64 / row.done() as f64, is_usual, 1.0);
            }
        }
        let silent = "requests under way, and none answered".to_owned();
        self.add(&unanswered, silent, Unit::Count, Order::Unanswered);
        for (cause, band) in &failures {
            self.add(band, (*cause).to_owned(), Unit::Share, Order::Failures);
        }
    }

    /// Takes what was recorded of an endpoint in a second; seconds come in their order.
    pub(super) fn endpoint(&mut self, second: u64, index: usize, kind: LatencyKind, of: &Recorded) {
        if !kind.is_judged() || self.is_usual(second).is_none() {
            return;
        }
        let endpoint = self.endpoints.entry(index).or_insert_with(|| Endpoint {
            second,
            times: Few::default(),
            p95: Band::new(Limit::LATENCY_US, band::LASTS),
        });
        if endpoint.second != second {
            endpoint.close(self.usual.contains(&endpoint.second));
            endpoint.second = second;
        }
        endpoint.times.add(of);
    }

    /// Takes what was observed.
    pub(super) fn sample(&mut self, sample: &TargetSample) {
        if let Some(is_usual) = self.is_usual(sample.second) {
            self.signs.see(sample, is_usual, self.load.at(sample.second));
        }
    }

    /// What was found, the first first.
    pub(super) fn finish(mut self) -> Vec<Symptom> {
        for (index, mut endpoint) in std::mem::take(&mut self.endpoints) {
            endpoint.close(self.usual.contains(&endpoint.second));
            let name = self.names.get(index).map_or("?", String::as_str);
            let series = format!("p95 of {name}");
            self.add(&endpoint.p95, series, Unit::Microseconds, Order::Latency);
        }
        for (series, band, unit, order) in std::mem::take(&mut self.signs).into_bands() {
            self.add(&band, series, unit, order);
        }
        ordered(self.found)
    }

    fn add(&mut self, band: &Band, series: String, unit: Unit, order: Order) {
        if let Some((second, usual, then)) = band.left() {
            let [usual, then] = [usual, then].map(|value| Figure::new(value, unit));
            self.found.push(Symptom { second, series, usual, then, order });
        }
    }

    /// Whether a second is one of the usual ones; none where nothing is watched in it.
    fn is_usual(&self, second: u64) -> Option<bool> {
        (self.usual.start..self.end).contains(&second).then(|| self.usual.contains(&second))
    }
}

impl Endpoint {
    fn close(&mut self, is_usual: bool) {
        if let [Some(p95)] = self.times.percentiles([Percentile::P95]) {
            self.p95.see(self.second, p95 as f64, is_usual, 1.0);
        }
        self.times.clear();
    }
}

/// The seconds that all others are held against: the first step of a load in steps, else the first
/// quarter of the plateau.
fn usual(run: &Run, plateau: &Range<u64>) -> Option<Range<u64>> {
    let usual = match first_step(&run.phases) {
        Some(step) => step.window.start_s..step.window.end_s,
        None => {
            let quarter = (plateau.end.saturating_sub(plateau.start)) / 4;
            plateau.start..plateau.start + quarter.clamp(LEAST_USUAL_S, MOST_USUAL_S)
        }
    };
    (usual.end.saturating_sub(usual.start) >= band::LEAST_SEEN && usual.end < plateau.end)
        .then_some(usual)
}

#[cfg(test)]
mod tests;
