//! Load in steps: the highest that was held, where the target broke and how.

use serde::Serialize;

use super::recovery::RecoveryReport;
use crate::summary::Summary;
use crate::units::{Figure, Unit, grouped, micros, of_metric, per_second, share};
use figures::Reading;
use figures::judge::Verdict;
use figures::knee::Knee;
use figures::steps::{Criterion, Ladder, Outcome, Short, Step, stopped_in};
use run_log::format::{EndedBy, Run};
use scenario::{Metric, Percentile, Scope};

/// A step scales when each of its users gets at least this share of what a user
/// of the first step got.
const LINEAR: f64 = 0.9;
/// A step is slower when its p95 is more than this many times that of the first.
const SLOWER: f64 = 2.0;

#[derive(Serialize)]
pub struct Stress {
    /// When a step is held, in words.
    pub criterion: String,
    pub steps: Vec<StepRow>,
    /// Users of the last step that was held before the first that was not.
    pub held_users: Figure,
    pub held_throughput: Figure,
    /// Users of the first step that was not held after one that was.
    pub breaking_users: Figure,
    /// Why there is no breaking point; empty where there is one.
    pub unbroken: &'static str,
    pub failure_mode: String,
    /// Users of the last step that was measured, and its latencies.
    pub peak_users: Figure,
    pub peak_p50: Figure,
    pub peak_p95: Figure,
    pub peak_p99: Figure,
    pub peak_max: Figure,
    /// Up to here all steps were held, scaled, and were not slower.
    pub linear_users: Figure,
    /// The first step that was measured and is not linear.
    pub degraded_users: Figure,
    /// Where throughput is highest, where the steps tell it.
    pub knee: Option<KneeReport>,
    pub recovery: Option<RecoveryReport>,
}

/// By the universal scalability law.
#[derive(Serialize)]
pub struct KneeReport {
    pub users: Figure,
    /// Without one of the steps.
    pub least: Figure,
    pub most: Figure,
    pub throughput: Figure,
    pub error: Figure,
}

impl KneeReport {
    fn of(steps: &[Step<'_>]) -> Option<Self> {
        let measured = steps.iter().filter(|step| step.is_measured());
        let level = |step: &Step<'_>| Some((step.users as f64, step.figures.throughput().value?));
        let Knee { users, range, throughput, error } =
            Knee::of(&measured.filter_map(level).collect::<Vec<_>>())?;
        let count = |users: f64| Figure::new(users, Unit::Count);
        Some(Self {
            users: count(users),
            least: count(range.0),
            most: count(range.1),
            throughput: Figure::new(throughput, Unit::PerSecond),
            error: Figure::new(error, Unit::Share),
        })
    }
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

/// Where the target broke, and how.
struct Break {
    users: u64,
    how: String,
}

impl Stress {
    pub fn new(summary: &Summary) -> Option<Self> {
        let ladder = summary.ladder.as_ref()?;
        let run = &summary.run;
        let steps = ladder.steps(run, &summary.plateau);
        let broken = first_broken(run, ladder, &steps);
        if steps.is_empty() && broken.is_none() {
            return None;
        }
        let held = steps.iter().take_while(|step| !step.is_broken()).filter(|step| step.is_held());
        let held = held.last();
        let measured = || steps.iter().filter(|step| step.is_measured());
        let first = measured().next();
        let is_linear = |step: &&Step<'_>| first.is_some_and(|first| is_linear(step, first));
        let linear = measured().take_while(is_linear).last();
        let degraded = measured().find(|step| !is_linear(step));
        let peak = measured().next_back();
        let peak_at =
            |percentile| peak.map_or(Figure::none(Unit::Microseconds), |step| at(step, percentile));
        let users = |step: Option<&Step<'_>>| {
            step.map_or(Figure::none(Unit::Count), |step| Figure::count(step.users))
        };
        let (breaking, unbroken, failure_mode) = match (&broken, held) {
            (None, Some(_)) => (None, "not reached: every step was held", "none seen".to_owned()),
            (None, None) => (None, "not reached", "none seen".to_owned()),
            (Some(at), Some(_)) => (Some(at.users), "", at.how.clone()),
            // What fails at once does not break: no load is known that it holds.
            (Some(at), None) => {
                let users = grouped(at.users as f64, 0);
                let how = format!("FAILED at its first step, {users} users: {}", at.how);
                (None, "none: it failed at its first step", how)
            }
        };
        Some(Self {
            criterion: in_words(&ladder.criterion),
            steps: steps.iter().map(row).collect(),
            held_users: users(held),
            held_throughput: per_second(held.map_or(Reading::NONE, |of| of.figures.throughput())),
            breaking_users: breaking.map_or(Figure::none(Unit::Count), Figure::count),
            unbroken,
            failure_mode,
            peak_users: users(peak),
            peak_p50: peak_at(Percentile::P50),
            peak_p95: peak_at(Percentile::P95),
            peak_p99: peak_at(Percentile::P99),
            peak_max: peak.map_or(Figure::none(Unit::Microseconds), |step| max(step)),
            linear_users: users(linear),
            degraded_users: users(degraded),
            knee: KneeReport::of(&steps),
            recovery: RecoveryReport::of(summary),
        })
    }
}

/// The first step that was not held, or the one that the condition to stop ended the run before.
fn first_broken(run: &Run, ladder: &Ladder, steps: &[Step<'_>]) -> Option<Break> {
    let condition = match &run.ended_by {
        Some(EndedBy::StopOn(condition)) => condition.as_str(),
        _ => "",
    };
    if let Some(step) = steps.iter().find(|step| step.is_broken()) {
        let how = match &step.outcome {
            Outcome::NotHeld(verdict) => not_held(&ladder.criterion, verdict, step),
            Outcome::Stopped => format!("`{condition}` held over its last seconds"),
            Outcome::NotReached(_) | Outcome::Held => {
                let held = share(step.figures.load_held());
                format!("less than half of its load was let through: {held}")
            }
        };
        return Some(Break { users: step.users, how });
    }
    let stopped = stopped_in(run)?;
    let users = grouped(stopped.users as f64, 0);
    let how = format!("`{condition}` held before half of the step of {users} users was over");
    Some(Break { users: stopped.users, how })
}

/// By what figure a step was not held.
fn not_held(criterion: &Criterion, verdict: &Verdict, step: &Step<'_>) -> String {
    let expectation = &verdict.expectation;
    let result = match criterion {
        Criterion::StopOn(_) => "held",
        Criterion::Expected(_) => "was not met",
    };
    let measured = match verdict.measured.value {
        Some(_) => of_metric(expectation.metric, verdict.measured).to_string(),
        None => "nothing was measured".to_owned(),
    };
    let is_of_failures = expectation.metric == Metric::Failures && expectation.scope == Scope::All;
    let cause = step.figures.counts.main_cause().filter(|_| is_of_failures);
    let cause = cause.map_or_else(String::new, |(cause, count)| {
        format!(", mostly {cause} ({})", Figure::share(count, step.figures.counts.ended()))
    });
    let judged = match verdict.result {
        run_log::format::Judgement::NotJudged => "could not be judged",
        _ => result,
    };
    format!("`{expectation}` {judged}: {measured}{cause}")
}

fn in_words(criterion: &Criterion) -> String {
    match criterion {
        Criterion::StopOn(condition) => format!("`{condition}` does not hold over it"),
        Criterion::Expected(all) => {
            let all: Vec<String> = all.iter().map(|of| format!("`{of}`")).collect();
            format!("over it there is {}", all.join(" and "))
        }
    }
}

fn is_linear(step: &Step<'_>, first: &Step<'_>) -> bool {
    step.is_held() && scales(step, first) && !is_slower(step, first)
}

fn a_user(step: &Step<'_>) -> Option<f64> {
    step.figures.throughput().value.map(|rate| rate / step.users as f64)
}

fn scales(step: &Step<'_>, first: &Step<'_>) -> bool {
    a_user(step).zip(a_user(first)).is_some_and(|(now, before)| now >= LINEAR * before)
}

fn is_slower(step: &Step<'_>, first: &Step<'_>) -> bool {
    let p95 = |step: &Step<'_>| at(step, Percentile::P95).value;
    p95(step).zip(p95(first)).is_some_and(|(now, before)| now > SLOWER * before)
}

fn at(step: &Step<'_>, percentile: Percentile) -> Figure {
    micros(step.figures.all.responses.percentile(percentile))
}

fn max(step: &Step<'_>) -> Figure {
    micros(step.figures.all.responses.max())
}

fn row(step: &Step<'_>) -> StepRow {
    StepRow {
        users: Figure::count(step.users),
        seconds: Figure::new(step.figures.length_s(), Unit::Seconds),
        throughput: per_second(step.figures.throughput()),
        failures: share(step.figures.counts.failures()),
        p50: at(step, Percentile::P50),
        p95: at(step, Percentile::P95),
        p99: at(step, Percentile::P99),
        max: max(step),
        held: match step.outcome {
            Outcome::Held => "held",
            Outcome::NotHeld(_) => "not held",
            Outcome::Stopped => "stopped",
            Outcome::NotReached(Short::Length) => "not reached",
            Outcome::NotReached(Short::Load) => "not let through",
        },
    }
}
