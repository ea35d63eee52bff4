//! Run directories made from a few numbers, by the replayer's own writer.
//!
//! What they hold adds up as a real run's does: every planned request has one
//! outcome, the log and the timeline count the same requests, and the target
//! counted what was sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeZone, Utc};
use figures::stats::{self, Figures};
use hdrhistogram::Histogram;
use run_log::format::*;
use run_log::outcome::{Outcome, Outcomes};
use run_log::stats::{StatsHistoryRow, StatsRow};
use run_log::timeline::Second;
use run_log::writer::RunWriter;
use scenario::Scenario;

const ENDPOINTS: [&str; 4] =
    ["POST /auth/login", "GET /incidents/active", "GET /alerts/pending", "POST /alerts/ingest"];
const PERSONAS: [&str; 2] = ["ERIOPDispatcher", "AlertIngestion"];
const RAMP_S: u64 = 2;

/// What a run is like; the defaults are a quiet one that is valid.
#[derive(Clone)]
pub(crate) struct Synthetic {
    pub(crate) scenario: PathBuf,
    pub(crate) profile: Profile,
    pub(crate) users: u64,
    pub(crate) seconds: u64,
    /// Alerts a second with all users there; half as many of each of the others.
    pub(crate) alerts_per_s: u64,
    /// Response time around which all vary by half, with all users there.
    pub(crate) response_us: u64,
    /// One request of so many is answered 503.
    pub(crate) one_fails_of: Option<u64>,
    /// One request of so many times out.
    pub(crate) one_times_out_of: Option<u64>,
    /// Users that are added every five seconds.
    pub(crate) step: u64,
    /// With so many users most is done, by the universal scalability law; 0 is no such law.
    pub(crate) most_with: u64,
    /// With so many users, one request of three is answered 503.
    pub(crate) fails_with: u64,
    /// The condition to stop, where it is not the scenario's.
    pub(crate) stop_on: Option<&'static str>,
    /// Seconds behind the load, with the users of the first step, of at most that many; 0 is none.
    pub(crate) recovery_s: u64,
    pub(crate) recovery_bound_s: u64,
    /// For so many of them every answer is 503, or there is none.
    pub(crate) unwell_s: u64,
    pub(crate) is_dead: bool,
    pub(crate) validity: ValidityState,
    pub(crate) state: State,
    pub(crate) ended_by: Option<EndedBy>,
    /// What was run otherwise than the scenario has it.
    pub(crate) changed: Vec<String>,
    /// How many, where that is not the scenario's: as `run.json` has it.
    pub(crate) axis: Option<String>,
    /// Of a hundred planned requests, those that became ready, by open pacing.
    pub(crate) held_percent: u64,
    /// Of all answers, one of so many has the recorded status and is a failure.
    pub(crate) one_as_bad_of: Option<u64>,
    /// Of a response time, the part that is waiting for a connection, in percent.
    pub(crate) queued_percent: u64,
    /// What earlier answers hold each request up.
    pub(crate) delay_us: Option<u64>,
    /// From this second on a response takes ten times as long.
    pub(crate) slow_from: Option<u64>,
    pub(crate) hour: u32,
}

impl Synthetic {
    pub(crate) fn of(scenario: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reporter/tests/golden/scenarios");
        Self {
            scenario: root.join(format!("{scenario}.toml")),
            profile: Profile::Full,
            users: 20,
            seconds: 7,
            alerts_per_s: 20,
            response_us: 8_000,
            one_fails_of: None,
            one_times_out_of: None,
            step: 0,
            most_with: 0,
            fails_with: u64::MAX,
            stop_on: None,
            recovery_s: 0,
            recovery_bound_s: 60,
            unwell_s: 0,
            is_dead: false,
            validity: ValidityState::Valid,
            state: State::Finished,
            ended_by: Some(EndedBy::Duration),
            changed: Vec::new(),
            axis: None,
            held_percent: 100,
            one_as_bad_of: None,
            queued_percent: 5,
            delay_us: None,
            slow_from: None,
            hour: 9,
        }
    }

    /// All but the drain.
    fn all_seconds(&self) -> u64 {
        self.seconds + self.recovery_s
    }

    /// Writes the run into a folder of its own below `runs`; says where.
    pub(crate) fn write(&self, runs: &Path) -> PathBuf {
        let name = self.scenario.file_stem().unwrap().to_string_lossy().into_owned();
        let dir = runs.join(name);
        let mut made = Making::new(self);
        let mut writer = RunWriter::create(&dir, true, &made.run).unwrap();
        for second in 0..self.all_seconds() + 1 {
            let (row, histograms) = made.second(second);
            let history = history(&made, &row);
            let tagged = histograms.iter().map(|(tag, histogram)| (*tag, histogram));
            writer.second(&row, tagged, &history).unwrap();
        }
        writer.errors(&made.errors).unwrap();
        writer.target(&made.samples).unwrap();
        made.finish();
        if self.state == State::Running {
            // Killed: whatever is written at the end is missing.
            writer.run(&made.run).unwrap();
        } else {
            let (stats, failures, fidelity) = made.tables();
            writer.finish(&made.run, &stats, &failures, &fidelity).unwrap();
        }
        dir
    }
}

/// A run while it is made.
struct Making<'a> {
    of: &'a Synthetic,
    run: Run,
    whole: BTreeMap<Tag, Histogram<u64>>,
    samples: Vec<TargetSample>,
    errors: Vec<ErrorSample>,
    sent: u64,
    number: u64,
}

impl<'a> Making<'a> {
    fn new(of: &'a Synthetic) -> Self {
        let scenario = Scenario::read(&of.scenario).unwrap();
        let mut run = Self {
            run: run(of, &scenario),
            of,
            whole: BTreeMap::new(),
            samples: Vec::new(),
            errors: Vec::new(),
            sent: 0,
            number: 0,
        };
        run.sample(0, 0);
        run
    }

    fn users_at(&self, second: u64) -> u64 {
        if self.of.recovery_s > 0 && second >= self.of.seconds {
            return self.of.users;
        }
        let all = self.of.users + self.of.step * (second / 5);
        let ramp = if self.of.step == 0 { RAMP_S } else { 1 };
        (all * (second + 1).min(ramp) / ramp).min(all)
    }

    fn second(&mut self, second: u64) -> (Second, Vec<(Tag, Histogram<u64>)>) {
        let mut histograms: BTreeMap<Tag, Histogram<u64>> = BTreeMap::new();
        let is_drain = second == self.of.all_seconds();
        let users = self.users_at(second);
        let mut row = Second {
            second,
            users: if is_drain { 0 } else { users },
            in_flight: users / 4,
            queued: users / 20,
            lag_p50_us: 40,
            lag_p99_us: 210,
            lag_max_us: 900,
            generator_cpu_percent: 12.5 + second as f64,
            generator_rss_bytes: (30 << 20) + second * 100_000,
            ..Second::default()
        };
        for endpoint in 0..ENDPOINTS.len() {
            for _ in 0..self.requests(endpoint, second, users) {
                self.request(endpoint, users, &mut row, &mut histograms);
            }
        }
        row.sent = row.ready;
        self.sent += row.sent;
        self.sample(second + 1, users);
        (row, histograms.into_iter().collect())
    }

    fn requests(&self, endpoint: usize, second: u64, users: u64) -> u64 {
        let mut alerts = self.of.alerts_per_s * users / self.of.users;
        if self.of.most_with > 0 {
            alerts = alerts * 1000 / (1000 + 1000 * users * users / self.of.most_with.pow(2));
        }
        match (endpoint, second == self.of.all_seconds()) {
            (0, _) if second < RAMP_S => users / 2,
            (0, _) => 0,
            // The drain: what was in flight comes home.
            (_, true) => 1,
            (3, _) => alerts,
            _ => alerts / 2,
        }
    }

    fn request(
        &mut self,
        endpoint: usize,
        users: u64,
        row: &mut Second,
        histograms: &mut BTreeMap<Tag, Histogram<u64>>,
    ) {
        self.number += 1;
        let crowd = (users * users / self.of.users / self.of.users).max(1);
        // From half to one and a half times, in an order without pattern.
        let factor = 50 + self.number * 37 % 101;
        let slower = if self.of.slow_from.is_some_and(|from| row.second >= from) { 10 } else { 1 };
        let response = self.of.response_us * slower * crowd * (endpoint as u64 + 1) * factor / 100;
        let due = |of: Option<u64>| of.is_some_and(|of| self.number.is_multiple_of(of));
        let fails = due(self.of.one_fails_of) || due((users >= self.of.fails_with).then_some(3));
        let without_load = self.of.seconds..self.of.all_seconds();
        let is_unwell = without_load.contains(&row.second)
            && row.second < self.of.seconds.saturating_add(self.of.unwell_s);
        let times_out = due(self.of.one_times_out_of) || is_unwell && self.of.is_dead;
        let kind = match (times_out, fails || is_unwell) {
            (true, _) => LatencyKind::Censored,
            (_, true) => LatencyKind::ResponseFailed,
            _ => LatencyKind::ResponseOk,
        };
        let elapsed = if kind == LatencyKind::Censored { 60_000_000 } else { response };
        row.ready += 1;
        row.bytes_sent += 300;
        match kind {
            LatencyKind::Censored => row.outcomes[Outcome::TimedOut] += 1,
            LatencyKind::ResponseFailed => {
                row.outcomes[Outcome::Completed] += 1;
                row.failed_status += 1;
                row.status_5xx += 1;
                row.bytes_received += 120;
            }
            _ => {
                row.outcomes[Outcome::Completed] += 1;
                row.status_2xx += 1;
                row.bytes_received += 900;
            }
        }
        if kind == LatencyKind::ResponseFailed && self.errors.len() < 3 {
            self.errors.push(ErrorSample {
                second: row.second,
                endpoint: ENDPOINTS[endpoint].to_owned(),
                persona: PERSONAS[persona_of(endpoint)].to_owned(),
                outcome: "completed".to_owned(),
                status: Some(503),
                body: Some("{\"detail\":\"busy | later\"}".to_owned()),
                check: None,
                lacks: None,
            });
        }
        let mut record = |kind, value: u64| {
            for scope in [Scope::Endpoint(endpoint), Scope::Persona(persona_of(endpoint))] {
                for histograms in [&mut *histograms, &mut self.whole] {
                    let tag = Tag { scope, kind };
                    let histogram = histograms.entry(tag).or_insert_with(empty);
                    histogram.record(value).unwrap();
                }
            }
        };
        record(kind, elapsed);
        if kind != LatencyKind::Censored {
            record(LatencyKind::Service, response * 9 / 10);
        }
        record(LatencyKind::Queue, response * self.of.queued_percent / 100);
        record(LatencyKind::SessionDelay, self.of.delay_us.unwrap_or(response / 10));
        record(LatencyKind::Lag, 30 + self.number % 20);
    }

    fn sample(&mut self, second: u64, users: u64) {
        let samples = [
            ("target.requests_total", (1_000 + self.sent) as f64),
            ("target.cpu_percent", 20.0 + users as f64 / 2.0),
            ("target.rss_bytes", 41_943_040.0 + users as f64 * 4096.0),
            ("postgres.connections.active", (users / 10) as f64),
            ("postgres.connections.idle", 8.0),
        ];
        self.samples.extend(samples.map(|(metric, value)| TargetSample {
            second,
            metric: metric.to_owned(),
            value,
        }));
    }

    fn of_kind(&self, kind: LatencyKind) -> u64 {
        let of_endpoints = |tag: &Tag| matches!(tag.scope, Scope::Endpoint(_));
        let tags = self.whole.iter().filter(|(tag, _)| of_endpoints(tag) && tag.kind == kind);
        tags.map(|(_, histogram)| histogram.len()).sum()
    }

    fn finish(&mut self) {
        let (ok, failed) =
            (self.of_kind(LatencyKind::ResponseOk), self.of_kind(LatencyKind::ResponseFailed));
        let timed_out = self.of_kind(LatencyKind::Censored);
        let run = &mut self.run;
        run.state = self.of.state;
        run.ended_by =
            (self.of.state == State::Finished).then(|| self.of.ended_by.clone()).flatten();
        run.elapsed_s = self.of.all_seconds() as f64 + 0.4;
        let outcomes = [(Outcome::Completed, ok + failed), (Outcome::TimedOut, timed_out)];
        run.totals = Totals {
            planned: self.sent,
            outcomes: Outcomes::from_iter(outcomes),
            planned_sent: self.sent,
            failed_status: failed,
            bytes_sent: self.sent * 300,
            bytes_received: ok * 900 + failed * 120,
            connections_opened: self.of.users,
            ..Totals::default()
        };
        let same_failures = self.of.one_as_bad_of.map_or(0, |of| (ok + failed) / of);
        run.fidelity = Fidelity {
            compared: ok + failed,
            same_status: ok,
            same_failures,
            ..Fidelity::default()
        };
        if run.config.pacing == Pacing::Open {
            let (planned, percent) = (self.sent, self.of.held_percent);
            run.load_held = Some(LoadHeld { planned, ready: planned * percent / 100 });
        }
        run.minor = MINOR_OF_ALL;
    }

    fn tables(&self) -> (Vec<StatsRow>, Vec<FailureRow>, Vec<FidelityRow>) {
        let (mut rows, mut failures, mut fidelity) = (Vec::new(), Vec::new(), Vec::new());
        for (index, name) in ENDPOINTS.iter().enumerate() {
            let of = |kind| {
                let tag = Tag { scope: Scope::Endpoint(index), kind };
                self.whole.get(&tag).cloned().unwrap_or_else(empty)
            };
            let [ok, failed, censored] =
                [LatencyKind::ResponseOk, LatencyKind::ResponseFailed, LatencyKind::Censored]
                    .map(|kind| of(kind).len());
            let (method, path) = name.split_once(' ').unwrap();
            for (error, occurrences) in [("HTTP 503", failed), ("timed-out", censored)] {
                if occurrences > 0 {
                    failures.push(FailureRow {
                        method: method.to_owned(),
                        name: path.to_owned(),
                        error: error.to_owned(),
                        occurrences,
                        first_second: Some(0),
                        last_second: Some(self.of.all_seconds() - 1),
                    });
                }
            }
            let mut latency = of(LatencyKind::ResponseOk);
            latency.add(of(LatencyKind::ResponseFailed)).unwrap();
            latency.add(of(LatencyKind::Censored)).unwrap();
            rows.push(stats::row(&Figures {
                name,
                requests: ok + failed + censored,
                failures: failed + censored,
                completed: ok + failed,
                body_bytes: ok * 900 + failed * 120,
                elapsed_s: self.run.elapsed_s,
                latency: &latency,
            }));
            fidelity.push(FidelityRow {
                endpoint: (*name).to_owned(),
                compared: ok + failed,
                same_status: ok,
                shapes_compared: 0,
                same_status_and_shape: 0,
            });
        }
        (rows, failures, fidelity)
    }
}

fn persona_of(endpoint: usize) -> usize {
    usize::from(endpoint == 3)
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS).unwrap()
}

fn history(made: &Making<'_>, row: &Second) -> StatsHistoryRow {
    StatsHistoryRow {
        timestamp: made.run.started.timestamp() + row.second as i64,
        users: row.users,
        method: String::new(),
        name: "Aggregated".to_owned(),
        requests_per_s: row.done() as f64,
        failures_per_s: row.failed() as f64,
        p50_ms: 0.0,
        p95_ms: 0.0,
        p99_ms: 0.0,
        p100_ms: 0.0,
        total_requests: made.sent,
        total_failures: 0,
    }
}

fn started(hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 14, hour, 26, 53).unwrap()
}

fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// A step every five seconds, all users of which are there at once.
fn phases(of: &Synthetic) -> Vec<Phase> {
    let phase = |name: String, start_s, end_s: u64, users| {
        let window = Window::new(start_s, end_s.min(of.seconds) as f64);
        Phase { name, window, users, load_held: None }
    };
    let step = |number: u64| {
        let begins = (5 * number).max(RAMP_S);
        let name = format!("step {}", number + 1);
        phase(name, begins, 5 * number + 5, of.users + of.step * number)
    };
    let steps = (0..of.seconds.div_ceil(5)).map(step);
    match of.step {
        0 => Vec::new(),
        _ => {
            let ramp = phase("ramp".to_owned(), 0, RAMP_S, of.users);
            let window = Window::new(of.seconds, of.all_seconds() as f64);
            let recovery = Phase { window, ..phase("recovery".to_owned(), 0, 0, of.users) };
            let recovery = (of.recovery_s > 0).then_some(recovery);
            std::iter::once(ramp).chain(steps).chain(recovery).collect()
        }
    }
}

fn run(of: &Synthetic, scenario: &Scenario) -> Run {
    let load = match of.profile {
        Profile::Full => &scenario.full,
        Profile::Quick => &scenario.quick,
    };
    let most = of.users + of.step * ((of.seconds - 1) / 5);
    Run {
        format: FORMAT.to_owned(),
        version: VERSION,
        minor: 0,
        tool: "replayer 0.1.0".to_owned(),
        state: State::Running,
        started: started(of.hour),
        elapsed_s: 0.0,
        ended_by: None,
        scenario: Some(ScenarioRef {
            name: scenario.name.clone(),
            digest: scenario.digest.clone(),
            profile: of.profile,
            changed: of.changed.clone(),
        }),
        config: Config {
            target: "http://127.0.0.1:8080".to_owned(),
            target_is_local: true,
            pacing: match load.pacing {
                scenario::Pacing::Open => Pacing::Open,
                scenario::Pacing::Closed => Pacing::Closed,
            },
            independent: load.order == scenario::Order::None,
            speed: 1.0,
            axis: of.axis.clone().unwrap_or_else(|| load.axis.to_string()),
            users: most,
            spawn_rate_per_s: load.spawn_rate.map_or(0.0, scenario::Rate::per_second),
            duration_s: load.duration.map(|duration| duration.as_secs_f64()),
            warmup_s: 0.0,
            max_requests: None,
            stop_on: of.stop_on.map(str::to_owned),
            recovery_s: (of.recovery_s > 0).then_some(of.recovery_bound_s as f64),
            threads: 2,
            seed: 7,
            connect_timeout_s: 5.0,
            request_timeout_s: 60.0,
            grace_s: 10.0,
            insecure_tls: false,
        },
        trace: TraceRef {
            file: "vigilia.trace.jsonl.zst".to_owned(),
            digest: digest('7'),
            requests: 4_321,
            sessions: 60,
        },
        manifest: ManifestRef {
            digest: digest('a'),
            plan: "vigilia".to_owned(),
            plan_digest: digest('9'),
            seed: 42,
            scale: 1,
            bcrypt_costs: vec![4],
            rows: [("agencies", 1), ("users", 350), ("alerts", 100)]
                .map(|(table, rows)| (table.to_owned(), rows))
                .into(),
            database: "vigilia".to_owned(),
        },
        labels: BTreeMap::new(),
        shard: None,
        host: Host {
            os: "Debian GNU/Linux 12".to_owned(),
            kernel: "6.1.0".to_owned(),
            cpu: "A processor".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
        },
        plateau: Window::new(RAMP_S, of.seconds as f64),
        phases: phases(of),
        load_held: None,
        endpoints: ENDPOINTS.map(str::to_owned).to_vec(),
        personas: PERSONAS
            .iter()
            .map(|name| PersonaRun {
                name: (*name).to_owned(),
                users: most / 2,
                accounts: 5,
                users_per_account: (most / 2).div_ceil(5),
            })
            .collect(),
        totals: Totals::default(),
        lag: Lag { p50_us: 40, p99_us: 48, max_us: 900 },
        validity: Validity {
            state: of.validity,
            reasons: match of.validity {
                ValidityState::Valid => Vec::new(),
                _ => vec![
                    "p95 is 661.0 ms, and 21.0 ms without the generator's own delays".to_owned(),
                ],
            },
        },
        audit: None,
        fidelity: Fidelity::default(),
        recovery: None,
        rewrites: Vec::new(),
        workers: Vec::new(),
        marks: Vec::new(),
        limitations: vec!["generator and target share the same processors".to_owned()],
        verdicts: Vec::new(),
    }
}
