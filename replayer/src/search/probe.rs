//! What a probe came to: whether the load of its level is held.

use figures::judge::{self, Verdict, exceeds_allowance, judge};
use figures::{Plateau, ResponseTimes, is_endpoint};
use run_log::format::{EndedBy, Run, State, ValidityState};
use run_log::reader::{Interval, ReadError, RunReader};
use scenario::{Expectation, Percentile};
use serde::{Deserialize, Serialize};

use super::steady::{Trend, trend};

/// Whether a load is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Held,
    Missed,
    /// It cannot be told.
    Unclear,
}

/// What a probe came to, and why where it did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub outcome: Outcome,
    pub why: Option<String>,
}

impl Found {
    fn missed(why: String) -> Self {
        Self { outcome: Outcome::Missed, why: Some(why) }
    }

    fn unclear(why: String) -> Self {
        Self { outcome: Outcome::Unclear, why: Some(why) }
    }
}

/// How a probe went, a value a second of its plateau.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Medians of the response times, in microseconds, of seconds that had some.
    pub median_us: Vec<f64>,
    /// Requests under way and waiting for a connection.
    pub waiting: Vec<f64>,
    /// Requests that ended, all seconds together.
    pub ended: u64,
}

/// By less than this a median may rise, in microseconds: what a generator's own delay may be.
const LEAST_RISE_US: f64 = 2_000.0;
/// By fewer than this share of the requests of a probe what is waiting may grow: by more, over one
/// in a hundred comes that is not served.
const LEAST_MORE_WAITING: f64 = 0.01;

impl Series {
    /// Of a run directory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(reader: &RunReader) -> Result<Self, ReadError> {
        let window = reader.run().plateau;
        // A second that is short has fewer of everything.
        let judged = window.start_s..window.end().floor() as u64;
        let mut series = Self::default();
        for row in reader.seconds()? {
            let row = row?;
            if judged.contains(&row.second) {
                series.waiting.push((row.in_flight + row.queued) as f64);
                series.ended += row.done();
            }
        }
        let mut times = ResponseTimes::default();
        let mut now = judged.start;
        for interval in reader.intervals()? {
            let Interval { second, tag, recorded } = interval?;
            if !judged.contains(&second) || !is_endpoint(tag.scope) {
                continue;
            }
            if second != now {
                series.end_second(&mut times);
                now = second;
            }
            times.add(tag.kind, &recorded);
        }
        series.end_second(&mut times);
        Ok(series)
    }

    fn end_second(&mut self, times: &mut ResponseTimes) {
        self.median_us.extend(times.percentile(Percentile::P50).value);
        times.clear();
    }

    /// What still rose when the probe ended.
    fn rises(&self) -> Option<String> {
        if let Trend::Up(from, to) = trend(&self.median_us, LEAST_RISE_US) {
            let (from, to) = (from.max(0.0) / 1e3, to / 1e3);
            return Some(format!(
                "response times rise all the while, from {from:.1} to {to:.1} ms"
            ));
        }
        let least = self.ended as f64 * LEAST_MORE_WAITING;
        if let Trend::Up(from, to) = trend(&self.waiting, least) {
            let from = from.max(0.0);
            return Some(format!("more and more requests wait, {to:.0} after {from:.0}"));
        }
        None
    }

    /// What was still on its way down.
    fn falls(&self) -> Option<String> {
        let Trend::Down(from, to) = trend(&self.median_us, LEAST_RISE_US) else { return None };
        let (from, to) = (from / 1e3, to.max(0.0) / 1e3);
        Some(format!("response times still fall, from {from:.1} to {to:.1} ms"))
    }
}

/// Whether a run held what is expected, defaults among it. What the generator could not do, and
/// what was still settling, says nothing of the target.
pub fn found(run: &Run, plateau: &Plateau, expectations: &[Expectation], series: &Series) -> Found {
    ended(run).unwrap_or_else(|| measured(plateau, expectations, series))
}

/// What its end alone says.
fn ended(run: &Run) -> Option<Found> {
    if run.state != State::Finished {
        return Some(Found::unclear("the run did not come to its end".to_owned()));
    }
    if run.ended_by == Some(EndedBy::LoginsRefused) {
        return Some(Found::missed("the target refused too many logins".to_owned()));
    }
    (run.validity.state != ValidityState::Valid).then(|| {
        let reasons = run.validity.reasons.join("; ");
        Found::unclear(format!("the generator itself was late: {reasons}"))
    })
}

/// What was measured of it, the generator having done its part.
pub(super) fn measured(plateau: &Plateau, expectations: &[Expectation], series: &Series) -> Found {
    if let Some(unmet) = unmet(&judge(expectations, plateau), plateau) {
        return Found::missed(unmet);
    }
    if let Some(rises) = series.rises() {
        return Found::missed(rises);
    }
    match series.falls() {
        Some(falls) => Found::unclear(falls),
        None => Found { outcome: Outcome::Held, why: None },
    }
}

/// What of the verdicts is not met; of failures more than are allowed, where none bounds them.
fn unmet(verdicts: &[Verdict], plateau: &Plateau) -> Option<String> {
    let texts = judge::unmet(verdicts).map(|verdict| {
        let record = verdict.record();
        format!("{}: {}", record.expectation, record.measured)
    });
    let mut all: Vec<String> = texts.collect();
    let failed = plateau.counts.failures().value.unwrap_or(0.0);
    if exceeds_allowance(failed, verdicts) {
        all.push(format!("{:.3} % of the requests failed", failed * 100.0));
    }
    (!all.is_empty()).then(|| all.join("; "))
}
