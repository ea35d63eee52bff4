//! A scenario: what it asks for, what is expected, and its run if there is one.

use run_log::format::Judgement;
use scenario::{Expectation, Scope, with_defaults};
use serde::Serialize;

use super::command::command;
use super::load::{LoadText, scaled};
use super::run::RunReport;
use crate::load::Entry;
use crate::units::{Figure, Unit, of_metric, seconds};
use figures::conclusion::Conclusion;
use figures::judge::Verdict;
use rewrites::Traps;

#[derive(Serialize)]
pub struct ScenarioReport {
    pub number: u32,
    pub name: String,
    pub title: String,
    pub objective: String,
    /// The scenario's file; none where the run alone tells of it.
    pub file: Option<String>,
    pub full: LoadText,
    pub quick: LoadText,
    /// As the scenario file writes them.
    pub expect: Vec<String>,
    /// What is expected besides, though nobody wrote it.
    pub expect_besides: Vec<String>,
    /// What runs it.
    pub command: String,
    /// Such as `PASSED`.
    pub outcome: &'static str,
    pub mark: &'static str,
    /// The reason for the conclusion, where it needs one.
    pub reason: Option<String>,
    /// What has to be seen before any other figure, such as that most requests failed.
    pub marks: Vec<String>,
    pub pending: bool,
    pub run: Option<RunReport>,
}

/// An expectation beside what was measured.
#[derive(Serialize)]
pub struct TargetRow {
    pub number: u32,
    pub scenario: String,
    /// An endpoint or a persona; none for all.
    pub of: Option<String>,
    pub expectation: String,
    pub measured: Figure,
    /// How far the figure is from the limit, such as `25 % under it`; none where it was not measured
    /// or the limit is 0.
    pub distance: Option<String>,
    /// `met`, `missed`, `not-judged` or `pending`.
    pub result: &'static str,
    pub mark: &'static str,
    pub note: String,
    /// How the run was scaled down, where it was.
    pub scaled: Option<String>,
}

impl ScenarioReport {
    pub(super) fn new(entry: &Entry, runs: &str, traps: &Traps) -> Self {
        let scenario = &entry.scenario;
        let file = entry.path.as_ref().map(|path| path.display().to_string());
        Self {
            number: scenario.number,
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            objective: scenario.objective.clone(),
            full: LoadText::of(&scenario.full),
            quick: LoadText::of(&scenario.quick),
            expect: scenario.expect.iter().map(ToString::to_string).collect(),
            expect_besides: expected(entry)
                .iter()
                .skip(scenario.expect.len())
                .map(ToString::to_string)
                .collect(),
            command: command(entry, runs.trim_end_matches('/')),
            file,
            outcome: entry.conclusion.name(),
            mark: mark(entry),
            reason: reason(entry),
            marks: entry.marks.clone(),
            pending: entry.conclusion == Conclusion::Pending,
            run: entry.run.as_ref().map(|run| RunReport::new(entry, run, traps)),
        }
    }
}

/// What is expected of a scenario, the things among them that nobody wrote.
fn expected(entry: &Entry) -> Vec<Expectation> {
    with_defaults(&entry.scenario.expect, entry.scenario.full.pacing)
}

fn mark(entry: &Entry) -> &'static str {
    match entry.conclusion {
        Conclusion::Passed => "✅",
        Conclusion::Failed => "❌",
        Conclusion::Invalid(_)
        | Conclusion::Incomplete(..)
        | Conclusion::Unusable
        | Conclusion::Part(_)
        | Conclusion::OtherLoad => "⚠️",
        Conclusion::Pending => "⏳",
        Conclusion::Quick | Conclusion::Measured if !entry.marks.is_empty() => "⚠️",
        Conclusion::Quick | Conclusion::Measured => "☑️",
    }
}

fn reason(entry: &Entry) -> Option<String> {
    let run = entry.run.as_ref();
    match (&entry.conclusion, run) {
        (Conclusion::Incomplete(reason, _), Some(run)) => {
            Some(format!("{reason}, after {}", seconds(run.summary.run.elapsed_s)))
        }
        (Conclusion::Quick, Some(run)) => scaled(entry, run),
        _ => entry.reason.clone(),
    }
}

impl TargetRow {
    pub(super) fn of(entry: &Entry) -> Vec<Self> {
        match &entry.run {
            Some(run) => run.verdicts.iter().map(|verdict| Self::judged(entry, verdict)).collect(),
            None => expected(entry)
                .iter()
                .map(|expectation| {
                    let (of, expectation) = parts(&expectation.scope, &expectation.to_string());
                    Self::new(entry, of, expectation)
                })
                .collect(),
        }
    }

    fn new(entry: &Entry, of: Option<String>, expectation: String) -> Self {
        Self {
            number: entry.scenario.number,
            scenario: entry.scenario.title.clone(),
            of,
            expectation,
            measured: Figure::none(Unit::Plain),
            distance: None,
            result: "pending",
            mark: "⏳",
            note: String::new(),
            scaled: None,
        }
    }

    fn judged(entry: &Entry, verdict: &Verdict) -> Self {
        let (of, expectation) = parts(&verdict.expectation.scope, &verdict.expectation.to_string());
        let (result, mark) = match verdict.result {
            Judgement::Met => ("met", "✅"),
            Judgement::Missed => ("missed", "❌"),
            Judgement::NotJudged => ("not-judged", "not judged"),
        };
        let scaled = entry.run.as_ref().and_then(|run| scaled(entry, run));
        let note = match (&entry.conclusion, &scaled) {
            (Conclusion::Quick, Some(scaled)) => scaled.clone(),
            _ => verdict.note.clone(),
        };
        Self {
            measured: of_metric(verdict.expectation.metric, verdict.measured),
            distance: distance(verdict),
            result,
            mark,
            note,
            scaled,
            ..Self::new(entry, of, expectation)
        }
    }
}

/// How far a figure is from its limit, of that limit; below 0 it is under it.
pub(super) fn from_limit(verdict: &Verdict) -> Option<f64> {
    let (value, bound) = (verdict.measured.value?, verdict.expectation.bound);
    (bound > 0.0).then(|| value / bound - 1.0)
}

pub(super) fn distance(verdict: &Verdict) -> Option<String> {
    let from = from_limit(verdict)?;
    let share = Figure::new(from.abs() * 100.0, Unit::Percent);
    Some(match (from == 0.0, from < 0.0, verdict.measured.at_least) {
        (true, ..) => "at it".to_owned(),
        (_, true, false) => format!("{share} under it"),
        (_, true, true) => format!("at most {share} under it"),
        (_, false, false) => format!("{share} over it"),
        (_, false, true) => format!("at least {share} over it"),
    })
}

/// The endpoint, persona or phase of an expectation, and the rest of its text.
fn parts(scope: &Scope, text: &str) -> (Option<String>, String) {
    match scope {
        Scope::All => (None, text.to_owned()),
        Scope::Named(_) | Scope::Phase(_) => match text.rsplit_once(": ") {
            Some((of, rest)) => (Some(of.trim().to_owned()), rest.trim().to_owned()),
            None => (None, text.to_owned()),
        },
    }
}
