//! The figures of a run as they stand in the report's tables.

use figures::Group;
use rewrites::{Trap, Traps};
use run_log::format::{EndedBy, RewriteRef, Run, ValidityState, Worker};
use serde::Serialize;

use super::account::Account;
use super::audit::AuditReport;
use super::fidelity::FidelityReport;
use super::load::{as_run, scaled};
use super::machines::{self, CounterRow, Generator, LevelRow, StatementRow};
use super::rows::{self, EndpointRow, FailureRow, PersonaRow};
use super::stress::Stress;
use super::symptoms::SymptomsReport;
use crate::load::{Entry, MeasuredRun};
use crate::summary::Summary;
use crate::units::{Figure, Unit, count, micros, per_second, share};
use scenario::Percentile;

#[derive(Serialize)]
pub struct RunReport {
    /// Name of the run directory.
    pub name: String,
    pub started: String,
    /// As it was run, whatever the scenario asks for.
    pub load: String,
    /// How it was scaled down, where it was.
    pub scaled: Option<String>,
    pub ended_by: String,
    pub validity: &'static str,
    pub valid: bool,
    pub validity_reasons: Vec<String>,
    /// What the run was given by `--label`.
    pub labels: Vec<Label>,
    /// The size of the load, as the replayer describes it.
    pub axis: String,
    pub speed: f64,
    pub plateau_start_s: u64,
    pub plateau_end_s: u64,
    pub results: Results,
    pub account: Account,
    pub personas: Vec<PersonaRow>,
    pub endpoints: Vec<EndpointRow>,
    pub session_delay: Spread,
    /// None by closed pacing, where nothing is due.
    pub since_due: Spread,
    pub lag: LagRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Fleet>,
    pub generator: Generator,
    pub fidelity: FidelityReport,
    /// Of a run that was to be audited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditReport>,
    pub failures: Vec<FailureRow>,
    /// Whether anything is known of the target or of what is behind it.
    pub observed: bool,
    pub levels: Vec<LevelRow>,
    pub counters: Vec<CounterRow>,
    /// Of the databases that were observed.
    pub statements: Vec<StatementRow>,
    /// What changed first.
    pub symptoms: Option<SymptomsReport>,
    /// Of a scenario with stages.
    pub stress: Option<Stress>,
    pub charts: Vec<ChartRef>,
    /// What was sent in the place of what was recorded, and what that means for the figures.
    pub rewrites: Vec<RewriteRow>,
    /// Known faults that failures of the run show.
    pub traps: Vec<String>,
    pub limitations: Vec<String>,
}

#[derive(Serialize)]
pub struct Label {
    pub name: String,
    pub value: String,
}

/// Who sent it, where that was more than one machine.
#[derive(Serialize)]
pub struct Fleet {
    pub workers: usize,
    /// To what each of their clocks is known, at least.
    pub bound: Figure,
    /// By how much a clock was found to have changed, at most.
    pub drift: Figure,
}

impl Fleet {
    fn of(workers: &[Worker]) -> Option<Self> {
        let bound = workers.iter().map(|worker| worker.bound_us).max()?;
        let drift = workers.iter().map(|worker| worker.drift_us.unsigned_abs()).max()?;
        Some(Self { workers: workers.len(), bound: us(bound), drift: us(drift) })
    }
}

#[derive(Serialize)]
pub struct RewriteRow {
    pub file: String,
    pub rule: String,
    pub means: Option<String>,
    /// How many requests of the recording it changed, in words.
    pub requests: String,
}

/// From the start of the plateau; rates are within it.
#[derive(Serialize)]
pub struct Results {
    pub plateau: Figure,
    pub elapsed: Figure,
    pub requests: Figure,
    pub ok: Figure,
    pub failed: Figure,
    pub failures: Figure,
    pub offered: Figure,
    /// By open pacing, of the requests planned for the plateau those that became ready on it.
    pub load_held: Figure,
    pub throughput: Figure,
    pub failures_per_s: Figure,
    pub mean: Figure,
    pub p50: Figure,
    pub p90: Figure,
    pub p95: Figure,
    pub p99: Figure,
    pub p99_9: Figure,
    pub max: Figure,
    /// Response times of answers that failed by their status or a check, which are in none above.
    pub failed_p50: Figure,
    pub failed_p95: Figure,
    pub service_p95: Figure,
    pub peak_users: Figure,
    pub sustained_users: Figure,
}

#[derive(Serialize)]
pub struct Spread {
    pub p50: Figure,
    pub p95: Figure,
    pub p99: Figure,
    pub max: Figure,
}

/// The generator share over the whole run.
#[derive(Serialize)]
pub struct LagRow {
    pub p50: Figure,
    pub p99: Figure,
    pub max: Figure,
}

#[derive(Serialize)]
pub struct ChartRef {
    /// Such as `latency`.
    pub name: &'static str,
    pub title: String,
    /// Relative to the report where both are in one folder.
    pub file: String,
}

impl RunReport {
    pub(super) fn new(entry: &Entry, measured: &MeasuredRun, known: &Traps) -> Self {
        let summary = &measured.summary;
        let run = &summary.run;
        Self {
            name: measured.name.clone(),
            started: run.started.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            load: as_run(run),
            scaled: scaled(entry, measured),
            ended_by: ended_by(run),
            validity: match run.validity.state {
                ValidityState::Valid => "VALID",
                ValidityState::Suspect => "SUSPECT",
                ValidityState::Invalid => "INVALID",
            },
            valid: run.validity.state == ValidityState::Valid,
            validity_reasons: run.validity.reasons.clone(),
            labels: run.labels.iter().map(label).collect(),
            axis: run.config.axis.clone(),
            speed: run.config.speed,
            plateau_start_s: summary.window.start,
            plateau_end_s: summary.window.end,
            results: results(summary),
            account: Account::new(summary),
            personas: rows::personas(summary),
            endpoints: rows::endpoints(summary),
            session_delay: spread(&summary.plateau.all.session_delay),
            since_due: since_due(&summary.plateau.all),
            lag: LagRow {
                p50: us(run.lag.p50_us),
                p99: us(run.lag.p99_us),
                max: us(run.lag.max_us),
            },
            fleet: Fleet::of(&run.workers),
            generator: machines::generator(summary),
            fidelity: FidelityReport::new(None, &run.fidelity, &summary.fidelity),
            audit: AuditReport::of(summary),
            failures: rows::failures(summary),
            observed: summary.samples.are_of_target(),
            levels: machines::levels(summary),
            counters: machines::counters(summary),
            statements: machines::statements(summary),
            symptoms: SymptomsReport::of(summary),
            stress: Stress::new(summary),
            charts: Vec::new(),
            rewrites: run.rewrites.iter().map(rewrite).collect(),
            traps: traps(summary, known),
            limitations: run.limitations.clone(),
        }
    }
}

fn ended_by(run: &Run) -> String {
    run.ended_by.as_ref().map_or_else(|| "it did not end by itself".to_owned(), EndedBy::to_string)
}

fn label((name, value): (&String, &String)) -> Label {
    Label { name: name.clone(), value: value.clone() }
}

fn rewrite(of: &RewriteRef) -> RewriteRow {
    RewriteRow {
        file: of.file.clone(),
        rule: of.rule.clone(),
        means: of.means.clone(),
        requests: match of.requests {
            Some(1) => "1 request of the recording".to_owned(),
            Some(requests) => format!("{requests} requests of the recording"),
            None => "when it was recorded".to_owned(),
        },
    }
}

/// Each with the endpoints that show it.
fn traps(summary: &Summary, known: &Traps) -> Vec<String> {
    let mut found: Vec<(&Trap, Vec<String>)> = Vec::new();
    for row in rows::failures(summary) {
        let Some(status) = row.status else { continue };
        for trap in known.shown_by(&row.endpoint, status) {
            let shown = format!("{} {status}", row.endpoint);
            match found.iter_mut().find(|(known, _)| known.number == trap.number) {
                Some((_, all)) => all.push(shown),
                None => found.push((trap, vec![shown])),
            }
        }
    }
    found.sort_by_key(|(trap, _)| trap.number);
    found.into_iter().map(|(trap, shown)| format!("{trap} ({})", shown.join(", "))).collect()
}

fn results(summary: &Summary) -> Results {
    let (counts, plateau) = (&summary.plateau.counts, &summary.plateau.within);
    let responses = &summary.plateau.all.responses;
    let length = summary.plateau.length_s();
    Results {
        plateau: Figure::new(length, Unit::Seconds),
        elapsed: Figure::new(summary.run.elapsed_s, Unit::Seconds),
        requests: Figure::count(counts.ended()),
        ok: Figure::count(counts.ended() - counts.failed()),
        failed: Figure::count(counts.failed()),
        failures: share(counts.failures()),
        offered: Figure::rate(plateau.ready, length),
        load_held: share(summary.plateau.load_held()),
        throughput: per_second(summary.plateau.throughput()),
        failures_per_s: Figure::rate(plateau.failed(), length),
        mean: micros(responses.mean()),
        p50: micros(responses.percentile(Percentile::P50)),
        p90: micros(responses.percentile(Percentile::P90)),
        p95: micros(responses.percentile(Percentile::P95)),
        p99: micros(responses.percentile(Percentile::P99)),
        p99_9: micros(responses.percentile(Percentile::P99_9)),
        max: micros(responses.max()),
        failed_p50: micros(figures::percentile(&summary.failed_answers, Percentile::P50)),
        failed_p95: micros(figures::percentile(&summary.failed_answers, Percentile::P95)),
        service_p95: micros(summary.plateau.all.service_percentile(Percentile::P95)),
        peak_users: Figure::count(summary.peak_users),
        sustained_users: count(summary.plateau.sustained_users()),
    }
}

fn spread(histogram: &hdrhistogram::Histogram<u64>) -> Spread {
    Spread {
        p50: micros(figures::percentile(histogram, Percentile::P50)),
        p95: micros(figures::percentile(histogram, Percentile::P95)),
        p99: micros(figures::percentile(histogram, Percentile::P99)),
        max: micros(figures::max(histogram)),
    }
}

fn since_due(all: &Group) -> Spread {
    Spread {
        p50: micros(all.since_due(Percentile::P50)),
        p95: micros(all.since_due(Percentile::P95)),
        p99: micros(all.since_due(Percentile::P99)),
        max: micros(all.since_due_max()),
    }
}

fn us(us: u64) -> Figure {
    Figure::new(us as f64, Unit::Microseconds)
}
