//! The end of a run: it is judged, written and given an exit code.

use common::exit::Exit;
use common_net::signals::exit_of as exit_of_signal;
use figures::conclusion::profile;
use figures::judge::judge;
use figures::stats::{self, Figures};

use crate::error::Error;
use crate::measure::Collector;
use run_log::format::{
    EndedBy, FailureRow, Fidelity, Judgement, LatencyKind, Run, Scope, State, ValidityState,
    Verdict,
};
use run_log::stats::{StatsRow, split};
use run_log::writer::RunWriter;
use scenario::{Expectation, Profile};

/// Judges by these expectations and writes the last files; returns `run.json` as written.
///
/// # Errors
/// When they cannot be written; the run then reads as incomplete.
pub(super) fn finish(
    collector: &Collector,
    mut run: Run,
    writer: RunWriter,
    expectations: &[Expectation],
) -> Result<Run, Error> {
    run.state = State::Finished;
    run.lag = collector.lag();
    run.fidelity = collector.fidelity();
    run.verdicts = judge(expectations, &collector.plateau)
        .iter()
        .map(figures::judge::Verdict::record)
        .collect();
    if is_quick(&run) {
        // Scaled down: the figures are shown beside the targets, and say nothing of them.
        for verdict in &mut run.verdicts {
            verdict.result = Judgement::NotJudged;
        }
    }
    let mut rows: Vec<StatsRow> = Vec::new();
    for (index, (name, totals)) in run.endpoints.iter().zip(&collector.by_endpoint).enumerate() {
        let wanted = Scope::Endpoint(index);
        let mut latency = collector.run.sum(LatencyKind::ResponseOk, |scope| scope == wanted);
        let failed = collector.run.sum(LatencyKind::ResponseFailed, |scope| scope == wanted);
        let added = latency.add(failed);
        debug_assert!(added.is_ok(), "they grow as needed");
        rows.push(stats::row(&Figures {
            name,
            requests: totals.requests,
            failures: totals.failures,
            body_bytes: totals.body_bytes,
            elapsed_s: run.elapsed_s,
            latency: &latency,
        }));
    }
    rows.push(stats::row(&Figures {
        name: "Aggregated",
        requests: collector.by_endpoint.iter().map(|totals| totals.requests).sum(),
        failures: collector.by_endpoint.iter().map(|totals| totals.failures).sum(),
        body_bytes: collector.by_endpoint.iter().map(|totals| totals.body_bytes).sum(),
        elapsed_s: run.elapsed_s,
        latency: &collector.run.completed(),
    }));
    let failures: Vec<FailureRow> = collector
        .failures
        .iter()
        .map(|((endpoint, error), occurrences)| {
            let (method, name) = split(&run.endpoints[*endpoint]);
            FailureRow { method, name, error: error.clone(), occurrences: *occurrences }
        })
        .collect();
    writer.finish(&run, &rows, &failures, &collector.fidelity_rows())?;
    Ok(run)
}

/// Of all reasons that hold, the most important one. With `min_fidelity`, a share in percent,
/// answers must be as they were recorded.
pub(super) fn exit_of(run: &Run, min_fidelity: Option<f64>) -> Exit {
    let mut exit = match &run.ended_by {
        Some(EndedBy::Signal(signal)) => exit_of_signal(*signal),
        Some(EndedBy::LoginsRefused) => Exit::Environment,
        _ => Exit::Good,
    };
    let is_quick = is_quick(run);
    let missed = |verdict: &Verdict| verdict.result != Judgement::Met;
    if !is_quick && run.verdicts.iter().any(missed) {
        exit = exit.or(Exit::Threshold);
    }
    let is_invalid = match run.validity.state {
        ValidityState::Valid => false,
        // What is not judged may be doubtful.
        ValidityState::Suspect => !is_quick && !run.verdicts.is_empty(),
        ValidityState::Invalid => true,
    };
    if is_invalid {
        exit = exit.or(Exit::Invalid);
    }
    if let Some(least) = min_fidelity {
        let Fidelity { shapes_compared, same_status_and_shape, .. } = run.fidelity;
        let share = same_status_and_shape as f64 / shapes_compared.max(1) as f64 * 100.0;
        if share < least {
            exit = exit.or(Exit::Fidelity);
        }
    }
    exit
}

fn is_quick(run: &Run) -> bool {
    profile(run) == Profile::Quick
}
