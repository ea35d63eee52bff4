//! A scenario: what it asks for, what is expected, and its run if there is one.

use run_log::format::Judgement;
use scenario::Scope;
use serde::Serialize;

use super::load::{LoadText, scaled};
use super::run::RunReport;
use crate::load::Entry;
use crate::units::{Figure, Unit, of_metric, seconds};
use figures::conclusion::Conclusion;
use figures::judge::Verdict;

#[derive(Serialize)]
pub struct ScenarioReport {
    pub number: u32,
    pub name: String,
    pub title: String,
    pub objective: String,
    pub file: String,
    pub full: LoadText,
    pub quick: LoadText,
    /// As the scenario file writes them.
    pub expect: Vec<String>,
    /// What runs it.
    pub command: String,
    /// Such as `PASSED`.
    pub outcome: &'static str,
    pub mark: &'static str,
    /// The reason for the conclusion, where it needs one.
    pub reason: Option<String>,
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
    /// `met`, `missed`, `not-judged` or `pending`.
    pub result: &'static str,
    pub mark: &'static str,
    pub note: String,
    /// How the run was scaled down, where it was.
    pub scaled: Option<String>,
}

impl ScenarioReport {
    pub(super) fn new(entry: &Entry, runs: &str) -> Self {
        let scenario = &entry.scenario;
        let stem = entry
            .path
            .file_stem()
            .map_or_else(|| scenario.name.clone(), |stem| stem.to_string_lossy().into_owned());
        let file = entry.path.display().to_string();
        Self {
            number: scenario.number,
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            objective: scenario.objective.clone(),
            full: LoadText::of(&scenario.full),
            quick: LoadText::of(&scenario.quick),
            expect: scenario.expect.iter().map(ToString::to_string).collect(),
            command: format!(
                "replayer run --scenario {file} --trace TRACE --manifest MANIFEST --target URL --out {}/{stem}",
                runs.trim_end_matches('/')
            ),
            file,
            outcome: entry.conclusion.name(),
            mark: mark(&entry.conclusion),
            reason: reason(entry),
            pending: entry.conclusion == Conclusion::Pending,
            run: entry.run.as_ref().map(|run| RunReport::new(entry, run)),
        }
    }
}

fn mark(conclusion: &Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Passed => "✅",
        Conclusion::Failed => "❌",
        Conclusion::Invalid(_) | Conclusion::Incomplete(_) => "⚠️",
        Conclusion::Pending => "⏳",
        Conclusion::Quick | Conclusion::Measured => "☑️",
    }
}

fn reason(entry: &Entry) -> Option<String> {
    match &entry.conclusion {
        Conclusion::Incomplete(reason) => {
            let after = entry.run.as_ref().map(|run| seconds(run.summary.run.elapsed_s));
            Some(format!("{reason}, after {}", after.unwrap_or_default()))
        }
        Conclusion::Invalid(_) => {
            let reasons = &entry.run.as_ref()?.summary.run.validity.reasons;
            Some(reasons.join("; "))
        }
        Conclusion::Quick => entry.run.as_ref().and_then(|run| scaled(entry, run.profile)),
        Conclusion::Failed => {
            let verdicts = &entry.run.as_ref()?.verdicts;
            let unmet = verdicts.iter().filter(|verdict| verdict.result != Judgement::Met);
            let unmet = unmet.map(|verdict| format!("`{}`", verdict.expectation));
            Some(format!("not met: {}", unmet.collect::<Vec<_>>().join(", ")))
        }
        Conclusion::Measured => Some("nothing is expected of it; it measures".to_owned()),
        Conclusion::Pending | Conclusion::Passed => None,
    }
}

impl TargetRow {
    pub(super) fn of(entry: &Entry) -> Vec<Self> {
        match &entry.run {
            Some(run) => run.verdicts.iter().map(|verdict| Self::judged(entry, verdict)).collect(),
            None => entry
                .scenario
                .expect
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
        let scaled = entry.run.as_ref().and_then(|run| scaled(entry, run.profile));
        let note = match (&entry.conclusion, &scaled) {
            (Conclusion::Quick, Some(scaled)) => scaled.clone(),
            _ => verdict.note.clone(),
        };
        Self {
            measured: of_metric(verdict.expectation.metric, verdict.measured),
            result,
            mark,
            note,
            scaled,
            ..Self::new(entry, of, expectation)
        }
    }
}

/// The endpoint or persona of an expectation, and the rest of its text.
fn parts(scope: &Scope, text: &str) -> (Option<String>, String) {
    match scope {
        Scope::All => (None, text.to_owned()),
        Scope::Named(name) => {
            let rest = text.strip_prefix(name.as_str()).unwrap_or(text);
            (Some(name.clone()), rest.trim_start_matches(':').trim().to_owned())
        }
    }
}
