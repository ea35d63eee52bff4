//! What has to be seen of a run before any other figure: that more failed than is allowed, that
//! its load was not held, or not the scenario's.

use run_log::format::{Judgement, Run};
use scenario::{ALLOWED_FAILURES, Metric};

use crate::judge::{LET_THROUGH, Verdict, exceeds_allowance, measured_text};
use crate::{Plateau, Reading};

/// That more requests failed than these expectations allow, or than 1 % where they say nothing of
/// all requests. Of the whole run where nothing ended on the plateau.
pub(crate) fn failures(run: &Run, plateau: &Plateau, verdicts: &[Verdict]) -> Vec<String> {
    let mut marks = Vec::new();
    let (share, of) = match plateau.counts.ended() {
        0 => (of_the_whole_run(run), " of all requests, ramp included"),
        _ => (plateau.counts.failures(), ""),
    };
    let share = share.value.unwrap_or(0.0);
    let told = || {
        let cause = plateau.counts.main_cause();
        let cause = cause.map_or_else(String::new, |(cause, _)| format!(", mostly {cause}"));
        format!("{:.3} %{of}{cause}", share * 100.0)
    };
    let bounds = verdicts.iter().filter(|v| v.expectation.allows_failures());
    if exceeds_allowance(share, verdicts) {
        let allowed = ALLOWED_FAILURES * 100.0;
        marks.push(format!("more failed than the {allowed} % that is allowed: {}", told()));
    }
    for Verdict { expectation, .. } in bounds {
        if !expectation.comparison.holds(share, expectation.bound) {
            marks.push(format!("more failed than `{expectation}` allows: {}", told()));
        }
    }
    let of_a_name = verdicts.iter().filter(|verdict| {
        let expectation = &verdict.expectation;
        let is_bound =
            expectation.metric == Metric::Failures && expectation.comparison.is_upper_bound();
        is_bound && !expectation.allows_failures() && verdict.result == Judgement::Missed
    });
    marks.extend(of_a_name.map(|verdict| {
        format!("more failed than `{}` allows: {}", verdict.expectation, measured_text(verdict))
    }));
    marks
}

fn of_the_whole_run(run: &Run) -> Reading {
    let totals = &run.totals;
    let failed = totals.failed_status + totals.outcomes.not_completed();
    Reading::share(failed, totals.outcomes.sum())
}

/// That less than was planned became ready, so that latencies are of what did.
pub(crate) fn load_held(verdicts: &[Verdict]) -> Vec<String> {
    let missed = verdicts.iter().filter(|verdict| verdict.misses_load());
    let marks = missed.map(|verdict| {
        let held = measured_text(verdict);
        format!("the load was not held: {held} of the requests planned for the plateau became ready on it, and latencies are {LET_THROUGH}")
    });
    marks.collect()
}

/// That the load was not the scenario's.
pub(crate) fn other_load(run: &Run) -> Vec<String> {
    let Some(scenario) = &run.scenario else { return Vec::new() };
    let shard = run.shard.map(|shard| format!("shard {shard} alone"));
    let changed: Vec<String> = scenario.changed.iter().cloned().chain(shard).collect();
    if changed.is_empty() {
        return Vec::new();
    }
    vec![format!("not the scenario's load: {}", changed.join("; "))]
}
