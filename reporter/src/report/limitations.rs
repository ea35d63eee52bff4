//! What limits the meaning of the figures.

use run_log::format::Run;

use super::verdict::USUAL_BCRYPT_COST;
use crate::load::Entry;
use crate::summary::Summary;
use crate::units::{Figure, grouped};

/// Each limitation once, with its scenarios unless it applies to all.
pub(super) fn limitations(entries: &[Entry]) -> Vec<String> {
    let runs = || entries.iter().filter_map(|entry| Some((entry, entry.run.as_ref()?)));
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for (entry, measured) in runs() {
        for text in limitations_of(&measured.summary) {
            let title = entry.scenario.title.as_str();
            match found.iter_mut().find(|(known, _)| *known == text) {
                Some((_, titles)) => titles.push(title),
                None => found.push((text, vec![title])),
            }
        }
    }
    let all = runs().count();
    let mut out: Vec<String> = found
        .into_iter()
        .map(|(text, titles)| match titles.len() {
            of if of == all => format!("All runs: {text}."),
            _ => format!("{}: {text}.", titles.join(", ")),
        })
        .collect();
    if different_hosts(runs().map(|(_, measured)| &measured.summary.run)) {
        out.push(
            "The runs are of different machines; the environment above is that of the newest."
                .to_owned(),
        );
    }
    out
}

fn limitations_of(summary: &Summary) -> Vec<String> {
    let run = &summary.run;
    let mut out = run.limitations.clone();
    for cost in run.manifest.bcrypt_costs.iter().filter(|cost| **cost < USUAL_BCRYPT_COST) {
        let times = 1_u64.checked_shl(USUAL_BCRYPT_COST - cost).unwrap_or(u64::MAX);
        out.push(format!(
            "password hashes have bcrypt cost {cost}; at cost {USUAL_BCRYPT_COST} a login takes {} times the processor time, so login figures do not carry over",
            grouped(times as f64, 0)
        ));
    }
    out.extend(shared_accounts(run));
    out.extend(uncounted(summary));
    out
}

/// The personas that have fewer accounts than users.
fn shared_accounts(run: &Run) -> Option<String> {
    let count = |count: u64| grouped(count as f64, 0);
    let shared = run.personas.iter().filter(|persona| persona.users_per_account > 1);
    let shared: Vec<String> = shared
        .map(|persona| {
            format!(
                "{} users of {} on {} accounts, up to {} an account",
                count(persona.users),
                persona.name,
                count(persona.accounts),
                count(persona.users_per_account)
            )
        })
        .collect();
    (!shared.is_empty()).then(|| format!("accounts are shared: {}", shared.join("; ")))
}

/// Compares the log's counts with the timeline's: both count the same requests.
fn uncounted(summary: &Summary) -> Option<String> {
    let (log, timeline) = (summary.plateau.all.requests(), summary.plateau.counts.ended());
    (log != timeline).then(|| {
        format!(
            "latency.hlog counts {} requests and timeline.csv {}; figures by endpoint are of the former",
            Figure::count(log),
            Figure::count(timeline)
        )
    })
}

fn different_hosts<'a>(mut runs: impl Iterator<Item = &'a Run>) -> bool {
    let Some(first) = runs.next() else { return false };
    runs.any(|run| run.host != first.host)
}
