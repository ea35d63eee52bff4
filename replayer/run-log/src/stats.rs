//! Rows of `stats.csv` and `stats_history.csv`, in Locust's columns.
//!
//! Times are milliseconds, as Locust's are, but not rounded to two digits.
//! They cover the whole run, ramp and drain included, and as Locust's do completed
//! requests, failures among them, and what was ready and got no answer. That stands in
//! them at the time that it had waited: a number that reaches into it is a lower bound,
//! which `run.json` says among its limitations. What is judged is in `latency.hlog`.
//! "Average Content Size" is of completed requests.

use serde::{Deserialize, Serialize};

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

/// `GET /path` to its halves; what has no method keeps its name.
pub fn split(name: &str) -> (String, String) {
    match name.split_once(' ') {
        Some((method, path)) => (method.to_owned(), path.to_owned()),
        None => (String::new(), name.to_owned()),
    }
}
