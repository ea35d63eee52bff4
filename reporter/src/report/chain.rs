//! The chain of digests: plan, manifest, trace, scenario, run.

use std::collections::BTreeSet;

use manifest::Header;
use run_log::format::Run;
use serde::Serialize;

use crate::evidence::short;
use crate::load::{Entry, MeasuredRun};

#[derive(Serialize)]
pub struct Chain {
    pub links: Vec<Link>,
    /// Digests that do not match; empty when all do.
    pub breaks: Vec<String>,
    /// Whether a manifest was given and every run used it.
    pub manifest_checked: bool,
}

/// What one run was made from.
#[derive(Serialize)]
pub struct Link {
    pub scenario: String,
    pub run: String,
    pub plan_digest: String,
    pub manifest_digest: String,
    pub trace: String,
    pub trace_digest: String,
    pub scenario_digest: String,
    pub run_digest: String,
}

impl Chain {
    pub(super) fn new(entries: &[Entry], manifest: Option<&Header>) -> Self {
        let runs = || entries.iter().filter_map(|entry| entry.run.as_ref());
        let links = entries
            .iter()
            .filter_map(|entry| entry.run.as_ref().map(|run| link(entry, run)))
            .collect();
        let mut breaks = Vec::new();
        let mut one = |what: &str, digest: fn(&Run) -> &str| {
            let digests: BTreeSet<&str> = runs().map(|run| digest(&run.summary.run)).collect();
            if digests.len() > 1 {
                let shown: Vec<String> = digests.into_iter().map(short).collect();
                breaks.push(format!("the runs are of different {what}: {}", shown.join(", ")));
            }
        };
        one("manifests", |run| &run.manifest.digest);
        one("traces", |run| &run.trace.digest);
        let mut manifest_checked = false;
        if let Some(given) = manifest {
            let others = runs()
                .filter(|run| run.summary.run.manifest.digest != given.digest)
                .map(|run| run.name.as_str());
            let others: Vec<&str> = others.collect();
            manifest_checked = others.is_empty() && runs().next().is_some();
            if !others.is_empty() {
                breaks.push(format!(
                    "the manifest that was given, {}, is not that of {}",
                    short(&given.digest),
                    others.join(", ")
                ));
            }
        }
        Self { links, breaks, manifest_checked }
    }
}

fn link(entry: &Entry, measured: &MeasuredRun) -> Link {
    let run = &measured.summary.run;
    Link {
        scenario: entry.scenario.title.clone(),
        run: measured.name.clone(),
        plan_digest: short(&run.manifest.plan_digest),
        manifest_digest: short(&run.manifest.digest),
        trace: run.trace.file.clone(),
        trace_digest: short(&run.trace.digest),
        scenario_digest: short(&entry.scenario.digest),
        run_digest: short(&measured.evidence.digest),
    }
}
