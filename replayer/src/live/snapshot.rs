//! What is shown: added up of what is told, as JSON for the page.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use axum::body::Bytes;
use figures::stats::ms;
use figures::{histogram, value_at};
use hdrhistogram::Histogram;
use run_log::format::{
    ErrorSample, LatencyKind, Mark, Pacing, Phase, Run, Scope, Validity, ValidityState, Verdict,
    Window,
};
use run_log::outcome::Outcomes;
use scenario::Percentile;
use serde::{Serialize, Serializer};

use super::history::{Added, History, Point};
use super::told::{Begun, Ended, Failure, Second, Told};
use crate::engine::WorkerSeen;

/// Seconds that somebody who was away for a moment is told one by one.
const REMEMBERED: usize = 120;

/// Metrics of what is observed that are shown at most.
const MOST_METRICS: usize = 200;

/// Something that viewers are sent, the same bytes to all.
#[derive(Clone)]
pub(super) struct Event {
    /// Its id; none where it is of no second.
    pub second: Option<u64>,
    /// As it goes out.
    pub text: Bytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// For a run to begin.
    #[default]
    Waiting,
    Running,
    /// Somebody asked for its end.
    Stopping,
    Ended,
}

/// What is known of a run before it begins.
#[derive(Serialize)]
struct Head {
    name: String,
    profile: Option<run_log::format::Profile>,
    target: String,
    load: String,
    users: u64,
    /// Judged are these seconds, as far as it was planned.
    plateau: Window,
    endpoints: Vec<String>,
    /// Due in the whole of it.
    planned: Option<u64>,
}

/// What is sent again every second.
#[derive(Default, Serialize)]
pub(super) struct Now {
    /// Of which run it is: when it began, in milliseconds.
    run: i64,
    pub state: State,
    second: Option<u64>,
    /// The last second of the plan, where that has an end.
    planned_s: Option<u64>,
    phase: String,
    conclusion: Option<String>,
    reason: Option<String>,
    notes: Vec<String>,
    validity: Option<Validity>,
    verdicts: Vec<Verdict>,
    /// Due so far; not known by closed pacing until the end.
    planned: Option<u64>,
    pub sent: u64,
    done: u64,
    failed: u64,
    pub users: u64,
    pub in_flight: u64,
    latency: Times,
    endpoints: Vec<Row>,
    failures: Vec<Shown>,
    lag: Times,
    pub cpu_percent: f64,
    pub rss_bytes: u64,
    observed: BTreeMap<String, f64>,
    workers: Vec<WorkerSeen>,
    marks: Vec<Mark>,
}

/// In milliseconds; none where nothing was measured.
#[derive(Clone, Copy, Default, Serialize)]
struct Times {
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |percentile| Some(ms(histogram, percentile));
        Self {
            p50: at(Percentile::P50),
            p95: at(Percentile::P95),
            p99: at(Percentile::P99),
            max: Some(histogram.max() as f64 / 1e3),
        }
    }
}

/// An endpoint, in the order of the page's columns.
struct Row {
    requests: u64,
    failed: u64,
    /// A second of the whole run, and of the last second.
    rate: f64,
    now: u64,
    times: Times,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { requests, failed, rate, now, times: Times { p50, p95, p99, max } } = self;
        (requests, failed, rate, now, p50, p95, p99, max).serialize(serializer)
    }
}

/// A kind of failure of an endpoint.
#[derive(Serialize)]
struct Shown {
    endpoint: String,
    error: String,
    /// Not known of a run in several processes until they are added up.
    count: Option<u64>,
    first: Option<u64>,
    last: Option<u64>,
    sample: Option<ErrorSample>,
}

/// What an endpoint adds up to.
pub(super) struct OfEndpoint {
    pub requests: u64,
    pub failed: u64,
    now: u64,
    /// Of all that has one, as `stats.csv` has them.
    pub responses: Histogram<u64>,
    times: Times,
}

impl Default for OfEndpoint {
    fn default() -> Self {
        Self { requests: 0, failed: 0, now: 0, responses: histogram(), times: Times::default() }
    }
}

/// Response times and lag, in microseconds.
struct Sums {
    responses: Histogram<u64>,
    lag: Histogram<u64>,
}

impl Default for Sums {
    fn default() -> Self {
        Self { responses: histogram(), lag: histogram() }
    }
}

/// All of it.
#[derive(Default)]
pub(super) struct Snapshot {
    /// The run's directory, once it is there.
    pub dir: Option<PathBuf>,
    head: Option<Head>,
    pub now: Now,
    phases: Vec<Phase>,
    due: Vec<u64>,
    history: History,
    pub by_endpoint: Vec<OfEndpoint>,
    pub outcomes: Outcomes,
    /// Of all endpoints.
    all: Sums,
    /// The first of a kind, by endpoint and error.
    samples: BTreeMap<(String, String), ErrorSample>,
    recent: VecDeque<Event>,
}

#[derive(Serialize)]
struct Whole<'a> {
    head: &'a Option<Head>,
    history: &'a History,
    now: &'a Now,
}

#[derive(Serialize)]
struct Next<'a> {
    now: &'a Now,
    point: Option<Point>,
}

impl Snapshot {
    /// Takes in what is told, and says what viewers are sent of it.
    pub(super) fn take(&mut self, told: Told, marks: Vec<Mark>) -> Event {
        let event = match told {
            Told::Begun(begun) => {
                self.begin(*begun);
                self.whole()
            }
            Told::Second(second) => {
                let added = self.second(*second);
                self.now.marks = marks;
                match added {
                    Added::Folded => self.whole(),
                    Added::Nothing => self.next(None),
                    Added::Point(point) => self.next(Some(point)),
                }
            }
            Told::Ended(ended) => {
                self.end(*ended);
                self.next(None)
            }
        };
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(event.clone());
        event
    }

    /// What somebody has missed who knows all up to a second.
    pub(super) fn since(&self, second: Option<u64>) -> Vec<Event> {
        let known = second
            .and_then(|second| self.recent.iter().position(|event| event.second == Some(second)));
        match known {
            Some(at) => self.recent.iter().skip(at + 1).cloned().collect(),
            None => vec![self.whole()],
        }
    }

    /// All of it, for who comes now.
    pub(super) fn whole(&self) -> Event {
        let Self { head, history, now, .. } = self;
        event(now.second, "snapshot", &Whole { head, history, now })
    }

    fn next(&self, point: Option<Point>) -> Event {
        event(self.now.second, "second", &Next { now: &self.now, point })
    }

    fn begin(&mut self, Begun { run, due, dir }: Begun) {
        let planned = (run.config.pacing == Pacing::Open).then(|| due.iter().sum());
        let pacing = match run.config.pacing {
            Pacing::Open => "open",
            Pacing::Closed => "closed",
        };
        let name = run.scenario.as_ref().map_or(&run.trace.file, |scenario| &scenario.name).clone();
        let now = Now {
            run: run.started.timestamp_millis(),
            state: State::Running,
            planned_s: run.config.duration_s.map(|end| end as u64),
            validity: Some(run.validity),
            ..Now::default()
        };
        *self = Self {
            dir,
            by_endpoint: run.endpoints.iter().map(|_| OfEndpoint::default()).collect(),
            head: Some(Head {
                name,
                profile: run.scenario.map(|scenario| scenario.profile),
                target: run.config.target,
                load: format!("{}, {pacing} pacing", run.config.axis),
                users: run.config.users,
                plateau: run.plateau,
                endpoints: run.endpoints,
                planned,
            }),
            now,
            phases: run.phases,
            due,
            ..Self::default()
        };
        self.rows(1.0);
    }

    fn second(&mut self, told: Second) -> Added {
        let Second { row, recorded, planned_s, validity, verdicts, failures, .. } = told;
        let Second { errors, observed, workers, is_stopping, .. } = told;
        if is_stopping {
            self.now.state = State::Stopping;
        }
        let mut second_responses = histogram();
        self.by_endpoint.iter_mut().for_each(|of| of.now = 0);
        for (tag, recorded) in recorded {
            self.add(tag, &recorded);
            if LatencyKind::RESPONSES.contains(&tag.kind) {
                recorded.add_to(&mut second_responses);
            }
        }
        self.by_endpoint.iter_mut().filter(|of| of.now > 0).for_each(|of| {
            of.times = Times::of(&of.responses);
        });
        self.outcomes += row.outcomes;
        for sample in errors {
            let key = (sample.endpoint.clone(), sample.error());
            self.samples.entry(key).or_insert(sample);
        }
        for sample in observed {
            let known = &mut self.now.observed;
            if known.len() < MOST_METRICS || known.contains_key(&sample.metric) {
                known.insert(sample.metric, sample.value);
            }
        }
        let second = row.second;
        let now = &mut self.now;
        now.second = Some(second);
        now.planned_s = planned_s.or(now.planned_s);
        let phase = self.phases.iter().find(|phase| phase.window.contains(second));
        now.phase = phase.map_or_else(|| "drain".to_owned(), |phase| phase.name.clone());
        now.validity = Some(validity);
        now.verdicts = verdicts;
        now.workers = workers;
        let length = usize::try_from(second).unwrap_or(usize::MAX).saturating_add(1);
        let is_open = !self.due.is_empty();
        now.planned = is_open.then(|| self.due.iter().take(length).sum());
        now.sent += row.sent;
        now.done += row.done();
        now.failed += row.failed();
        now.users = row.users;
        now.in_flight = row.in_flight;
        now.cpu_percent = row.generator_cpu_percent;
        now.rss_bytes = row.generator_rss_bytes;
        self.failures(&failures);
        self.rows((second + 1) as f64);
        let at = |percentile| value_at(&second_responses, percentile).map(|us| us as f64 / 1e3);
        self.history.add(Point {
            second,
            users: row.users,
            in_flight: row.in_flight,
            sent: row.sent as f64,
            done: row.done() as f64,
            failed: row.failed() as f64,
            p50: at(Percentile::P50),
            p95: at(Percentile::P95),
            p99: at(Percentile::P99),
            lag: row.lag_p99_us as f64 / 1e3,
            cpu: row.generator_cpu_percent,
        })
    }

    fn end(&mut self, ended: Ended) {
        let Ended { run, conclusion, reason, notes, recorded, failures, dir } = ended;
        self.dir = Some(dir);
        self.by_endpoint.iter_mut().for_each(|of| *of = OfEndpoint::default());
        self.all = Sums::default();
        for (tag, recorded) in recorded {
            self.add(tag, &recorded);
        }
        for of in &mut self.by_endpoint {
            of.times = Times::of(&of.responses);
            of.now = 0;
        }
        let Run { totals, validity, verdicts, marks, elapsed_s, .. } = run;
        self.outcomes = totals.outcomes;
        let now = &mut self.now;
        now.state = State::Ended;
        now.conclusion = Some(conclusion);
        (now.reason, now.notes) = (reason, notes);
        now.validity = Some(validity);
        now.verdicts = verdicts;
        now.planned = Some(totals.planned);
        now.sent = totals.planned_sent;
        now.done = totals.outcomes.sum();
        now.failed = totals.failed_status + totals.outcomes.not_completed();
        now.marks = marks;
        self.failures(&failures);
        self.rows(elapsed_s);
    }

    fn add(&mut self, tag: run_log::format::Tag, recorded: &figures::Recorded) {
        let Scope::Endpoint(index) = tag.scope else { return };
        let Some(of) = self.by_endpoint.get_mut(index) else { return };
        if tag.kind == LatencyKind::Lag {
            recorded.add_to(&mut self.all.lag);
            return;
        }
        of.requests += recorded.count();
        of.now += recorded.count();
        if tag.kind != LatencyKind::ResponseOk {
            of.failed += recorded.count();
        }
        if LatencyKind::RESPONSES.contains(&tag.kind) {
            recorded.add_to(&mut of.responses);
            recorded.add_to(&mut self.all.responses);
        }
    }

    /// Puts what endpoints add up to into what is sent.
    fn rows(&mut self, elapsed_s: f64) {
        let elapsed_s = elapsed_s.max(f64::MIN_POSITIVE);
        let row = |of: &OfEndpoint| Row {
            requests: of.requests,
            failed: of.failed,
            rate: of.requests as f64 / elapsed_s,
            now: of.now,
            times: of.times,
        };
        self.now.endpoints = self.by_endpoint.iter().map(row).collect();
        self.now.latency = Times::of(&self.all.responses);
        self.now.lag = Times::of(&self.all.lag);
    }

    fn failures(&mut self, told: &[Failure]) {
        let endpoints = self.head.as_ref().map_or(&[][..], |head| &head.endpoints);
        let mut shown: Vec<Shown> = told
            .iter()
            .filter_map(|Failure { endpoint, error, of_it }| {
                let endpoint = endpoints.get(*endpoint)?.clone();
                let sample = self.samples.get(&(endpoint.clone(), error.clone())).cloned();
                Some(Shown {
                    endpoint,
                    error: error.clone(),
                    count: Some(of_it.count),
                    first: of_it.seconds.as_ref().map(|seconds| *seconds.start()),
                    last: of_it.seconds.as_ref().map(|seconds| *seconds.end()),
                    sample,
                })
            })
            .collect();
        if told.is_empty() {
            shown.extend(self.samples.iter().map(|((endpoint, error), sample)| Shown {
                endpoint: endpoint.clone(),
                error: error.clone(),
                count: None,
                first: Some(sample.second),
                last: None,
                sample: Some(sample.clone()),
            }));
        }
        self.now.failures = shown;
    }

    pub(super) fn endpoints(&self) -> impl Iterator<Item = (&str, &OfEndpoint)> {
        let names = self.head.iter().flat_map(|head| &head.endpoints);
        names.map(String::as_str).zip(&self.by_endpoint)
    }

    pub(super) fn target(&self) -> Option<(&str, &str)> {
        self.head.as_ref().map(|head| (head.name.as_str(), head.target.as_str()))
    }

    pub(super) fn is_valid(&self) -> bool {
        self.now.validity.as_ref().is_none_or(|of| of.state == ValidityState::Valid)
    }
}

fn event(second: Option<u64>, name: &str, data: &impl Serialize) -> Event {
    let id = second.map_or_else(String::new, |second| format!("id: {second}\n"));
    // Numbers and strings: nothing that JSON lacks, and no line end outside of a string.
    let data = serde_json::to_string(data).unwrap_or_default();
    Event { second, text: format!("{id}event: {name}\ndata: {data}\n\n").into() }
}
