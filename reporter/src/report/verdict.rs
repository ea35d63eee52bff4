//! The verdict, for who reads nothing else: a line, why, and what was not as in production.

use run_log::format::Judgement;
use serde::Serialize;

use super::scenario::from_limit;
use crate::load::Entry;
use crate::status::Status;
use crate::units::{Figure, of_metric};
use figures::conclusion::Conclusion;
use figures::judge::Verdict;

#[derive(Serialize)]
pub struct VerdictReport {
    /// In one line what came of it.
    pub line: String,
    /// What decided it, the figures first that are furthest from their limits.
    pub because: Vec<String>,
    /// What was not as in production; the limitations say what that means.
    pub differences: Vec<String>,
}

/// So many of the figures that decided it are told.
const MOST_TOLD: usize = 3;

impl VerdictReport {
    pub(super) fn new(status: Status, entries: &[Entry]) -> Self {
        let judged: Vec<(&Entry, &Verdict)> = entries
            .iter()
            .filter_map(|entry| Some((entry, entry.run.as_ref()?)))
            .flat_map(|(entry, run)| run.verdicts.iter().map(move |verdict| (entry, verdict)))
            .filter(|(_, verdict)| verdict.result != Judgement::NotJudged)
            .collect();
        let missed = judged.iter().filter(|(_, of)| of.result == Judgement::Missed).count();
        Self {
            line: line(status, entries, judged.len(), missed),
            because: because(status, entries, &judged),
            differences: differences(entries),
        }
    }
}

fn line(status: Status, entries: &[Entry], judged: usize, missed: usize) -> String {
    let expectations = |count: usize| match count {
        1 => "1 expectation".to_owned(),
        _ => format!("{} expectations", Figure::count(count as u64)),
    };
    match status {
        Status::Pending => "Nothing is measured yet".to_owned(),
        Status::Partial { ran, of } => {
            let failed =
                entries.iter().filter(|entry| entry.conclusion == Conclusion::Failed).count();
            let failed = match failed {
                0 => String::new(),
                _ => format!(", {failed} of which FAILED"),
            };
            format!("Not decided: {ran} of {of} scenarios ran to their end{failed}")
        }
        Status::Passed => {
            let all = if judged == 1 { "the one expectation" } else { "all of" };
            match judged {
                1 => format!("The target held the load: {all} was met"),
                _ => format!("The target held the load: {all} {} were met", expectations(judged)),
            }
        }
        Status::Failed if missed > 0 => {
            format!("The target did not hold the load: {missed} of {} missed", expectations(judged))
        }
        Status::Failed => "It was not shown that the target holds the load".to_owned(),
        Status::Invalid => {
            let titles = titles(entries, |of| matches!(of, Conclusion::Invalid(_)));
            format!("No verdict: the figures are not the target's alone ({titles})")
        }
        Status::Quick => {
            let titles = titles(entries, |of| *of == Conclusion::Quick);
            format!("No verdict: the quick profile is shown and not judged ({titles})")
        }
        Status::Measured => "Measured, and not judged: nothing was expected".to_owned(),
    }
}

fn titles(entries: &[Entry], wanted: fn(&Conclusion) -> bool) -> String {
    let of_it = entries.iter().filter(|entry| wanted(&entry.conclusion));
    of_it.map(|entry| entry.scenario.title.as_str()).collect::<Vec<_>>().join(", ")
}

/// Missed expectations by how far they were missed; where none was, the one that is nearest to its
/// limit.
fn because(status: Status, entries: &[Entry], judged: &[(&Entry, &Verdict)]) -> Vec<String> {
    let mut missed: Vec<_> =
        judged.iter().filter(|(_, verdict)| verdict.result == Judgement::Missed).collect();
    let far = |verdict: &Verdict| from_limit(verdict).map_or(f64::INFINITY, f64::abs);
    missed.sort_by(|(_, a), (_, b)| far(b).total_cmp(&far(a)));
    let mut out: Vec<String> =
        missed.iter().take(MOST_TOLD).map(|(entry, verdict)| sentence(entry, verdict)).collect();
    if missed.len() > MOST_TOLD {
        out.push(format!("{} more expectations were missed", missed.len() - MOST_TOLD));
    }
    if status == Status::Passed
        && let Some((entry, verdict)) = judged
            .iter()
            .filter(|(_, verdict)| from_limit(verdict).is_some())
            .min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)))
    {
        out.push(format!("Nearest to its limit: {}", sentence(entry, verdict)));
    }
    // Those that no missed expectation tells of.
    let others = entries.iter().filter(|entry| match entry.conclusion {
        Conclusion::Invalid(_) | Conclusion::Unusable => true,
        Conclusion::Failed => {
            !missed.iter().any(|(of, _)| of.scenario.number == entry.scenario.number)
        }
        _ => false,
    });
    out.extend(
        others.filter_map(|entry| {
            Some(format!("{}: {}", entry.scenario.title, entry.reason.as_ref()?))
        }),
    );
    out
}

fn sentence(entry: &Entry, verdict: &Verdict) -> String {
    let of = &verdict.expectation;
    let measured = match verdict.measured.value {
        Some(_) => of_metric(of.metric, verdict.measured).to_string(),
        None => "nothing was measured".to_owned(),
    };
    let distance = super::scenario::distance(verdict);
    let distance = distance.map_or_else(String::new, |text| format!(", {text}"));
    format!("{}: `{of}`, measured {measured}{distance}", entry.scenario.title)
}

/// bcrypt cost of production installations.
pub(super) const USUAL_BCRYPT_COST: u32 = 12;

fn differences(entries: &[Entry]) -> Vec<String> {
    let runs = || entries.iter().filter_map(|entry| Some(&entry.run.as_ref()?.summary.run));
    let mut out = Vec::new();
    if runs().any(|run| run.config.target_is_local) {
        out.push("generator and target on one machine".to_owned());
    }
    if runs().any(|run| run.personas.iter().any(|persona| persona.users_per_account > 1)) {
        out.push("accounts shared by several users".to_owned());
    }
    let costs = runs().flat_map(|run| &run.manifest.bcrypt_costs);
    if let Some(cost) = costs.min().filter(|cost| **cost < USUAL_BCRYPT_COST) {
        out.push(format!("passwords hashed by bcrypt at cost {cost}"));
    }
    let rewrites = runs().map(|run| run.rewrites.len()).max().unwrap_or(0);
    if rewrites > 0 {
        let rules = if rewrites == 1 { "1 rule" } else { &format!("{rewrites} rules") };
        out.push(format!("requests rewritten by {rules}"));
    }
    if runs().any(|run| run.config.insecure_tls) {
        out.push("TLS certificates not verified".to_owned());
    }
    if runs().any(|run| run.config.independent) {
        out.push("requests sent each for itself, not in the order of their sessions".to_owned());
    }
    out
}
