//! A second that is over, as whoever shows the run is told of it.

use run_log::format::{ErrorSample, TargetSample};
use run_log::timeline::Second;
use serde::Serialize;

use crate::measure::Collector;
use crate::time::At;

pub struct Tick<'a> {
    pub row: &'a Second,
    pub collector: &'a Collector,
    pub planned_end: Option<At>,
    /// Failing answers, and what was observed, since the second before was shown.
    pub errors: &'a [ErrorSample],
    pub observed: &'a [TargetSample],
    /// Of a run on several machines.
    pub workers: &'a [WorkerSeen],
}

/// A worker on another machine, as the lead of its run knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkerSeen {
    pub shard: usize,
    pub name: String,
    /// Running, done, failed or lost.
    pub state: &'static str,
    /// The lead's clock less its own, in microseconds, and how exactly that is known.
    pub offset_us: Option<i64>,
    pub bound_us: Option<u64>,
    /// How long ago it was heard of, in seconds.
    pub silent_s: f64,
    /// Of its latest second, in microseconds.
    pub lag_p99_us: Option<u64>,
}
