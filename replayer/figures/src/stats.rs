//! Rows of `stats.csv` and `stats_history.csv`.

use hdrhistogram::Histogram;
use run_log::stats::{StatsHistoryRow, StatsRow, split};
use run_log::timeline::Second;
use scenario::Percentile;

use crate::value_at;

/// What a row is made from.
pub struct Figures<'a> {
    /// The route template, `METHOD /path`, or a name of another kind.
    pub name: &'a str,
    pub requests: u64,
    pub failures: u64,
    /// Requests that were answered, and the bytes of all their bodies.
    pub completed: u64,
    pub body_bytes: u64,
    pub elapsed_s: f64,
    /// In microseconds, with what had no answer at the time that it had waited.
    pub latency: &'a Histogram<u64>,
}

/// A row of `stats.csv`.
pub fn row(figures: &Figures<'_>) -> StatsRow {
    let (method, name) = split(figures.name);
    let at = |percentile| ms(figures.latency, percentile);
    StatsRow {
        method,
        name,
        requests: figures.requests,
        failures: figures.failures,
        median_ms: at(Percentile::P50),
        average_ms: figures.latency.mean() / 1e3,
        min_ms: figures.latency.min() as f64 / 1e3,
        max_ms: figures.latency.max() as f64 / 1e3,
        average_bytes: share(figures.body_bytes as f64, figures.completed as f64),
        requests_per_s: share(figures.requests as f64, figures.elapsed_s),
        failures_per_s: share(figures.failures as f64, figures.elapsed_s),
        p50_ms: at(Percentile::P50),
        p66_ms: at(Percentile::P66),
        p75_ms: at(Percentile::P75),
        p80_ms: at(Percentile::P80),
        p90_ms: at(Percentile::P90),
        p95_ms: at(Percentile::P95),
        p98_ms: at(Percentile::P98),
        p99_ms: at(Percentile::P99),
        p999_ms: at(Percentile::P99_9),
        p9999_ms: at(Percentile::P99_99),
        p100_ms: figures.latency.max() as f64 / 1e3,
    }
}

/// Makes the rows of `stats_history.csv`, in the order of the seconds.
#[derive(Debug, Default)]
pub struct History {
    requests: u64,
    failures: u64,
}

impl History {
    /// The row of a second of the run that began at `started` (Unix time in seconds), with
    /// the response times of its requests, what had no answer among them.
    pub fn row(&mut self, started: i64, row: &Second, latency: &Histogram<u64>) -> StatsHistoryRow {
        self.requests += row.done();
        self.failures += row.failed();
        StatsHistoryRow {
            timestamp: started + i64::try_from(row.second).unwrap_or(i64::MAX),
            users: row.users,
            method: String::new(),
            name: "Aggregated".to_owned(),
            requests_per_s: row.done() as f64,
            failures_per_s: row.failed() as f64,
            p50_ms: ms(latency, Percentile::P50),
            p95_ms: ms(latency, Percentile::P95),
            p99_ms: ms(latency, Percentile::P99),
            p100_ms: latency.max() as f64 / 1e3,
            total_requests: self.requests,
            total_failures: self.failures,
        }
    }
}

/// A percentile of microseconds, in milliseconds; zero where there is none.
pub fn ms(histogram: &Histogram<u64>, percentile: Percentile) -> f64 {
    value_at(histogram, percentile).unwrap_or(0) as f64 / 1e3
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
