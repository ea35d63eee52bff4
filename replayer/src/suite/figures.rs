//! What is told of a scenario's run.

use figures::Plateau;
use figures::judged::Judged;
use run_log::format::{Run, ValidityState};
use scenario::Percentile;
use serde::{Deserialize, Serialize};

/// In short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// Such as PASSED.
    pub conclusion: String,
    pub reason: Option<String>,
    pub validity: ValidityState,
    pub reasons: Vec<String>,
    /// Successes a second on the plateau.
    pub requests_per_s: Option<f64>,
    /// Of the response times on the plateau.
    pub p95_us: Option<f64>,
    /// The true value is this or more.
    pub p95_at_least: bool,
    /// Failed of what was planned and ended, on the plateau: from 0 to 1.
    pub failed: Option<f64>,
    pub elapsed_s: f64,
}

impl RunFigures {
    pub fn of(run: &Run, judged: &Judged, plateau: &Plateau) -> Self {
        let p95 = plateau.all.responses.percentile(Percentile::P95);
        Self {
            conclusion: judged.conclusion.name().to_owned(),
            reason: judged.reason.clone(),
            validity: run.validity.state,
            reasons: run.validity.reasons.clone(),
            requests_per_s: plateau.throughput().value,
            p95_us: p95.value,
            p95_at_least: p95.at_least,
            failed: plateau.counts.failures().value,
            elapsed_s: run.elapsed_s,
        }
    }
}
