//! Expectations against figures, and what a scenario's run came to.

use replayer::run_log::format::{EndedBy, Judgement, Profile, State, ValidityState};
use replayer::scenario::{Comparison, Expectation, Metric, Scenario, Scope};
use seeder::exit::Exit;

use crate::summary::Summary;
use crate::units::{Figure, Unit, seconds};

/// An expectation as it turned out.
pub struct Verdict {
    pub expectation: Expectation,
    pub result: Judgement,
    pub measured: Figure,
    /// Why it is not judged, or what limits the figure; empty when nothing does.
    pub note: String,
}

/// What the run of a scenario came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pending,
    /// Killed, interrupted, or ended before the plateau.
    Incomplete(String),
    /// Scaled down: shown, never judged.
    Quick,
    Passed,
    Failed,
    /// Suspect or invalid: the figures are the generator's.
    Invalid(ValidityState),
    /// Nothing was expected of it.
    Measured,
}

impl Outcome {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Incomplete(_) => "INCOMPLETE",
            Self::Quick => "QUICK PROFILE",
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Invalid(ValidityState::Suspect) => "SUSPECT",
            Self::Invalid(_) => "INVALID",
            Self::Measured => "MEASURED",
        }
    }

    /// Whether the scenario ran to its end, however it turned out.
    pub const fn is_complete(&self) -> bool {
        !matches!(self, Self::Pending | Self::Incomplete(_))
    }

    pub const fn exit(&self) -> Exit {
        match self {
            Self::Pending | Self::Quick | Self::Passed | Self::Measured => Exit::Good,
            Self::Incomplete(_) => Exit::Incomplete,
            Self::Failed => Exit::Threshold,
            Self::Invalid(_) => Exit::Invalid,
        }
    }
}

/// The state of the report as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Partial { ran: usize, of: usize },
    Passed,
    Failed,
    Invalid,
    Quick,
}

impl Status {
    pub fn of(outcomes: &[&Outcome]) -> Self {
        let of = outcomes.len();
        let ran = outcomes.iter().filter(|outcome| outcome.is_complete()).count();
        let any = |wanted: fn(&Outcome) -> bool| outcomes.iter().any(|outcome| wanted(outcome));
        if ran < of {
            let touched = ran > 0 || any(|outcome| matches!(outcome, Outcome::Incomplete(_)));
            return if touched { Self::Partial { ran, of } } else { Self::Pending };
        }
        // One quick run, and the whole cannot be told to have passed or failed.
        if any(|outcome| *outcome == Outcome::Quick) {
            Self::Quick
        } else if any(|outcome| matches!(outcome, Outcome::Invalid(_))) {
            Self::Invalid
        } else if any(|outcome| *outcome == Outcome::Failed) {
            Self::Failed
        } else {
            Self::Passed
        }
    }

    pub const fn is_complete(self) -> bool {
        !matches!(self, Self::Pending | Self::Partial { .. })
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pending => f.write_str("PENDING EXECUTION"),
            Self::Partial { ran, of } => write!(f, "PARTIAL ({ran} of {of})"),
            Self::Passed => f.write_str("COMPLETE: PASSED"),
            Self::Failed => f.write_str("COMPLETE: FAILED"),
            Self::Invalid => f.write_str("COMPLETE: INVALID"),
            Self::Quick => f.write_str("COMPLETE (QUICK PROFILE)"),
        }
    }
}

/// What a run came to, and why each expectation was met, missed or not judged.
pub fn judge(scenario: &Scenario, summary: &Summary) -> (Outcome, Vec<Verdict>) {
    let run = &summary.run;
    let quick = run.scenario.as_ref().is_some_and(|of| of.profile == Profile::Quick);
    let withheld = if let Some(reason) = incomplete(summary) {
        Some((Outcome::Incomplete(reason), "the run is incomplete"))
    } else if quick {
        Some((Outcome::Quick, "quick profile"))
    } else if run.validity.state != ValidityState::Valid {
        Some((Outcome::Invalid(run.validity.state), "the run is not valid"))
    } else {
        None
    };
    let mut verdicts: Vec<Verdict> =
        scenario.expect.iter().map(|expectation| verdict(expectation, summary)).collect();
    withhold_latency(&mut verdicts);
    if let Some((outcome, reason)) = withheld {
        for verdict in &mut verdicts {
            verdict.result = Judgement::NotJudged;
            reason.clone_into(&mut verdict.note);
        }
        return (outcome, verdicts);
    }
    let met = verdicts.iter().all(|verdict| verdict.result == Judgement::Met);
    let outcome = match (verdicts.is_empty(), met) {
        (true, _) => Outcome::Measured,
        (false, true) => Outcome::Passed,
        // What cannot be judged is not met.
        (false, false) => Outcome::Failed,
    };
    (outcome, verdicts)
}

fn incomplete(summary: &Summary) -> Option<String> {
    let run = &summary.run;
    let elapsed = seconds(run.elapsed_s);
    let reason = match (&run.ended_by, run.state) {
        (_, State::Running) => "its writer was killed or is still at work",
        (Some(EndedBy::Signal(_)), _) => "it was interrupted",
        (Some(EndedBy::LoginsRefused), _) => "the target refused too many logins",
        _ if summary.plateau.is_empty() => "it ended before all its users were there",
        _ => return None,
    };
    Some(format!("{reason}, after {elapsed}"))
}

fn verdict(expectation: &Expectation, summary: &Summary) -> Verdict {
    let measured = measure(expectation, summary);
    let (result, note) = match measured.value {
        None => (Judgement::NotJudged, "nothing was measured".to_owned()),
        Some(value) => {
            let holds = expectation.comparison.holds(value, expectation.bound);
            let upwards = matches!(expectation.comparison, Comparison::More | Comparison::AtLeast);
            match (holds, measured.at_least) {
                // A lower bound proves one side only.
                (holds, true) if holds != upwards => {
                    (Judgement::NotJudged, "reaches into requests without an answer".to_owned())
                }
                (true, _) => (Judgement::Met, String::new()),
                (false, _) => (Judgement::Missed, String::new()),
            }
        }
    };
    Verdict { expectation: expectation.clone(), result, measured, note }
}

/// Latency says nothing where too many requests fail: fast refusals make it look good.
fn withhold_latency(verdicts: &mut [Verdict]) {
    let missed = |verdict: &&Verdict| {
        verdict.expectation.metric == Metric::Failures && verdict.result == Judgement::Missed
    };
    let Some(share) = verdicts.iter().find(missed).map(|verdict| verdict.measured) else {
        return;
    };
    for verdict in verdicts {
        let metric = verdict.expectation.metric;
        if matches!(metric, Metric::Percentile(_) | Metric::Mean | Metric::Max) {
            verdict.result = Judgement::NotJudged;
            verdict.note = format!("latency is not judged where {share} of the requests fail");
        }
    }
}

fn measure(expectation: &Expectation, summary: &Summary) -> Figure {
    let group = match &expectation.scope {
        Scope::All => Some(&summary.all),
        Scope::Named(name) => summary.named(name),
    };
    let Some(group) = group else {
        return Figure::none(unit(expectation.metric));
    };
    let all = expectation.scope == Scope::All;
    match expectation.metric {
        Metric::Percentile(percentile) => group.responses.percentile(percentile),
        Metric::Mean => group.responses.mean(),
        Metric::Max => group.responses.max(),
        Metric::Failures if all => summary.counts.failures(),
        Metric::Failures => group.failures(),
        Metric::Requests if all => summary.throughput(),
        Metric::Requests => group.rate(summary.plateau_s()),
        Metric::Users => Figure::count(summary.sustained_users),
    }
}

const fn unit(metric: Metric) -> Unit {
    match metric {
        Metric::Percentile(_) | Metric::Mean | Metric::Max => Unit::Microseconds,
        Metric::Failures => Unit::Share,
        Metric::Requests => Unit::PerSecond,
        Metric::Users => Unit::Count,
    }
}
