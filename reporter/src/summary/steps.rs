//! Load that grows in steps, and which of them the target sustained.

use std::ops::Range;
use std::time::Duration;

use run_log::timeline::Second;
use scenario::{Axis, Load, Metric, Percentile};

use figures::{Counts, Reading, ResponseTimes};

/// A step whose p95 exceeds this is not sustained, however few of its requests fail.
pub(super) const LATENCY_GONE_US: f64 = 1_000_000.0;
/// Share of failures above which a step is not sustained, unless the scenario's
/// `stop_on` names another.
const FAILURES_GONE: f64 = 0.05;

/// A number of users that the stages asked for.
pub struct Step {
    pub users: u64,
    /// From the first second with all its users to its end; empty when it was
    /// never reached.
    pub window: Range<u64>,
    pub counts: Counts,
    pub times: ResponseTimes,
    failures_gone: f64,
}

/// Whether the target sustained a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Held,
    /// The users had not all started before it ended.
    NotReached,
    Failures,
    Latency,
}

impl Step {
    pub fn outcome(&self) -> StepOutcome {
        let failures = self.counts.failures().value;
        match (failures, self.times.percentile(Percentile::P95).value) {
            _ if self.window.is_empty() => StepOutcome::NotReached,
            (Some(failures), _) if failures > self.failures_gone => StepOutcome::Failures,
            (_, Some(p95)) if p95 > LATENCY_GONE_US => StepOutcome::Latency,
            (_, Some(_)) => StepOutcome::Held,
            // All of its users had started, and none was answered.
            (_, None) => StepOutcome::Latency,
        }
    }

    pub fn seconds(&self) -> u64 {
        self.window.end - self.window.start
    }

    pub fn throughput(&self) -> Reading {
        Reading::rate(self.counts.ok(), self.seconds() as f64)
    }
}

/// The steps of a load that had begun by the end of the timeline.
pub(super) fn steps(load: &Load, timeline: &[Second]) -> Vec<Step> {
    let Axis::Stages(stages) = &load.axis else {
        return Vec::new();
    };
    let failures_gone = match &load.stop_on {
        Some(limit) if limit.metric == Metric::Failures => limit.bound,
        _ => FAILURES_GONE,
    };
    let every = stages.every.as_secs_f64();
    let planned = load.duration.unwrap_or_else(|| stages.duration()).as_secs_f64();
    let seen = timeline.last().map_or(0, |row| row.second + 1);
    (0u32..)
        .map(|step| f64::from(step) * every)
        // The drain after the last step does not count as one.
        .take_while(|start| *start < planned && *start < seen as f64)
        .map(|start| {
            let users = stages.users_at(Duration::from_secs_f64(start));
            let end = (start + every).min(planned).ceil() as u64;
            let in_step = start.ceil() as u64..end.min(seen);
            let first = timeline
                .iter()
                .find(|row| in_step.contains(&row.second) && row.users >= users)
                .map_or(in_step.end, |row| row.second);
            let window = first..in_step.end;
            let counts = Counts::of(timeline.iter().filter(|row| window.contains(&row.second)));
            Step { users, window, counts, times: ResponseTimes::default(), failures_gone }
        })
        .collect()
}
