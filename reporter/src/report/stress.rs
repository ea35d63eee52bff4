//! Load in steps: the highest that was sustained, where the target broke and how.

use serde::Serialize;

use crate::summary::{Step, StepOutcome, Summary};
use crate::units::{Figure, Unit, grouped, micros, per_second, share};
use figures::Reading;
use scenario::Percentile;

/// A step scales when each of its users gets at least this share of what a user
/// of the first step got.
const LINEAR: f64 = 0.9;
/// A step is degraded when its p95 is this many times that of the first.
const SLOWER: f64 = 2.0;

#[derive(Serialize)]
pub struct Stress {
    pub steps: Vec<StepRow>,
    /// Users of the last step before the first that was not held.
    pub held_users: Figure,
    pub held_throughput: Figure,
    /// Users of the first step that was not held.
    pub breaking_users: Figure,
    pub failure_mode: String,
    /// Users of the last step that was reached, and its latencies.
    pub peak_users: Figure,
    pub peak_p50: Figure,
    pub peak_p95: Figure,
    pub peak_p99: Figure,
    pub peak_max: Figure,
    /// Throughput grows with the users up to here.
    pub linear_users: Figure,
    /// First step with less throughput a user, or with twice the first one's p95.
    pub degraded_users: Figure,
}

#[derive(Serialize)]
pub struct StepRow {
    pub users: Figure,
    pub seconds: Figure,
    pub throughput: Figure,
    pub failures: Figure,
    pub p50: Figure,
    pub p95: Figure,
    pub p99: Figure,
    pub max: Figure,
    pub held: &'static str,
}

impl Stress {
    pub(super) fn new(summary: &Summary) -> Option<Self> {
        let steps = &summary.steps;
        let peak = steps.iter().rev().find(|step| step.outcome() != StepOutcome::NotReached)?;
        let held = steps.iter().take_while(|step| step.outcome() == StepOutcome::Held).last();
        let broken = steps.iter().find(|step| step.outcome() != StepOutcome::Held);
        let linear = steps
            .iter()
            .take_while(|step| step.outcome() == StepOutcome::Held && scales(step, &steps[0]))
            .last();
        let degraded = steps
            .iter()
            .filter(|step| step.outcome() != StepOutcome::NotReached)
            .find(|step| !scales(step, &steps[0]) || slower(step, &steps[0]));
        Some(Self {
            steps: steps.iter().map(row).collect(),
            held_users: users(held),
            held_throughput: per_second(held.map_or(Reading::NONE, Step::throughput)),
            breaking_users: users(broken),
            failure_mode: broken.map_or_else(|| "none seen".to_owned(), failure_mode),
            peak_users: users(Some(peak)),
            peak_p50: micros(peak.times.percentile(Percentile::P50)),
            peak_p95: micros(peak.times.percentile(Percentile::P95)),
            peak_p99: micros(peak.times.percentile(Percentile::P99)),
            peak_max: micros(peak.times.max()),
            linear_users: users(linear),
            degraded_users: users(degraded),
        })
    }
}

fn users(step: Option<&Step>) -> Figure {
    step.map_or(Figure::none(Unit::Count), |step| Figure::count(step.users))
}

fn a_user(step: &Step) -> Option<f64> {
    step.throughput().value.map(|rate| rate / step.users as f64)
}

fn scales(step: &Step, first: &Step) -> bool {
    a_user(step).zip(a_user(first)).is_some_and(|(now, before)| now >= LINEAR * before)
}

fn slower(step: &Step, first: &Step) -> bool {
    let p95 = |step: &Step| micros(step.times.percentile(Percentile::P95)).value;
    p95(step).zip(p95(first)).is_some_and(|(now, before)| now > SLOWER * before)
}

fn failure_mode(step: &Step) -> String {
    let users = grouped(step.users as f64, 0);
    match (step.outcome(), step.counts.main_cause()) {
        (StepOutcome::NotReached, _) => format!("the {users} users were never all there"),
        (StepOutcome::Failures, Some((cause, count))) => {
            let part = Figure::share(count, step.counts.ended());
            format!("{} failed, mostly {cause} ({part})", share(step.counts.failures()))
        }
        _ => format!("p95 of {}", micros(step.times.percentile(Percentile::P95))),
    }
}

fn row(step: &Step) -> StepRow {
    StepRow {
        users: Figure::count(step.users),
        seconds: Figure::new(step.seconds() as f64, Unit::Seconds),
        throughput: per_second(step.throughput()),
        failures: share(step.counts.failures()),
        p50: micros(step.times.percentile(Percentile::P50)),
        p95: micros(step.times.percentile(Percentile::P95)),
        p99: micros(step.times.percentile(Percentile::P99)),
        max: micros(step.times.max()),
        held: match step.outcome() {
            StepOutcome::Held => "held",
            StepOutcome::NotReached => "not reached",
            StepOutcome::Failures => "failures",
            StepOutcome::Latency => "latency gone",
        },
    }
}
