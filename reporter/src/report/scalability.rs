//! How far throughput grows with the users.

use serde::Serialize;

use super::load::scaled;
use super::stress::Stress;
use crate::load::Entry;
use crate::units::{Figure, micros, per_second, share};
use scenario::Percentile;

/// Of the scenario with stages.
#[derive(Serialize)]
pub struct Scalability {
    pub measured: bool,
    pub linear_up_to: String,
    pub degrades_from: String,
    pub hard_limit: String,
    /// How the run that they come from was scaled down, where it was.
    pub scaled: Option<String>,
    /// Throughput and p95 of every run beside its users.
    pub runs: Vec<ScaleRow>,
}

#[derive(Serialize)]
pub struct ScaleRow {
    pub scenario: String,
    pub scaled: Option<String>,
    pub users: Figure,
    pub throughput: Figure,
    pub p95: Figure,
    pub failures: Figure,
}

impl Scalability {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let runs = || entries.iter().filter_map(|entry| Some((entry, entry.run.as_ref()?)));
        let rows = runs()
            .map(|(entry, run)| ScaleRow {
                scenario: entry.scenario.title.clone(),
                scaled: scaled(entry, run),
                users: Figure::count(run.summary.peak_users),
                throughput: per_second(run.summary.plateau.throughput()),
                p95: micros(run.summary.plateau.all.responses.percentile(Percentile::P95)),
                failures: share(run.summary.plateau.counts.failures()),
            })
            .collect();
        let found =
            runs().find_map(|(entry, run)| Some((Stress::new(&run.summary)?, scaled(entry, run))));
        let (stress, scaled) = found.unzip();
        let users = |figure: Figure, otherwise: &str| match figure.value {
            Some(_) => format!("{figure} users"),
            None => otherwise.to_owned(),
        };
        let text = |text: &dyn Fn(&Stress) -> String| {
            stress.as_ref().map_or_else(|| "not measured".to_owned(), text)
        };
        Self {
            measured: stress.is_some(),
            scaled: scaled.flatten(),
            linear_up_to: text(&|of| users(of.linear_users, "not even the first step was held")),
            degrades_from: text(&|of| users(of.degraded_users, "no step that was run")),
            hard_limit: text(&|of| users(of.breaking_users, of.unbroken)),
            runs: rows,
        }
    }
}
