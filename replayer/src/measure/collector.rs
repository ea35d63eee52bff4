//! Puts the workers' batches together, a second at a time.

use std::collections::{BTreeMap, HashMap};

use super::histograms::Histograms;
use super::sample::{Batch, Comparison, Gauges, Sample};
use crate::outcome::Outcome;
use hdrhistogram::Histogram;

use crate::run_log::format::{
    ErrorSample, Fidelity, FidelityRow, Lag, LatencyKind, Scope, Second, Totals, Window,
};

/// Indices to names.
#[derive(Clone, Debug)]
pub struct Names {
    pub endpoints: Vec<String>,
    pub personas: Vec<String>,
}

/// Everything that was measured, so far.
#[derive(Debug)]
pub struct Collector {
    names: Names,
    /// Samples of seconds that are not closed yet.
    open: BTreeMap<u64, Vec<Sample>>,
    /// Vectors of closed seconds, empty: a second of 100,000 requests is megabytes to grow anew.
    spare: Vec<Vec<Sample>>,
    rows: BTreeMap<u64, Partial>,
    /// The last second each worker has closed.
    closed: Vec<Option<u64>>,
    is_last: Vec<bool>,
    queued_before: u64,
    pub totals: Totals,
    /// Of the second that was closed last.
    pub second: Histograms,
    /// Of the whole run.
    pub run: Histograms,
    /// What is judged.
    pub plateau: Plateau,
    pub by_endpoint: Vec<EndpointTotals>,
    /// (endpoint, what went wrong) to how often.
    pub failures: BTreeMap<(usize, String), u64>,
    pub errors: Vec<ErrorSample>,
    /// Longest time that a thread was over 85 % busy, or kept from it, at a stretch, in seconds.
    pub busiest_stretch_s: u64,
    busy_for: HashMap<usize, u64>,
    pub worst_wake_us: u64,
    /// Planned requests that were taken up.
    pub taken: u64,
    pub logins_refused: u64,
    pub login_wait_us: u64,
}

/// What the gauges and counters of a second add up to before it is closed.
#[derive(Debug, Default)]
struct Partial {
    gauges: Gauges,
    taken: u64,
    sent: u64,
    extra: u64,
    worst_wake_us: u64,
}

/// The seconds that are judged.
#[derive(Debug, Default)]
pub struct Plateau {
    /// Of `[start, end)`, for rates.
    pub before_end: Histograms,
    /// Of the drain after it.
    after_end: Histograms,
    pub fewest_users: Option<u64>,
    seconds: u64,
}

impl Plateau {
    fn add(&mut self, window: Window, row: &Second, histograms: &Histograms) {
        if row.second >= window.end_s {
            self.after_end.absorb(histograms);
        } else if row.second >= window.start_s {
            self.before_end.absorb(histograms);
            self.fewest_users = Some(self.fewest_users.map_or(row.users, |u| u.min(row.users)));
            self.seconds += 1;
        }
    }

    /// How many seconds lie before the end.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// One kind over what `scope` picks, the drain included.
    pub fn sum(&self, kind: LatencyKind, scope: impl Fn(Scope) -> bool) -> Histogram<u64> {
        let mut sum = self.before_end.sum(kind, &scope);
        let added = sum.add(self.after_end.sum(kind, &scope));
        debug_assert!(added.is_ok(), "they grow as needed");
        sum
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct EndpointTotals {
    pub requests: u64,
    pub failures: u64,
    pub body_bytes: u64,
    pub fidelity: Fidelity,
}

impl Collector {
    pub fn new(names: Names, workers: usize) -> Self {
        Self {
            by_endpoint: vec![EndpointTotals::default(); names.endpoints.len()],
            names,
            open: BTreeMap::new(),
            spare: Vec::new(),
            rows: BTreeMap::new(),
            closed: vec![None; workers],
            is_last: vec![false; workers],
            queued_before: 0,
            totals: Totals::default(),
            second: Histograms::default(),
            run: Histograms::default(),
            plateau: Plateau::default(),
            failures: BTreeMap::new(),
            errors: Vec::new(),
            busiest_stretch_s: 0,
            busy_for: HashMap::new(),
            worst_wake_us: 0,
            taken: 0,
            logins_refused: 0,
            login_wait_us: 0,
        }
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Takes a batch in; gives its vector of samples back, empty, to be filled again.
    pub fn add(&mut self, batch: Batch) -> Vec<Sample> {
        let Batch { worker, second, mut samples, .. } = batch;
        for ended in samples.chunk_by(|one, next| one.second == next.second) {
            let open = self.open.entry(u64::from(ended[0].second));
            open.or_insert_with(|| self.spare.pop().unwrap_or_default()).extend_from_slice(ended);
        }
        samples.clear();
        let partial = self.rows.entry(second).or_default();
        partial.gauges.users += batch.gauges.users;
        partial.gauges.in_flight += batch.gauges.in_flight;
        partial.gauges.queued += batch.gauges.queued;
        partial.taken += batch.taken;
        partial.sent += batch.sent;
        partial.extra += batch.extra.sum();
        partial.worst_wake_us = partial.worst_wake_us.max(batch.worst_wake_us);
        self.taken += batch.taken;
        self.logins_refused += batch.logins_refused;
        self.login_wait_us = self.login_wait_us.max(batch.login_wait_us);
        self.totals.planned_sent += batch.sent;
        self.totals.extra.renewals += batch.extra.renewals;
        self.totals.extra.retries += batch.extra.retries;
        self.totals.extra.probes += batch.extra.probes;
        self.totals.connections_opened += batch.connections_opened;
        self.worst_wake_us = self.worst_wake_us.max(batch.worst_wake_us);
        let stretch = self.busy_for.entry(worker).or_default();
        *stretch = if batch.busy > 0.85 { *stretch + 1 } else { 0 };
        self.busiest_stretch_s = self.busiest_stretch_s.max(*stretch);
        self.errors.extend(batch.errors);
        self.closed[worker] = Some(second);
        self.is_last[worker] = batch.is_last;
        samples
    }

    /// Closes the next second that all workers have closed, if there is one, and gives its
    /// row. The caller takes [`Collector::second`] before it asks again.
    pub fn close(&mut self, plateau: Window) -> Option<Second> {
        let next = *self.rows.keys().chain(self.open.keys()).min()?;
        let is_closed = |worker: usize| {
            self.is_last[worker] || self.closed[worker].is_some_and(|second| second >= next)
        };
        if !(0..self.closed.len()).all(is_closed) {
            return None;
        }
        // What is in it is in the totals already.
        self.second.clear();
        let partial = self.rows.remove(&next).unwrap_or_default();
        let mut row = Second {
            second: next,
            users: partial.gauges.users,
            in_flight: partial.gauges.in_flight,
            queued: partial.gauges.queued,
            // What was taken up had become ready before, and so has what is still queued.
            ready: (partial.taken + partial.gauges.queued).saturating_sub(self.queued_before),
            sent: partial.sent,
            extra: partial.extra,
            ..Second::default()
        };
        self.queued_before = partial.gauges.queued;
        if let Some(mut samples) = self.open.remove(&next) {
            for sample in samples.drain(..) {
                self.count(&sample, &mut row);
            }
            self.spare.push(samples);
        }
        let lag = self.second.sum(LatencyKind::Lag, is_endpoint);
        if !lag.is_empty() {
            row.lag_p50_us = lag.value_at_quantile(0.5);
            row.lag_p99_us = lag.value_at_quantile(0.99);
            row.lag_max_us = lag.max();
        }
        self.run.absorb(&self.second);
        self.plateau.add(plateau, &row, &self.second);
        Some(row)
    }

    /// Takes in a second that was measured elsewhere.
    pub fn add_second(&mut self, row: &Second, histograms: Histograms, plateau: Window) {
        self.run.absorb(&histograms);
        self.plateau.add(plateau, row, &histograms);
        self.second = histograms;
    }

    fn count(&mut self, sample: &Sample, row: &mut Second) {
        self.second.record(sample);
        sample.outcome.count_in(&mut self.totals.outcomes);
        let endpoint = &mut self.by_endpoint[usize::from(sample.endpoint)];
        endpoint.requests += 1;
        endpoint.failures += u64::from(sample.is_failed);
        endpoint.body_bytes += u64::from(sample.body_bytes);
        count_fidelity(sample, &mut endpoint.fidelity);
        self.totals.rebound += u64::from(sample.is_rebound);
        for bytes in [&mut self.totals.bytes_sent, &mut row.bytes_sent] {
            *bytes += u64::from(sample.bytes_sent);
        }
        for bytes in [&mut self.totals.bytes_received, &mut row.bytes_received] {
            *bytes += u64::from(sample.bytes_received);
        }
        match sample.outcome {
            Outcome::Completed { status } => {
                if sample.is_failed {
                    row.failed_status += 1;
                    self.totals.failed_status += 1;
                } else {
                    row.ok += 1;
                }
                *match status {
                    0..200 => &mut row.status_1xx,
                    200..300 => &mut row.status_2xx,
                    300..400 => &mut row.status_3xx,
                    400..500 => &mut row.status_4xx,
                    _ => &mut row.status_5xx,
                } += 1;
            }
            Outcome::TimedOut => row.timed_out += 1,
            Outcome::ConnectFailed => row.connect_failed += 1,
            Outcome::Reset => row.reset += 1,
            Outcome::TlsFailed => row.tls_failed += 1,
            Outcome::Unbound => row.unbound += 1,
            Outcome::Shed => row.shed += 1,
            Outcome::CutOff => row.cut_off += 1,
            Outcome::LocalLimit => row.local_limit += 1,
        }
        if sample.is_failed {
            let what = match sample.outcome {
                Outcome::Completed { status } => format!("HTTP {status}"),
                outcome => outcome.name().to_owned(),
            };
            *self.failures.entry((usize::from(sample.endpoint), what)).or_default() += 1;
        }
    }

    /// Generator lag over the whole run.
    pub fn lag(&self) -> Lag {
        let lag = self.run.sum(LatencyKind::Lag, is_endpoint);
        if lag.is_empty() {
            return Lag::default();
        }
        Lag {
            p50_us: lag.value_at_quantile(0.5),
            p99_us: lag.value_at_quantile(0.99),
            max_us: lag.max(),
        }
    }

    /// The sum over all endpoints.
    pub fn fidelity(&self) -> Fidelity {
        self.by_endpoint.iter().fold(Fidelity::default(), |sum, endpoint| Fidelity {
            compared: sum.compared + endpoint.fidelity.compared,
            same_status: sum.same_status + endpoint.fidelity.same_status,
            shapes_compared: sum.shapes_compared + endpoint.fidelity.shapes_compared,
            same_status_and_shape: sum.same_status_and_shape
                + endpoint.fidelity.same_status_and_shape,
        })
    }

    /// A row an endpoint.
    pub fn fidelity_rows(&self) -> Vec<FidelityRow> {
        self.names
            .endpoints
            .iter()
            .zip(&self.by_endpoint)
            .map(|(name, totals)| FidelityRow {
                endpoint: name.clone(),
                compared: totals.fidelity.compared,
                same_status: totals.fidelity.same_status,
                shapes_compared: totals.fidelity.shapes_compared,
                same_status_and_shape: totals.fidelity.same_status_and_shape,
            })
            .collect()
    }
}

fn count_fidelity(sample: &Sample, fidelity: &mut Fidelity) {
    match sample.fidelity {
        Comparison::None => {}
        Comparison::Status { same } => {
            fidelity.compared += 1;
            fidelity.same_status += u64::from(same);
        }
        Comparison::StatusAndShape { same_status, same_shape } => {
            fidelity.compared += 1;
            fidelity.same_status += u64::from(same_status);
            fidelity.shapes_compared += 1;
            fidelity.same_status_and_shape += u64::from(same_status && same_shape);
        }
    }
}

/// Endpoints and personas each hold everything: sums are over one of the two.
pub fn is_endpoint(scope: Scope) -> bool {
    matches!(scope, Scope::Endpoint(_))
}
