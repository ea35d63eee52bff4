//! The end of a run: it is judged, written and given an exit code.

use common::exit::Exit;
use common_net::signals::exit_of as exit_of_signal;
use figures::conclusion::Conclusion;
use figures::is_endpoint;
use figures::judged::Judged;
use figures::stats::{self, Figures};

use crate::error::Error;
use crate::measure::{Collector, EndpointTotals};
use run_log::format::{EndedBy, FailureRow, Fidelity, LatencyKind, Run, Scope, State};
use run_log::stats::{StatsRow, split};
use run_log::writer::RunWriter;
use scenario::Expectation;

/// Said where a bound stands among numbers, as Locust's tables have no other place for it.
const BOUNDS_IN_STATS: &str = "stats.csv and stats_history.csv hold requests without an answer \
     at the time that they had waited, so that what reaches into these is a lower bound there";

/// Said where over 1 % of the answers were failures already when they were recorded.
const RECORDED_FAILURES: &str = "over 1 % of the recorded answers were failures, and were failures \
     again: to fidelity they are the same, and the load is that of users whose requests fail";

/// Judges by these expectations and writes the last files; returns `run.json` as written, and what
/// the run came to.
///
/// # Errors
/// When they cannot be written; the run then reads as incomplete.
pub(super) fn finish(
    collector: &Collector,
    mut run: Run,
    writer: RunWriter,
    expectations: &[Expectation],
) -> Result<(Run, Judged), Error> {
    run.state = State::Finished;
    run.lag = collector.lag();
    run.fidelity = collector.fidelity();
    run.recovery = collector.recovery.as_ref().and_then(|watch| watch.result(&run));
    let judged = Judged::of(&run, &collector.plateau, expectations);
    run.verdicts = judged.verdicts.iter().map(figures::judge::Verdict::record).collect();
    let Fidelity { compared, same_failures, .. } = run.fidelity;
    let had_failed = u128::from(same_failures) * 100 > u128::from(compared);
    say(&mut run.limitations, RECORDED_FAILURES, had_failed);
    let holds_bounds = collector.run.count(LatencyKind::Censored, is_endpoint) > 0;
    say(&mut run.limitations, BOUNDS_IN_STATS, holds_bounds);
    let rows = stats_rows(collector, &run);
    let failures: Vec<FailureRow> = collector
        .failures
        .iter()
        .map(|((endpoint, error), of_it)| {
            let (method, name) = split(&run.endpoints[*endpoint]);
            FailureRow {
                method,
                name,
                error: error.clone(),
                occurrences: of_it.count,
                first_second: of_it.seconds.as_ref().map(|seconds| *seconds.start()),
                last_second: of_it.seconds.as_ref().map(|seconds| *seconds.end()),
            }
        })
        .collect();
    writer.finish(&run, &rows, &failures, &collector.fidelity_rows())?;
    Ok((run, judged))
}

/// A row of `stats.csv` an endpoint, and their sum.
fn stats_rows(collector: &Collector, run: &Run) -> Vec<StatsRow> {
    let row = |name: &str, of: &[EndpointTotals], scope: &dyn Fn(Scope) -> bool| {
        let count = |kind| collector.run.count(kind, scope);
        stats::row(&Figures {
            name,
            requests: of.iter().map(|totals| totals.requests).sum(),
            failures: of.iter().map(|totals| totals.failures).sum(),
            completed: count(LatencyKind::ResponseOk) + count(LatencyKind::ResponseFailed),
            body_bytes: of.iter().map(|totals| totals.body_bytes).sum(),
            elapsed_s: run.elapsed_s,
            latency: &collector.run.responses(scope),
        })
    };
    let by_endpoint = run.endpoints.iter().zip(&collector.by_endpoint).enumerate();
    let mut rows: Vec<StatsRow> = by_endpoint
        .map(|(index, (name, totals))| {
            row(name, std::slice::from_ref(totals), &|scope| scope == Scope::Endpoint(index))
        })
        .collect();
    rows.push(row("Aggregated", &collector.by_endpoint, &is_endpoint));
    rows
}

/// Has a limitation among the others where it holds, once, and not where it does not: shards
/// that are added up bring theirs, and the whole is another.
fn say(limitations: &mut Vec<String>, text: &str, holds: bool) {
    limitations.retain(|known| known != text);
    if holds {
        limitations.push(text.to_owned());
    }
}

/// Of all reasons that hold, the most important one. With `min_fidelity`, a share in percent,
/// answers must be as they were recorded.
pub(super) fn exit_of(run: &Run, conclusion: &Conclusion, min_fidelity: Option<f64>) -> Exit {
    let ended = match &run.ended_by {
        Some(EndedBy::Signal(signal)) => exit_of_signal(*signal),
        Some(EndedBy::LoginsRefused) => Exit::Environment,
        _ => Exit::Good,
    };
    let Fidelity { shapes_compared, same_status_and_shape, .. } = run.fidelity;
    let share = same_status_and_shape as f64 / shapes_compared.max(1) as f64 * 100.0;
    let fidelity = match min_fidelity {
        Some(least) if share < least => Exit::Fidelity,
        _ => Exit::Good,
    };
    ended.or(conclusion.exit()).or(fidelity)
}
