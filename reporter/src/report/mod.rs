//! The content of the report, in one structure with two projections.
//!
//! Written as it is, with raw figures, it is `load-test-report.json`; with each
//! figure as its ready string it is what templates see. So a number in the
//! report and the number that a program checks can never differ.

mod account;
mod audit;
mod chain;
mod command;
mod crossing;
mod fidelity;
mod findings;
mod limitations;
mod load;
mod machines;
mod recovery;
mod rows;
mod run;
mod scalability;
mod scenario;
mod short;
mod stress;
mod symptoms;
mod verdict;

use chrono::NaiveDate;
use common::exit::Exit;
use manifest::Header;
use rewrites::Traps;
use run_log::format::Run;
use serde::Serialize;

pub use audit::{AuditReport, FindingRow};
pub use chain::Chain;
pub use fidelity::FidelityReport;
pub use findings::Findings;
pub use run::{ChartRef, RunReport};
pub use scenario::{ScenarioReport, TargetRow};
pub use stress::{StepRow, Stress};
pub use verdict::VerdictReport;

use crate::load::{Entry, Loaded};
use crate::status::Status;
use crate::units::{Figure, Unit};
use figures::conclusion::Conclusion;

pub const FORMAT: &str = "load-test-report";
/// Major version of the JSON beside the report.
pub const VERSION: u32 = 1;

/// What the report is made from, beside scenarios and runs.
pub struct Inputs<'a> {
    /// The folder that run directories are looked for in, as it was given.
    pub runs: &'a str,
    pub manifest: Option<&'a Header>,
    pub date: Option<NaiveDate>,
    /// Known faults of the system.
    pub traps: Traps,
}

#[derive(Serialize)]
pub struct Report {
    pub format: &'static str,
    pub version: u32,
    pub tool: String,
    /// Of the newest run; none before the first.
    pub date: Option<String>,
    /// Such as `PARTIAL (2 of 4)`.
    pub status: String,
    pub complete: bool,
    pub verdict: VerdictReport,
    pub quick: bool,
    pub scenarios_ran: usize,
    pub scenarios_total: usize,
    pub environment: Option<Environment>,
    pub seeding: Option<Seeding>,
    pub scenarios: Vec<ScenarioReport>,
    /// Every expectation of every scenario.
    pub targets: Vec<TargetRow>,
    /// From a run whose purpose was to compare answers.
    pub fidelity: Option<FidelityReport>,
    pub findings: Findings,
    pub chain: Chain,
    /// Run directories left out of the report, with the reasons.
    pub unused_runs: Vec<String>,
    /// Run directories that cannot be used, with the reasons.
    pub unusable_runs: Vec<String>,
    #[serde(skip)]
    pub exit: Exit,
}

/// Where it ran.
#[derive(Serialize)]
pub struct Environment {
    pub target: String,
    pub target_is_local: bool,
    pub os: String,
    pub kernel: String,
    pub cpu: String,
    pub cores: u32,
    pub memory: Figure,
    pub replayer: String,
    pub threads: u32,
    /// Of a fleet, of which the machine is one; else none.
    pub workers: usize,
    pub insecure_tls: bool,
}

/// What was in the database.
#[derive(Serialize)]
pub struct Seeding {
    pub plan: String,
    pub database: String,
    pub seed: u64,
    pub scale: u32,
    pub bcrypt_costs: Vec<u32>,
    pub rows: Vec<TableRows>,
    pub rows_total: Figure,
}

#[derive(Serialize)]
pub struct TableRows {
    pub table: String,
    pub rows: Figure,
}

impl Report {
    /// Assembles the report. Charts are added later.
    pub fn new(loaded: &Loaded, inputs: &Inputs<'_>) -> Self {
        let entries = &loaded.entries;
        let conclusions: Vec<&Conclusion> = entries.iter().map(|entry| &entry.conclusion).collect();
        let status = Status::of(&conclusions);
        let newest = newest(entries);
        let date = inputs.date.or_else(|| newest.map(|run| run.started.date_naive()));
        Self {
            format: FORMAT,
            version: VERSION,
            tool: concat!("reporter ", env!("CARGO_PKG_VERSION")).to_owned(),
            date: date.map(|date| date.to_string()),
            status: status.to_string(),
            complete: status.is_complete(),
            verdict: VerdictReport::new(status, entries),
            quick: conclusions.contains(&&Conclusion::Quick),
            scenarios_ran: conclusions.iter().filter(|conclusion| conclusion.is_complete()).count(),
            scenarios_total: entries.len(),
            environment: newest.map(environment),
            seeding: newest.map(seeding).or_else(|| inputs.manifest.map(seeding_of_manifest)),
            scenarios: entries
                .iter()
                .map(|entry| ScenarioReport::new(entry, inputs.runs, &inputs.traps))
                .collect(),
            targets: entries.iter().flat_map(TargetRow::of).collect(),
            fidelity: loaded
                .fidelity
                .as_ref()
                .map(|of| FidelityReport::new(Some(&of.run), &of.all, &of.endpoints)),
            findings: Findings::new(entries),
            chain: Chain::new(entries, inputs.manifest),
            unused_runs: loaded.unused.clone(),
            unusable_runs: loaded.unusable.clone(),
            exit: exit(&conclusions, &loaded.unusable),
        }
    }
}

impl Report {
    /// The figures for programs, keyed by the names that templates know.
    pub fn to_json(&self) -> String {
        // Numbers, strings and lists: nothing that JSON lacks.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// As [`Report::to_json`], for templates.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The worst of what the scenarios came to; a run that cannot be used is never passed over.
fn exit(conclusions: &[&Conclusion], unusable: &[String]) -> Exit {
    let of_runs = if unusable.is_empty() { Exit::Good } else { Exit::Incomplete };
    conclusions.iter().map(|conclusion| conclusion.exit()).fold(of_runs, Exit::or)
}

fn newest(entries: &[Entry]) -> Option<&Run> {
    let runs = entries.iter().filter_map(|entry| entry.run.as_ref());
    runs.map(|measured| &measured.summary.run).max_by_key(|run| run.started)
}

fn environment(run: &Run) -> Environment {
    Environment {
        target: run.config.target.clone(),
        target_is_local: run.config.target_is_local,
        os: run.host.os.clone(),
        kernel: run.host.kernel.clone(),
        cpu: run.host.cpu.clone(),
        cores: run.host.cores,
        memory: Figure::new(run.host.memory_bytes as f64, Unit::Bytes),
        replayer: run.tool.clone(),
        threads: run.config.threads,
        workers: run.workers.len(),
        insecure_tls: run.config.insecure_tls,
    }
}

fn seeding(run: &Run) -> Seeding {
    let manifest = &run.manifest;
    Seeding {
        plan: manifest.plan.clone(),
        database: manifest.database.clone(),
        seed: manifest.seed,
        scale: manifest.scale,
        bcrypt_costs: manifest.bcrypt_costs.clone(),
        rows: manifest.rows.iter().map(|(table, rows)| table_rows(table, *rows)).collect(),
        rows_total: Figure::count(manifest.rows.values().sum()),
    }
}

fn seeding_of_manifest(manifest: &Header) -> Seeding {
    let tables = &manifest.tables;
    Seeding {
        plan: manifest.plan.name.clone(),
        database: manifest.database.name.clone(),
        seed: manifest.seed,
        scale: manifest.scale,
        bcrypt_costs: manifest.bcrypt_costs.clone(),
        rows: tables.iter().map(|of| table_rows(&of.table, of.rows)).collect(),
        rows_total: Figure::count(tables.iter().map(|of| of.rows).sum()),
    }
}

fn table_rows(table: &str, rows: u64) -> TableRows {
    TableRows { table: table.to_owned(), rows: Figure::count(rows) }
}
