//! What became of the target once the load was taken away, as it stands in `run.json`.

use serde::{Deserialize, Serialize};

/// Latency and failures without the load beside those of the first step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    pub result: Recovered,
    /// From the end of the load to the first second that was as at the first step, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_s: Option<f64>,
    /// The worst second of the first step.
    pub first_step: Level,
    /// The worst of the last seconds in which something ended; none where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Level>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovered {
    /// Latency and failures were what they were at the first step.
    Recovered,
    /// It answered until the bound, slower or failing more often.
    NotWithin,
    /// It answered nothing until the bound.
    Dead,
    /// The run ended before either.
    #[serde(other)]
    CutShort,
}

/// What one second was like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Of response times, in microseconds; none where none was a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_us: Option<f64>,
    /// Share of what ended.
    pub failures: f64,
}

impl Level {
    /// The worse of each.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let p95_us = self.p95_us.into_iter().chain(other.p95_us).reduce(f64::max);
        Self { p95_us, failures: self.failures.max(other.failures) }
    }

    /// Whether neither is worse than there.
    pub fn is_within(self, bounds: Self) -> bool {
        let p95 = self.p95_us.zip(bounds.p95_us);
        p95.is_none_or(|(mine, bound)| mine <= bound) && self.failures <= bounds.failures
    }
}
