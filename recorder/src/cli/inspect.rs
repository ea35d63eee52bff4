//! `recorder inspect`.

use std::path::{Path, PathBuf};

use common::exit::Exit;

use super::bar::Watched;
use super::output::{print, print_json};
use super::table::{row, table};
use crate::Error;
use crate::edit::inspect::{Inspection, inspect};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  recorder inspect vigilia.trace.jsonl.zst
  recorder inspect vigilia.trace.jsonl.zst --json | jq '.endpoints | keys'")]
pub(super) struct Args {
    /// The trace
    #[arg(value_name = "FILE")]
    trace: PathBuf,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let watched = Watched::new([&*self.trace], 1);
        let inspection = inspect(&self.trace)?;
        drop(watched);
        if self.json {
            print_json(&inspection)?;
        } else {
            print(&text(&self.trace, &inspection))?;
        }
        Ok(Exit::Good)
    }
}

fn text(path: &Path, found: &Inspection) -> String {
    let mut personas = vec![row(["persona", "weight", "sessions", "requests", "failed"])];
    personas.extend(found.personas.iter().map(|(name, persona)| {
        vec![
            name.clone(),
            persona.weight.map_or("-".to_owned(), |weight| weight.to_string()),
            persona.sessions.to_string(),
            persona.requests.to_string(),
            persona.failures.to_string(),
        ]
    }));
    let mut endpoints = vec![row([
        "endpoint",
        "requests",
        "failed",
        "p50 ms",
        "p95 ms",
        "max ms",
        "mean bytes",
        "statuses",
    ])];
    endpoints.extend(found.endpoints.iter().map(|(name, endpoint)| {
        let statuses = endpoint.statuses.iter().map(|(status, count)| format!("{status}×{count}"));
        vec![
            name.clone(),
            endpoint.requests.to_string(),
            endpoint.failures.to_string(),
            format!("{:.1}", endpoint.p50_us as f64 / 1e3),
            format!("{:.1}", endpoint.p95_us as f64 / 1e3),
            format!("{:.1}", endpoint.max_us as f64 / 1e3),
            endpoint.mean_bytes.to_string(),
            statuses.collect::<Vec<_>>().join(" "),
        ]
    }));
    let failures = found.failures.as_ref().map(|failures| format!("! {failures}\n"));
    let rewrites = found.sources.iter().flat_map(|source| &source.rewrites);
    let rewrites = rewrites.map(|of| format!("rewritten by {}: {}\n", of.file, of.rule));
    let notes: String = failures.into_iter().chain(rewrites).collect();
    let bindings = &found.bindings;
    let slots: String = found.slots.keys().map(|name| format!(" {name}")).collect();
    format!(
        "{}: {} requests of {} sessions in {:.1} s, {:.1}/s on average, {}/s at the peak
recorded {} by {}, format {}
{} without answer, {} dropped; {} body shapes
bindings: {} captures, {} account fields, {} clock, {} fresh values, {} secret slots{}; {} ambiguous
{notes}{}

{}

{}",
        path.display(),
        found.end.requests,
        found.end.sessions,
        found.length_us as f64 / 1e6,
        found.mean_per_s,
        found.peak_per_s,
        found.started.format("%Y-%m-%d %H:%M:%S UTC"),
        found.tool,
        found.version,
        found.end.errors,
        found.end.dropped,
        found.shapes,
        bindings.capture,
        bindings.account,
        bindings.clock,
        bindings.fresh,
        bindings.slot,
        slots,
        bindings.ambiguous,
        found.end.digest,
        table(&personas),
        table(&endpoints),
    )
}
