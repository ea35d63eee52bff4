//! Puts the workers' batches together, a second at a time.

use std::collections::BTreeMap;

use figures::recovery::Watch;
use figures::validity::Generator;
use figures::{Histograms, Names, Plateau, Recorded, ResponseTimes, is_endpoint, value_at};
use run_log::format::{
    ErrorSample, FailureRow, Fidelity, FidelityRow, Lag, LatencyKind, Scope, Tag, Totals, Window,
};
use run_log::outcome::Outcome;
use run_log::timeline::Second;
use scenario::Percentile;

use super::occurrences::Occurrences;
use super::sample::{Batch, FidelityCheck, Gauges, Sample};

/// What is asked of the whole run and not of its plateau. Of 200 endpoints and slow answers a
/// set of histograms of all kinds would be 200 MiB.
pub(crate) const OF_THE_RUN: [LatencyKind; 5] = [
    LatencyKind::ResponseOk,
    LatencyKind::ResponseFailed,
    LatencyKind::Censored,
    LatencyKind::Lost,
    LatencyKind::Lag,
];

/// Everything that was measured, so far.
#[derive(Debug)]
pub struct Collector {
    names: Names,
    /// Samples of seconds that are not closed yet.
    open: BTreeMap<u64, Vec<Sample>>,
    /// Vectors of closed seconds, empty: a second of 100,000 requests is megabytes to grow anew.
    spare: Vec<Vec<Sample>>,
    rows: BTreeMap<u64, Partial>,
    /// The first second that is not closed: what ended before it and is handed over only now
    /// is counted in it.
    next_second: u64,
    /// The last second each worker has closed.
    closed: Vec<Option<u64>>,
    is_last: Vec<bool>,
    untaken_before: u64,
    /// Requests by the second of the load that they are part of.
    became_ready: BTreeMap<u64, u64>,
    pub totals: Totals,
    /// Of the second that was closed last.
    pub second: Histograms,
    /// Of the whole run, [`OF_THE_RUN`] alone.
    pub run: Histograms,
    /// What is judged.
    pub plateau: Plateau,
    /// Where it is measured how the target recovers.
    pub recovery: Option<Watch>,
    pub by_endpoint: Vec<EndpointTotals>,
    /// Failures with the status that was recorded.
    pub same_failures: u64,
    /// What the scenario's checks are called, by their numbers.
    pub check_names: Vec<String>,
    /// (endpoint, what went wrong) to how often, and when.
    pub failures: BTreeMap<(usize, String), Occurrences>,
    pub errors: Vec<ErrorSample>,
    /// Planned requests that were begun over a second late by the generator's own fault.
    pub left_late: u64,
    /// Planned requests that were taken up.
    pub taken: u64,
    pub logins_refused: u64,
    /// How the first login was refused.
    pub refusal: Option<ErrorSample>,
    pub login_wait_us: u64,
}

/// What the gauges and counters of a second add up to before it is closed.
#[derive(Debug, Default)]
struct Partial {
    gauges: Gauges,
    taken: u64,
    sent: u64,
    extra: u64,
    bytes_sent: u64,
    bytes_received: u64,
    gap_us: u64,
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
            plateau: Plateau::new(&names),
            recovery: None,
            names,
            open: BTreeMap::new(),
            spare: Vec::new(),
            rows: BTreeMap::new(),
            next_second: 0,
            closed: vec![None; workers],
            is_last: vec![false; workers],
            untaken_before: 0,
            became_ready: BTreeMap::new(),
            totals: Totals::default(),
            same_failures: 0,
            check_names: Vec::new(),
            second: Histograms::default(),
            run: Histograms::default(),
            failures: BTreeMap::new(),
            errors: Vec::new(),
            left_late: 0,
            taken: 0,
            logins_refused: 0,
            refusal: None,
            login_wait_us: 0,
        }
    }

    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Takes a batch in; returns its vector of samples, empty, to be filled again.
    pub fn add(&mut self, batch: Batch) -> Vec<Sample> {
        let Batch { worker, second, mut samples, .. } = batch;
        for ended in samples.chunk_by(|one, next| one.second == next.second) {
            let second = u64::from(ended[0].second).max(self.next_second);
            let open = self.open.entry(second);
            open.or_insert_with(|| self.spare.pop().unwrap_or_default()).extend_from_slice(ended);
        }
        samples.clear();
        let partial = self.rows.entry(second.max(self.next_second)).or_default();
        partial.gauges.users += batch.gauges.users;
        partial.gauges.in_flight += batch.gauges.in_flight;
        partial.gauges.queued += batch.gauges.queued;
        partial.gauges.untaken += batch.gauges.untaken;
        partial.taken += batch.taken;
        partial.sent += batch.sent;
        partial.extra += batch.extra.sum();
        partial.bytes_sent += batch.bytes_sent;
        partial.bytes_received += batch.bytes_received;
        self.totals.bytes_sent += batch.bytes_sent;
        self.totals.bytes_received += batch.bytes_received;
        partial.gap_us = partial.gap_us.max(batch.gap_us);
        self.taken += batch.taken;
        self.logins_refused += batch.logins_refused;
        self.refusal = self.refusal.take().or(batch.refusal);
        self.login_wait_us = self.login_wait_us.max(batch.login_wait_us);
        self.totals.planned_sent += batch.sent;
        self.totals.extra.renewals += batch.extra.renewals;
        self.totals.extra.retries += batch.extra.retries;
        self.totals.extra.probes += batch.extra.probes;
        self.totals.connections_opened += batch.connections_opened;
        self.errors.extend(batch.errors);
        self.closed[worker] = Some(second);
        self.is_last[worker] = batch.is_last;
        samples
    }

    /// Closes the next second that all workers have closed, if there is one, and returns its
    /// row. The caller takes [`Collector::second`] before it asks again.
    pub fn close(&mut self, plateau: Window) -> Option<Second> {
        let next = *self.rows.keys().chain(self.open.keys()).min()?;
        let is_closed = |worker: usize| {
            self.is_last[worker] || self.closed[worker].is_some_and(|second| second >= next)
        };
        if !(0..self.closed.len()).all(is_closed) {
            return None;
        }
        self.next_second = next + 1;
        // What is in it is in the totals already.
        self.second.clear();
        let partial = self.rows.remove(&next).unwrap_or_default();
        let mut row = Second {
            second: next,
            users: partial.gauges.users,
            in_flight: partial.gauges.in_flight,
            queued: partial.gauges.queued,
            // What was taken up had become ready before, and so has what is not taken yet.
            ready: (partial.taken + partial.gauges.untaken).saturating_sub(self.untaken_before),
            sent: partial.sent,
            extra: partial.extra,
            bytes_sent: partial.bytes_sent,
            bytes_received: partial.bytes_received,
            gap_max_us: partial.gap_us,
            ..Second::default()
        };
        self.untaken_before = partial.gauges.untaken;
        if let Some(mut samples) = self.open.remove(&next) {
            for sample in samples.drain(..) {
                self.count(&sample, &mut row);
            }
            self.spare.push(samples);
        }
        note_lag(&mut row, &self.second);
        self.sum_up(plateau, &row);
        Some(row)
    }

    /// Whether the target is again what it was at the first step, the load being gone, or cannot be.
    pub fn is_recovery_over(&self) -> bool {
        self.recovery.as_ref().is_some_and(Watch::is_over)
    }

    /// Whether all workers have handed over their last second.
    pub fn is_over(&self) -> bool {
        self.is_last.iter().all(|is_last| *is_last)
    }

    /// Takes in a second that was measured elsewhere.
    pub fn add_second(&mut self, row: &Second, histograms: Histograms, plateau: Window) {
        self.second = histograms;
        self.sum_up(plateau, row);
    }

    fn sum_up(&mut self, plateau: Window, row: &Second) {
        self.run.absorb(&self.second, &OF_THE_RUN);
        self.plateau.add_row(plateau, row);
        let mut responses = ResponseTimes::default();
        for (tag, histogram) in self.second.iter() {
            let recorded = Recorded::of(histogram);
            let added = self.plateau.add(plateau, row.second, tag, &recorded);
            debug_assert!(added.is_ok(), "samples and names are of one plan");
            if self.recovery.is_some() && is_endpoint(tag.scope) {
                responses.add(tag.kind, &recorded);
            }
        }
        if let Some(recovery) = &mut self.recovery {
            recovery.second(row, responses.percentile(Percentile::P95));
        }
    }

    fn count(&mut self, sample: &Sample, row: &mut Second) {
        record(&mut self.second, sample);
        self.totals.outcomes[sample.outcome] += 1;
        row.outcomes[sample.outcome] += 1;
        let endpoint = &mut self.by_endpoint[usize::from(sample.endpoint)];
        endpoint.requests += 1;
        endpoint.failures += u64::from(sample.is_failed);
        endpoint.body_bytes += u64::from(sample.body_bytes);
        let is_as_recorded = count_fidelity(sample, &mut endpoint.fidelity);
        self.same_failures += u64::from(is_as_recorded && sample.is_failed);
        self.left_late += u64::from(sample.left_late);
        self.totals.rebound += u64::from(sample.is_rebound);
        self.totals.unbound_by_target += u64::from(sample.lacks_by_target);
        match sample.ready_second {
            Some(second) => *self.became_ready.entry(u64::from(second)).or_default() += 1,
            None => self.totals.never_ready += 1,
        }
        if sample.outcome == Outcome::Completed {
            row.failed_status += u64::from(sample.is_failed);
            self.totals.failed_status += u64::from(sample.is_failed);
            *match sample.status {
                0..200 => &mut row.status_1xx,
                200..300 => &mut row.status_2xx,
                300..400 => &mut row.status_3xx,
                400..500 => &mut row.status_4xx,
                _ => &mut row.status_5xx,
            } += 1;
        }
        if sample.is_failed {
            let check = sample.missed_check.and_then(|n| self.check_names.get(usize::from(n)));
            let what = match (sample.outcome, check) {
                (_, Some(check)) => FailureRow::missed_check(check),
                (Outcome::Completed, None) => FailureRow::failed_status(sample.status),
                (outcome, None) => outcome.name(),
            };
            let of_it = self.failures.entry((usize::from(sample.endpoint), what)).or_default();
            of_it.add(1, Some(row.second..=row.second));
        }
    }

    /// Requests that became ready in these seconds, of those that have ended.
    pub fn became_ready(&self, window: Window) -> u64 {
        self.became_ready
            .range(window.start_s..window.end_s.max(window.start_s))
            .map(|(_, n)| n)
            .sum()
    }

    /// What the generator knows of itself, of so many planned requests.
    pub fn generator(&self, planned: u64) -> Generator {
        Generator {
            taken: self.taken,
            left_late: self.left_late,
            local_limit: self.totals.outcomes[Outcome::LocalLimit],
            unbound: self.totals.unbound_by_tool(),
            planned,
        }
    }

    /// The generator share over the whole run.
    pub fn lag(&self) -> Lag {
        lag_of(&self.run)
    }

    /// The sum over all endpoints.
    pub fn fidelity(&self) -> Fidelity {
        let none = Fidelity { same_failures: self.same_failures, ..Fidelity::default() };
        self.by_endpoint.iter().fold(none, |sum, endpoint| Fidelity {
            compared: sum.compared + endpoint.fidelity.compared,
            same_status: sum.same_status + endpoint.fidelity.same_status,
            shapes_compared: sum.shapes_compared + endpoint.fidelity.shapes_compared,
            same_status_and_shape: sum.same_status_and_shape
                + endpoint.fidelity.same_status_and_shape,
            ..sum
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

/// Returns whether the status is the recorded one.
fn count_fidelity(sample: &Sample, fidelity: &mut Fidelity) -> bool {
    let same_status = match sample.fidelity {
        FidelityCheck::None => return false,
        FidelityCheck::Status { same } => same,
        FidelityCheck::StatusAndShape { same_status, same_shape } => {
            fidelity.shapes_compared += 1;
            fidelity.same_status_and_shape += u64::from(same_status && same_shape);
            same_status
        }
    };
    fidelity.compared += 1;
    fidelity.same_status += u64::from(same_status);
    same_status
}

/// Notes the lag of a second in its row.
pub(crate) fn note_lag(row: &mut Second, histograms: &Histograms) {
    let lag = lag_of(histograms);
    (row.lag_p50_us, row.lag_p99_us, row.lag_max_us) = (lag.p50_us, lag.p99_us, lag.max_us);
}

/// Lag over all endpoints; zero where there is none.
fn lag_of(histograms: &Histograms) -> Lag {
    let lag = histograms.sum(LatencyKind::Lag, is_endpoint);
    let at = |percentile| value_at(&lag, percentile).unwrap_or(0);
    Lag { p50_us: at(Percentile::P50), p99_us: at(Percentile::P99), max_us: lag.max() }
}

/// Records all times of a sample, under its endpoint and its persona.
pub fn record(histograms: &mut Histograms, sample: &Sample) {
    let scopes = [
        Scope::Endpoint(usize::from(sample.endpoint)),
        Scope::Persona(usize::from(sample.persona)),
    ];
    let response = match sample.outcome {
        Outcome::Completed if sample.is_failed => LatencyKind::ResponseFailed,
        Outcome::Completed => LatencyKind::ResponseOk,
        outcome if outcome.is_censored() && sample.ready_second.is_some() => LatencyKind::Censored,
        _ => LatencyKind::Lost,
    };
    let is_judged = matches!(response, LatencyKind::ResponseOk | LatencyKind::Censored);
    let since_due = sample.session_delay_us.map(|delay| delay.saturating_add(sample.response_us));
    let service = sample.service_us.filter(|_| sample.outcome == Outcome::Completed);
    let times = [
        (response, Some(sample.response_us)),
        (LatencyKind::Service, service),
        (LatencyKind::Queue, sample.was_sent.then_some(sample.queue_us)),
        (LatencyKind::Connect, sample.connect_us),
        (LatencyKind::SessionDelay, sample.session_delay_us),
        (LatencyKind::SinceDue, since_due.filter(|_| response == LatencyKind::ResponseOk)),
        (LatencyKind::Lag, Some(sample.lag_us)),
        (
            LatencyKind::ResponseLessLag,
            is_judged.then(|| sample.response_us.saturating_sub(sample.lag_us)),
        ),
    ];
    for scope in scopes {
        for (kind, us) in times {
            if let Some(us) = us {
                histograms.record(Tag { scope, kind }, us);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample that is handed over late belongs to a second that is open still: rows would
    /// stand twice otherwise, the second time without users.
    #[test]
    fn a_closed_second_never_opens() {
        let names = Names { endpoints: vec!["GET /".into()], personas: vec!["p".into()] };
        let mut collector = Collector::new(names, 1);
        let window = Window::new(0, 100.0);
        let mut rows = Vec::new();
        for (second, ended) in [(0, 0), (1, 1), (2, 0), (3, 3)] {
            let gauges = Gauges { users: 7, ..Gauges::default() };
            let sample = Sample { second: ended, ..sample() };
            let samples = vec![sample; 5];
            collector.add(Batch { second, gauges, samples, ..Batch::default() });
            while let Some(row) = collector.close(window) {
                rows.push((row.second, row.users, row.done()));
            }
        }
        assert_eq!(rows, [(0, 7, 5), (1, 7, 5), (2, 7, 5), (3, 7, 5)]);
    }

    fn sample() -> Sample {
        Sample {
            endpoint: 0,
            persona: 0,
            outcome: Outcome::Completed,
            status: 200,
            is_failed: false,
            missed_check: None,
            was_sent: true,
            second: 0,
            ready_second: Some(0),
            response_us: 1000,
            service_us: Some(1000),
            queue_us: 0,
            connect_us: None,
            session_delay_us: None,
            lag_us: 0,
            left_late: false,
            body_bytes: 0,
            fidelity: FidelityCheck::None,
            is_rebound: false,
            lacks_by_target: false,
        }
    }
}
