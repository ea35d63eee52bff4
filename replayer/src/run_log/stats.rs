//! Rows of `stats.csv` and `stats_history.csv`, in Locust's columns.
//!
//! Times are milliseconds, as Locust's are, but not rounded to two digits.
//! They cover the whole run, ramp and drain included, and completed requests,
//! failures among them, as Locust's do; what is judged is in `latency.hlog`.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::format::Second;

/// A row of `stats.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsRow {
    #[serde(rename = "Type")]
    pub method: String,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Request Count")]
    pub requests: u64,
    #[serde(rename = "Failure Count")]
    pub failures: u64,
    #[serde(rename = "Median Response Time")]
    pub median_ms: f64,
    #[serde(rename = "Average Response Time")]
    pub average_ms: f64,
    #[serde(rename = "Min Response Time")]
    pub min_ms: f64,
    #[serde(rename = "Max Response Time")]
    pub max_ms: f64,
    #[serde(rename = "Average Content Size")]
    pub average_bytes: f64,
    #[serde(rename = "Requests/s")]
    pub requests_per_s: f64,
    #[serde(rename = "Failures/s")]
    pub failures_per_s: f64,
    #[serde(rename = "50%")]
    pub p50_ms: f64,
    #[serde(rename = "66%")]
    pub p66_ms: f64,
    #[serde(rename = "75%")]
    pub p75_ms: f64,
    #[serde(rename = "80%")]
    pub p80_ms: f64,
    #[serde(rename = "90%")]
    pub p90_ms: f64,
    #[serde(rename = "95%")]
    pub p95_ms: f64,
    #[serde(rename = "98%")]
    pub p98_ms: f64,
    #[serde(rename = "99%")]
    pub p99_ms: f64,
    #[serde(rename = "99.9%")]
    pub p999_ms: f64,
    #[serde(rename = "99.99%")]
    pub p9999_ms: f64,
    #[serde(rename = "100%")]
    pub p100_ms: f64,
}

/// What a row is made from.
pub struct Figures<'a> {
    /// The route template, `METHOD /path`, or a name of another kind.
    pub name: &'a str,
    pub requests: u64,
    pub failures: u64,
    pub body_bytes: u64,
    pub elapsed_s: f64,
    /// Response times in microseconds.
    pub latency: &'a Histogram<u64>,
}

impl StatsRow {
    pub fn new(figures: &Figures<'_>) -> Self {
        let (method, name) = split(figures.name);
        let at = |quantile| ms(figures.latency, quantile);
        Self {
            method,
            name,
            requests: figures.requests,
            failures: figures.failures,
            median_ms: at(0.5),
            average_ms: figures.latency.mean() / 1e3,
            min_ms: at(0.0),
            max_ms: at(1.0),
            average_bytes: share(figures.body_bytes as f64, figures.latency.len() as f64),
            requests_per_s: share(figures.requests as f64, figures.elapsed_s),
            failures_per_s: share(figures.failures as f64, figures.elapsed_s),
            p50_ms: at(0.5),
            p66_ms: at(0.66),
            p75_ms: at(0.75),
            p80_ms: at(0.8),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p98_ms: at(0.98),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            p9999_ms: at(0.9999),
            p100_ms: at(1.0),
        }
    }
}

/// A row of `stats_history.csv`: the aggregate, a row a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsHistoryRow {
    /// Unix time in seconds.
    #[serde(rename = "Timestamp")]
    pub timestamp: i64,
    #[serde(rename = "User Count")]
    pub users: u64,
    #[serde(rename = "Type")]
    pub method: String,
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Requests/s")]
    pub requests_per_s: f64,
    #[serde(rename = "Failures/s")]
    pub failures_per_s: f64,
    #[serde(rename = "50%")]
    pub p50_ms: f64,
    #[serde(rename = "95%")]
    pub p95_ms: f64,
    #[serde(rename = "99%")]
    pub p99_ms: f64,
    #[serde(rename = "100%")]
    pub p100_ms: f64,
    #[serde(rename = "Total Request Count")]
    pub total_requests: u64,
    #[serde(rename = "Total Failure Count")]
    pub total_failures: u64,
}

/// Makes the rows of `stats_history.csv`, in the order of the seconds.
#[derive(Debug, Default)]
pub struct History {
    requests: u64,
    failures: u64,
}

impl History {
    /// The row of a second of the run that began at `started` (Unix time in seconds), with
    /// the response times of its completed requests.
    pub fn row(
        &mut self,
        started: i64,
        row: &Second,
        completed: &Histogram<u64>,
    ) -> StatsHistoryRow {
        self.requests += row.done();
        self.failures += row.failed();
        StatsHistoryRow {
            timestamp: started + i64::try_from(row.second).unwrap_or(i64::MAX),
            users: row.users,
            method: String::new(),
            name: "Aggregated".to_owned(),
            requests_per_s: row.done() as f64,
            failures_per_s: row.failed() as f64,
            p50_ms: ms(completed, 0.5),
            p95_ms: ms(completed, 0.95),
            p99_ms: ms(completed, 0.99),
            p100_ms: ms(completed, 1.0),
            total_requests: self.requests,
            total_failures: self.failures,
        }
    }
}

/// A quantile of microseconds, in milliseconds; zero where there is none.
pub fn ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    if histogram.is_empty() {
        return 0.0;
    }
    let micros = match quantile {
        0.0 => histogram.min(),
        1.0 => histogram.max(),
        quantile => histogram.value_at_quantile(quantile),
    };
    micros as f64 / 1e3
}

/// `GET /path` to its halves; what has no method keeps its name.
pub fn split(name: &str) -> (String, String) {
    match name.split_once(' ') {
        Some((method, path)) => (method.to_owned(), path.to_owned()),
        None => (String::new(), name.to_owned()),
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
