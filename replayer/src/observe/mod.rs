//! Samples of the target on the run's clock.

mod postgres;
mod prometheus;
mod statement;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout};

pub use postgres::{Database, DatabaseError, Place};

use http1::{Connection, Destination, Limits, Method, Sink};
use run_log::format::TargetSample;

/// Longer than this an answer to an observer is not waited for: the second is left out.
const PATIENCE: Duration = Duration::from_millis(500);

/// So much of a page of metrics is read; what is beyond is passed over.
const MOST_METRICS_BYTES: usize = 1 << 20;

/// So many metrics of the target are kept, in the order of their names.
const MOST_METRICS: usize = 200;

/// What asks a target for its metrics.
pub(crate) fn metrics_request(destination: &Destination) -> Vec<u8> {
    let authority = destination.authority();
    format!("GET /metrics HTTP/1.1\r\nHost: {authority}\r\nAccept: text/plain\r\n\r\n").into_bytes()
}

/// The beginning of an answer's body.
#[derive(Default)]
struct Page(Vec<u8>);

impl Sink for Page {
    fn head(&mut self, _: u16, _: &[httparse::Header<'_>]) {
        self.0.clear();
    }

    fn body(&mut self, bytes: &[u8]) {
        let room = MOST_METRICS_BYTES.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// Asks the target for its metrics, where it gives any, and its database, where that is known.
pub struct Observer {
    destination: std::sync::Arc<Destination>,
    connection: Option<Connection>,
    request: Vec<u8>,
    /// Whether the target answered when it was first asked.
    gives_metrics: bool,
    /// Processor seconds and when they were read, for the share between two samples.
    cpu: Option<(f64, Instant)>,
    database: Option<Database>,
    samples: Vec<TargetSample>,
    /// How often the target was asked.
    asked: u64,
}

impl Observer {
    /// An observer of the target at `destination`, if it may be asked for its metrics; whether it
    /// has any shows at the first sample.
    pub fn new(
        destination: std::sync::Arc<Destination>,
        asks_target: bool,
        database: Option<Database>,
    ) -> Self {
        let request = metrics_request(&destination);
        Self {
            destination,
            connection: None,
            request,
            gives_metrics: asks_target,
            cpu: None,
            database,
            samples: Vec::new(),
            asked: 0,
        }
    }

    /// Takes a sample; what does not answer in time leaves none.
    pub async fn sample_at(&mut self, second: u64) {
        if self.gives_metrics {
            self.sample_target(second).await;
        }
        if let Some(database) = &mut self.database
            && let Ok(Some(found)) = timeout(PATIENCE, database.sample()).await
        {
            self.add(second, found);
        }
    }

    /// Takes the last sample, and what is known only of the whole run.
    pub async fn finish_at(&mut self, second: u64) {
        self.sample_at(second).await;
        if let Some(database) = &mut self.database {
            let slowest = timeout(PATIENCE, database.slowest()).await.unwrap_or_default();
            self.add(second, slowest);
        }
    }

    fn add(&mut self, second: u64, found: Vec<(String, f64)>) {
        let sample = |(metric, value)| TargetSample { second, metric, value };
        self.samples.extend(found.into_iter().map(sample));
    }

    async fn sample_target(&mut self, second: u64) {
        match timeout(PATIENCE, self.scrape()).await {
            Ok(Some(metrics)) => self.keep(second, &metrics),
            // A target without metrics is asked once; one that is overloaded, again.
            Ok(None) => self.gives_metrics = second > 0,
            Err(_too_slow) => self.connection = None,
        }
    }

    /// The samples since the last call.
    pub fn take(&mut self) -> Vec<TargetSample> {
        std::mem::take(&mut self.samples)
    }

    /// Requests that were sent to the target so far.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    async fn scrape(&mut self) -> Option<BTreeMap<String, f64>> {
        let mut connection =
            match self.connection.take().and_then(|mut c| (!c.is_stale()).then_some(c)) {
                Some(connection) => connection,
                None => {
                    let by = Instant::now() + PATIENCE;
                    Connection::open(&self.destination, by).await.ok()?.connection
                }
            };
        self.asked += 1;
        let mut answer = Page::default();
        let limits = Limits::default();
        let exchange =
            connection.exchange(&self.request, Method::Other, &mut answer, &limits).await.ok()?;
        if exchange.reusable {
            self.connection = Some(connection);
        }
        (exchange.status == 200).then(|| prometheus::parse(&String::from_utf8_lossy(&answer.0)))
    }

    fn keep(&mut self, second: u64, metrics: &BTreeMap<String, f64>) {
        let mut add = |metric: &str, value| {
            self.samples.push(TargetSample { second, metric: metric.to_owned(), value });
        };
        let of_target =
            metrics.iter().filter_map(|(name, value)| Some((name.strip_prefix("target_")?, value)));
        for (name, value) in of_target.take(MOST_METRICS) {
            add(&format!("target.{name}"), *value);
        }
        if let Some(bytes) = metrics.get("process_resident_memory_bytes") {
            add("target.rss_bytes", *bytes);
        }
        if let Some(spent) = metrics.get("process_cpu_seconds_total") {
            let now = Instant::now();
            if let Some((before, at)) = self.cpu.replace((*spent, now)) {
                let passed = (now - at).as_secs_f64();
                if passed > 0.0 {
                    add("target.cpu_percent", (spent - before) / passed * 100.0);
                }
            }
        }
    }
}
