//! What a run came to, for the person or the script that started it.

use std::path::Path;

use common::say::{print, print_json};
use figures::judged::Judged;
use serde::Serialize;

use crate::error::Error;
use crate::preflight::answer;
use run_log::audit::Audit;
use run_log::format::{EndedBy, ErrorSample, Judgement, Run, ValidityState};
use run_log::outcome::Outcome;
use run_log::recovery::{Level, Recovered};

/// Prints a value as JSON, for scripts.
pub(super) fn print_as_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    text.and_then(|text| print_json(&(text + "\n"))).map_err(Error::stdout)
}

pub(super) fn print_summary(
    run: &Run,
    judged: &Judged,
    out: &Path,
    as_json: bool,
) -> Result<(), Error> {
    if as_json {
        return print_as_json(run);
    }
    print(&words(run, judged, out)).map_err(Error::stdout)
}

fn words(run: &Run, judged: &Judged, out: &Path) -> String {
    let totals = &run.totals;
    let outcomes = &totals.outcomes;
    let failed = totals.failed_status + outcomes.not_completed();
    let share = failed as f64 / totals.planned.max(1) as f64 * 100.0;
    let mut text = first_lines(judged);
    text.push_str(&format!(
        "{} planned: {} completed ({} with a failure status), {} not; {share:.3} % failed\n\
         {} extra ({} renewals, {} retries, {} probes, {} GET /metrics); {} connections opened\n",
        totals.planned,
        outcomes[Outcome::Completed],
        totals.failed_status,
        outcomes.not_completed(),
        totals.extra.sum(),
        totals.extra.renewals,
        totals.extra.retries,
        totals.extra.probes,
        totals.extra.observations,
        totals.connections_opened,
    ));
    if let Some(reason) = &run.ended_by {
        text.push_str(&format!("ended after {:.1} s: {reason}\n", run.elapsed_s));
    }
    text.push_str(&recovery(run).unwrap_or_default());
    if totals.rebound > 0 {
        text.push_str(&format!(
            "{} answers had fewer items than recorded: values were taken from others of them\n",
            totals.rebound
        ));
    }
    for verdict in &run.verdicts {
        let result = match verdict.result {
            Judgement::Met => "met",
            Judgement::Missed => "missed",
            Judgement::NotJudged => "not judged",
        };
        text.push_str(&format!("{}: {} ({result})\n", verdict.expectation, verdict.measured));
    }
    let fidelity = &run.fidelity;
    if fidelity.shapes_compared > 0 {
        let share = fidelity.same_status_and_shape as f64 / fidelity.shapes_compared as f64;
        let failures = match fidelity.same_failures {
            0 => String::new(),
            count => format!("; {count} of them failures, as recorded"),
        };
        text.push_str(&format!(
            "fidelity: {:.2} % of {} answers with the recorded status and shape{failures}\n",
            share * 100.0,
            fidelity.shapes_compared
        ));
    }
    text.push_str(&run.audit.as_ref().map_or_else(String::new, audit));
    let validity = match run.validity.state {
        ValidityState::Valid => "VALID".to_owned(),
        ValidityState::Suspect => format!("SUSPECT: {}", run.validity.reasons.join("; ")),
        ValidityState::Invalid => format!("INVALID: {}", run.validity.reasons.join("; ")),
    };
    text.push_str(&format!(
        "generator share p50 {:.1} ms, p99 {:.1} ms; {validity}\nrun directory: {}\n",
        run.lag.p50_us as f64 / 1e3,
        run.lag.p99_us as f64 / 1e3,
        out.display()
    ));
    // Whoever has scenarios has a report of them in mind.
    if run.scenario.is_none() {
        let runs = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        let runs = runs.unwrap_or(Path::new("."));
        text.push_str(&format!("its report: reporter fill --runs {}\n", runs.display()));
    }
    text
}

/// What became of the target once the load was taken away.
fn recovery(run: &Run) -> Option<String> {
    let (of, bound_s) = (run.recovery?, run.config.recovery_s?);
    let level = |level: Level| {
        let p95 =
            level.p95_us.map_or_else(|| "none".to_owned(), |us| format!("{:.1} ms", us / 1e3));
        format!("p95 {p95}, {:.3} % failed", level.failures * 100.0)
    };
    let first = level(of.first_step);
    let last = of.last.map_or_else(|| "nothing ended".to_owned(), level);
    let told = match of.result {
        Recovered::Recovered => {
            let after_s = of.after_s.unwrap_or_default();
            format!("as at the first step (at most {first}) {after_s:.1} s after the load was gone")
        }
        Recovered::NotWithin => {
            format!("not within {bound_s} s: {last} at last, and at most {first} at the first step")
        }
        Recovered::Dead => {
            format!("dead: nothing was answered for {bound_s} s after the load was gone")
        }
        Recovered::CutShort => format!(
            "not known, the run ended before {bound_s} s were over: {last} at last, and at most {first} at the first step"
        ),
    };
    Some(format!("recovery: {told}\n"))
}

/// What an audit came to, or why there was none.
fn audit(audit: &Audit) -> String {
    let Audit { endpoint, mark, place, not_done, counts, .. } = audit;
    let head = format!("audit of {endpoint}, by {mark} in {place}:");
    let Some(counts) = counts else {
        return format!("{head} not done, {}\n", not_done.as_deref().unwrap_or("unknown why"));
    };
    let unacknowledged = counts.unacknowledged.map_or_else(
        || "unacknowledged not known, since no answer has their mark".to_owned(),
        |count| format!("{count} unacknowledged"),
    );
    let mut text = format!(
        "{head} {} acknowledged, {} failed; {} lost, {} duplicated, {unacknowledged}; counted in {:.1} s\n",
        counts.acknowledged, counts.failed, counts.lost, counts.duplicated, counts.took_s,
    );
    for (count, what) in [
        (counts.unmarked, "acknowledged without a mark, which cannot be looked for"),
        (counts.repeated, "acknowledged with the mark of another"),
    ] {
        if count > 0 {
            text.push_str(&format!("! {count} {what}\n"));
        }
    }
    text
}

/// Says what stopped a run before its time, where that was the target.
pub(super) fn say_refusal(run: &Run, refusal: Option<&ErrorSample>) {
    let Some((EndedBy::LoginsRefused, refusal)) = run.ended_by.as_ref().zip(refusal) else {
        return;
    };
    let ErrorSample { endpoint, persona, .. } = refusal;
    let answer = answer(refusal);
    common::say!(
        "replayer: stopped, since over 1 % of the users were refused: {endpoint} of {persona} was \
         answered {answer}"
    );
}

/// What it came to, and what has to be seen before any figure.
fn first_lines(judged: &Judged) -> String {
    let mut text = judged.conclusion.name().to_owned();
    if let Some(reason) = &judged.reason {
        text.push_str(&format!(": {reason}"));
    }
    text.push('\n');
    let is_said = |mark: &&String| judged.reason.as_ref().is_some_and(|of| of.contains(*mark));
    for mark in judged.marks.iter().filter(|mark| !is_said(mark)) {
        text.push_str(&format!("! {mark}\n"));
    }
    text
}
