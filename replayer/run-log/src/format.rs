//! The run directory, version 1: its files and their types.
//!
//! | file | content |
//! | --- | --- |
//! | `run.json` | [`Run`]: state, configuration, digests, validity, totals |
//! | `latency.hlog` | `HdrHistogram` interval log (V2), a histogram a second and tag |
//! | `timeline.csv` | [`Second`](crate::timeline::Second): a row a second |
//! | `stats.csv`, `stats_history.csv` | Locust's columns |
//! | `failures.csv` | [`FailureRow`]: Locust's columns, and from when to when |
//! | `errors.jsonl` | [`ErrorSample`]: the first few failing answers an endpoint |
//! | `fidelity.csv` | [`FidelityRow`]: an endpoint's answers against the recorded ones |
//! | `target.csv` | [`TargetSample`]: target and database on the same clock |
//! | `marks.csv` | [`MarkRow`](crate::audit::MarkRow): of a run with an audit, a row an audited request |
//! | `audit.csv` | [`AuditRow`](crate::audit::AuditRow): each of its findings |
//!
//! Intervals of the log and rows of the timeline are the same seconds: second
//! `n` is `[n, n+1)` of the monotonic clock from the start of the run, and a
//! request belongs to the second in which it ended.
//!
//! A later minor version may have more of everything that [`Run::minor`] tells of: files,
//! fields, columns, metrics, outcomes, tags of the log, and values of the enums here. A
//! reader passes over what it does not know, and takes an unknown value for the one that
//! claims least: a state for running, a validity for invalid, a judgement for none, a
//! profile for quick. How requests were paced is what the figures mean: another
//! [`Pacing`] is another major version.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::audit::Audit;
use crate::count::count;
use crate::outcome::{Outcome, Outcomes};
use crate::recovery::Recovery;

pub const FORMAT: &str = "replay-run";
/// Major version: a reader refuses any other.
pub const VERSION: u32 = 1;
/// The latest minor version of which this tool knows everything.
pub const MINOR: u32 = 6;
/// What every run has is of this minor at most; one with [`Run::marks`] or [`Run::workers`] is of 6.
pub const MINOR_OF_ALL: u32 = 5;

pub const RUN_JSON: &str = "run.json";
pub const LATENCY_HLOG: &str = "latency.hlog";
pub const TIMELINE_CSV: &str = "timeline.csv";
pub const STATS_CSV: &str = "stats.csv";
pub const STATS_HISTORY_CSV: &str = "stats_history.csv";
pub const FAILURES_CSV: &str = "failures.csv";
pub const ERRORS_JSONL: &str = "errors.jsonl";
pub const FIDELITY_CSV: &str = "fidelity.csv";
pub const TARGET_CSV: &str = "target.csv";
pub const MARKS_CSV: &str = "marks.csv";
pub const AUDIT_CSV: &str = "audit.csv";

/// Histograms hold microseconds from 1 µs to 1 h with this many digits.
pub const SIGNIFICANT_DIGITS: u8 = 3;
pub const LOWEST_US: u64 = 1;
pub const HIGHEST_US: u64 = 3_600_000_000;

/// Endpoints with histograms of their own; all further ones share "other".
pub const MAX_ENDPOINTS: usize = 200;
/// The most personas of a run; a trace with more is not replayed.
pub const MAX_PERSONAS: usize = 1000;

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub format: String,
    pub version: u32,
    /// Counts the additions since the first of this major version, all of which a reader of
    /// an earlier one may pass over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minor: u32,
    /// Name and version of the writer, such as `replayer 0.1.0`.
    pub tool: String,
    pub state: State,
    /// Wall clock at second 0.
    pub started: DateTime<Utc>,
    /// Length so far, drain included, in seconds of the monotonic clock.
    pub elapsed_s: f64,
    pub ended_by: Option<EndedBy>,
    pub scenario: Option<ScenarioRef>,
    pub config: Config,
    pub trace: TraceRef,
    pub manifest: ManifestRef,
    pub labels: BTreeMap<String, String>,
    /// Which part of the plan this is, where several generators share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    pub host: Host,
    /// What is judged: seconds `[start_s, end_s)` for rates, a last one that is short by its
    /// length (minor 1); for counts and latencies everything that ended from `start_s` on, the
    /// recovery and the drain included.
    pub plateau: Window,
    /// What its seconds are, in order; after the last of them it drains. Unknown, and empty, before
    /// minor 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// By open pacing, how much of the plateau's load the target let through. Not known while the
    /// run goes on, nor in minor 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_held: Option<LoadHeld>,
    /// Index `n` is tag `en`; the last may be "other".
    pub endpoints: Vec<String>,
    /// Index `n` is tag `pn`.
    pub personas: Vec<PersonaRun>,
    pub totals: Totals,
    pub lag: Lag,
    pub validity: Validity,
    pub fidelity: Fidelity,
    /// What became of the target once the load was taken away. Unknown before minor 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// What was answered beside what is in the target's database. Unknown before minor 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// What was sent in the place of what was recorded. Unknown, and empty, before minor 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<RewriteRef>,
    /// Who sent it, where that was a fleet. Unknown, and empty, before minor 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Worker>,
    /// What somebody noted while it went on, in their order. Unknown, and empty, before minor 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// What limits the meaning of the figures, in words for the report.
    pub limitations: Vec<String>,
    /// The scenario's expectations as judged on the plateau, in order.
    pub verdicts: Vec<Verdict>,
}

impl Run {
    /// Takes in what was noted while it went on.
    pub fn note(&mut self, marks: Vec<Mark>) {
        self.marks = marks;
        self.settle_minor();
    }

    /// Takes in who sent it.
    pub fn sent_by(&mut self, workers: Vec<Worker>) {
        self.workers = workers;
        self.settle_minor();
    }

    /// The lowest that has all that is in it.
    fn settle_minor(&mut self) {
        let is_of_all = self.marks.is_empty() && self.workers.is_empty();
        self.minor = if is_of_all { MINOR_OF_ALL } else { MINOR };
    }
}

/// A line across the charts, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    #[serde(deserialize_with = "count")]
    pub second: u64,
    pub label: String,
}

fn is_zero<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}

/// One of the machines of a fleet, and its clock beside that of the lead, by which all of them
/// began: as much as this one's was off, and not known better than the bound, its second 0 may lie
/// beside that of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its part of the plan, from 1.
    pub shard: u32,
    pub name: String,
    /// The lead's clock less this one's before the start, in microseconds.
    pub offset_us: i64,
    /// Half a round trip: the offset is as exact as this, in microseconds.
    pub bound_us: u64,
    /// By how much the offset had changed when it was last looked at, in microseconds.
    pub drift_us: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Finished,
    /// Being written, or its writer was killed.
    #[serde(other)]
    Running,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The planned duration passed.
    Duration,
    /// The plan had no further request.
    PlanDone,
    MaxRequests,
    /// The `--stop-on` condition, as written.
    StopOn(String),
    LoginsRefused,
    Signal(i32),
    /// Of a later minor version, as it is written there.
    #[serde(untagged)]
    Other(serde_json::Value),
}

impl EndedBy {
    /// Whether the plan was carried out to its end.
    pub const fn is_as_planned(&self) -> bool {
        matches!(self, Self::Duration | Self::PlanDone | Self::MaxRequests)
    }
}

/// Why a run ended, in words.
impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration => f.write_str("its duration was over"),
            Self::PlanDone => f.write_str("the plan had no further request"),
            Self::MaxRequests => f.write_str("it had sent as many requests as it was allowed"),
            Self::StopOn(condition) => write!(f, "`{condition}` held"),
            Self::LoginsRefused => f.write_str("the target refused too many logins"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Other(reason) => write!(f, "`{reason}`, which this version does not know"),
        }
    }
}

/// One of several parts of a plan that are replayed at once: `1/3` is the first of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub index: u32,
    pub of: u32,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a shard such as 1/3: a number from 1, and how many there are")]
pub struct ShardError(String);

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let error = || ShardError(text.to_owned());
        let (index, of) = text.split_once('/').ok_or_else(error)?;
        let shard = Self {
            index: index.parse().map_err(|_| error())?,
            of: of.parse().map_err(|_| error())?,
        };
        if (1..=shard.of).contains(&shard.index) { Ok(shard) } else { Err(error()) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioRef {
    pub name: String,
    /// `sha256:…` of the scenario file's bytes.
    pub digest: String,
    pub profile: Profile,
    /// What of its load was run otherwise, each such as `users 20 instead of users 1000`. Unknown,
    /// and empty, in minor 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    Full,
    /// Scaled down in users and length: shown, never judged.
    #[serde(other)]
    Quick,
}

/// When a request was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pacing {
    /// By the schedule, whatever the target did.
    Open,
    /// After the previous answer and the recorded think time.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// `http://127.0.0.1:8080`, without credentials.
    pub target: String,
    /// Whether generator and target are on the same machine.
    pub target_is_local: bool,
    pub pacing: Pacing,
    /// Whether each request stood for itself: the order within a session was not kept. Absent where
    /// it was; runs of minor 0 did not keep any.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub independent: bool,
    pub speed: f64,
    /// How many, in words: `users 1000`, `clones 3`, `rate AlertIngestion=1000/s`.
    pub axis: String,
    /// Peak number of users planned.
    pub users: u64,
    pub spawn_rate_per_s: f64,
    pub duration_s: Option<f64>,
    pub warmup_s: f64,
    /// The plan ends with this request, over all shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<u64>,
    /// The condition that ends it before its time, as it is written. Unknown before minor 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_on: Option<String>,
    /// For how long, at most, the users of the first step stay behind the load, until the target is
    /// what it was then. Unknown before minor 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_s: Option<f64>,
    pub threads: u32,
    pub seed: u64,
    pub connect_timeout_s: f64,
    pub request_timeout_s: f64,
    pub grace_s: f64,
    pub insecure_tls: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRef {
    /// File name without its folder.
    pub file: String,
    pub digest: String,
    pub requests: u64,
    pub sessions: u64,
}

/// A rule that changed requests before they were sent; they are under the names that they were
/// recorded by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteRef {
    /// Name of the file without its folder, and digest of its bytes.
    pub file: String,
    pub digest: String,
    /// What it does, in words.
    pub rule: String,
    /// What that means for the figures, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<String>,
    /// Requests of the trace that it was for; none where they were rewritten when they were
    /// recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRef {
    pub digest: String,
    pub plan: String,
    pub plan_digest: String,
    pub seed: u64,
    pub scale: u32,
    pub bcrypt_costs: Vec<u32>,
    pub rows: BTreeMap<String, u64>,
    pub database: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub os: String,
    pub kernel: String,
    pub cpu: String,
    pub cores: u32,
    pub memory_bytes: u64,
}

impl ManifestRef {
    /// Whether no manifest tells of the run's data.
    pub fn is_none(&self) -> bool {
        self.digest == Self::none().digest
    }

    /// Of a run on data that no manifest tells of.
    pub fn none() -> Self {
        Self {
            digest: "none".to_owned(),
            plan: "none".to_owned(),
            plan_digest: "none".to_owned(),
            seed: 0,
            scale: 0,
            bcrypt_costs: Vec::new(),
            rows: BTreeMap::new(),
            database: "unknown".to_owned(),
        }
    }
}

/// Seconds `[start_s, end_s)`, of which the last may be cut short by the end of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub start_s: u64,
    pub end_s: u64,
    /// How much of the last second lies past the end, in seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub short_s: f64,
}

impl Window {
    /// From a second on, up to a time in seconds.
    pub fn new(start_s: u64, end_s: f64) -> Self {
        let whole = end_s.max(0.0).ceil();
        // A float becomes the nearest whole number that there is.
        Self { start_s, end_s: whole as u64, short_s: whole - end_s.max(0.0) }
    }

    /// Where it ends, in seconds.
    pub fn end(self) -> f64 {
        self.end_s as f64 - self.short_s
    }

    /// Whether a second is one of them.
    pub fn contains(self, second: u64) -> bool {
        (self.start_s..self.end_s).contains(&second)
    }

    /// As much of it as lies before a time in seconds.
    #[must_use]
    pub fn until(self, end_s: f64) -> Self {
        if end_s < self.end() { Self::new(self.start_s, end_s) } else { self }
    }

    /// How much of a second lies in it, in seconds.
    pub fn length_of(self, second: u64) -> f64 {
        match second {
            _ if !self.contains(second) => 0.0,
            _ if second + 1 == self.end_s => 1.0 - self.short_s.clamp(0.0, 1.0),
            _ => 1.0,
        }
    }
}

/// A stretch of a run's time. Each second of the plan is in one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// `ramp`, `warm-up` and `plateau`; of a load in stages `step 1`, and from the second step on
    /// a `ramp 2` before it, in which its users start. Behind the plateau, `recovery`: the users of
    /// the first step alone are there (minor 4).
    pub name: String,
    #[serde(flatten)]
    pub window: Window,
    /// How many users the plan has at its end, over all shards.
    pub users: u64,
    /// By open pacing, how much of its load the target let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_held: Option<LoadHeld>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonaRun {
    pub name: String,
    /// Peak number of users.
    pub users: u64,
    pub accounts: u64,
    /// Most users that one account served.
    pub users_per_account: u64,
}

/// The whole run, ramp and drain included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// From an independent walk of the schedule.
    #[serde(deserialize_with = "count")]
    pub planned: u64,
    pub outcomes: Outcomes,
    /// Sent beside the plan, and what the target counts too.
    pub extra: Extra,
    /// Planned requests of which at least the first byte was sent.
    #[serde(deserialize_with = "count")]
    pub planned_sent: u64,
    /// Of the completed ones, those with a status that counts as failure.
    #[serde(deserialize_with = "count")]
    pub failed_status: u64,
    /// Of those cut off at the end, the ones that never became ready: they have no latency.
    /// Unknown, and 0, in minor 0.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "is_zero")]
    pub never_ready: u64,
    /// Of the unbound ones, those whose value was missing because the target had failed the
    /// request that would have given it. Unknown, and 0, in minor 0.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "is_zero")]
    pub unbound_by_target: u64,
    #[serde(deserialize_with = "count")]
    pub rebound: u64,
    #[serde(deserialize_with = "count")]
    pub bytes_sent: u64,
    #[serde(deserialize_with = "count")]
    pub bytes_received: u64,
    #[serde(deserialize_with = "count")]
    pub connections_opened: u64,
}

impl Totals {
    /// Planned requests that lacked a value through no fault of the target.
    pub fn unbound_by_tool(&self) -> u64 {
        self.outcomes[Outcome::Unbound].saturating_sub(self.unbound_by_target)
    }
}

/// Requests of the plateau.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadHeld {
    /// Due in its seconds, from an independent walk of the schedule.
    #[serde(deserialize_with = "count")]
    pub planned: u64,
    /// Became ready in its seconds, whatever came of them and whenever they were due; what is
    /// at most [`READY_SLACK`] later than due counts where it was due.
    #[serde(deserialize_with = "count")]
    pub ready: u64,
}

/// So much later than due, a request is none that was held back.
pub const READY_SLACK: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    #[serde(deserialize_with = "count")]
    pub renewals: u64,
    #[serde(deserialize_with = "count")]
    pub retries: u64,
    #[serde(deserialize_with = "count")]
    pub probes: u64,
    /// GET /metrics, to see the target's own figures. Unknown, and 0, before minor 2.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "is_zero")]
    pub observations: u64,
}

impl Extra {
    pub fn sum(&self) -> u64 {
        self.of_users() + self.observations
    }

    /// What was sent as users send it, and a target counts that leaves its observers out.
    pub fn of_users(&self) -> u64 {
        self.renewals + self.retries + self.probes
    }
}

/// The generator share ([`LatencyKind::Lag`]) over the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    pub state: ValidityState,
    /// Why it is not valid; empty when it is.
    pub reasons: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum ValidityState {
    Valid,
    Suspect,
    #[serde(other)]
    Invalid,
}

/// Answers against the recorded ones. Shapes are compared under `--verify` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fidelity {
    pub compared: u64,
    pub same_status: u64,
    pub shapes_compared: u64,
    pub same_status_and_shape: u64,
    /// Of those with the recorded status, the ones that are failures: fidelity turns no
    /// failure into a success. Unknown, and 0, in minor 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub same_failures: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// As the scenario wrote it, such as `p95 < 100ms`.
    pub expectation: String,
    pub result: Judgement,
    /// The measured figure with its unit, or why there is none.
    pub measured: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    Met,
    Missed,
    #[serde(other)]
    NotJudged,
}

/// A line of `errors.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorSample {
    pub second: u64,
    pub endpoint: String,
    pub persona: String,
    /// The outcome, such as `completed` or `timed-out`.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The first bytes of the answer, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The check that the answer missed, its status being that of a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// What an unbound request lacked, such as `/id of POST /alerts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
}

/// A row of `failures.csv`, in Locust's columns and two more: whole run, an endpoint and cause a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRow {
    #[serde(rename = "Method")]
    pub method: String,
    #[serde(rename = "Name")]
    pub name: String,
    /// The check that was missed, the status of a completed request, or another outcome:
    /// `check has data`, `HTTP 500`, `timed-out`.
    #[serde(rename = "Error")]
    pub error: String,
    #[serde(rename = "Occurrences", deserialize_with = "count")]
    pub occurrences: u64,
    /// The seconds in which the first and the last of them ended. Unknown before minor 5.
    #[serde(rename = "First Second", default)]
    pub first_second: Option<u64>,
    #[serde(rename = "Last Second", default)]
    pub last_second: Option<u64>,
}

impl ErrorSample {
    /// What went wrong, as [`FailureRow::error`] has it.
    pub fn error(&self) -> String {
        match (&self.check, self.status) {
            (Some(check), _) => FailureRow::missed_check(check),
            (None, Some(status)) => FailureRow::failed_status(status),
            (None, None) => self.outcome.clone(),
        }
    }
}

/// The name of an endpoint, from a table that has its method in a column of its own.
pub fn endpoint(method: &str, name: &str) -> String {
    if name.starts_with(method) { name.to_owned() } else { format!("{method} {name}") }
}

impl FailureRow {
    const STATUS: &str = "HTTP ";

    /// The error of answers that missed a check.
    pub fn missed_check(name: &str) -> String {
        format!("check {name}")
    }

    /// The error of answers that failed by their status.
    pub fn failed_status(status: u16) -> String {
        format!("{}{status}", Self::STATUS)
    }

    /// The endpoint's name.
    pub fn endpoint(&self) -> String {
        endpoint(&self.method, &self.name)
    }

    /// The status that [`failed_status`](Self::failed_status) wrote.
    pub fn status(&self) -> Option<u16> {
        self.error.strip_prefix(Self::STATUS)?.parse().ok()
    }
}

/// A row of `fidelity.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FidelityRow {
    pub endpoint: String,
    pub compared: u64,
    pub same_status: u64,
    pub shapes_compared: u64,
    pub same_status_and_shape: u64,
}

/// A row of `target.csv`: long format, so that new metrics need no new column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetSample {
    pub second: u64,
    /// Such as `target.cpu_percent`, `target.rss_bytes`,
    /// `target.requests_total`, `postgres.connections.active`.
    pub metric: String,
    pub value: f64,
}

/// What a tag of the interval log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Endpoint(usize),
    Persona(usize),
}

/// What a tagged histogram holds, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LatencyKind {
    /// Response time (done − ready) of completed requests that succeeded.
    ResponseOk,
    /// Response time of completed requests with a failure status.
    ResponseFailed,
    /// Time that requests had waited which were ready and got no answer
    /// ([`Outcome::is_censored`]): their response
    /// time is longer than this, by an unknown amount.
    Censored,
    /// Elapsed time of all other requests without an answer: reset, unbound, and those
    /// that never became ready. It is in no latency. With it, the first four kinds of
    /// an endpoint count every planned request of it that ended.
    Lost,
    /// Service time (done − first byte sent) of completed requests.
    Service,
    /// Waiting for a connection, connecting included.
    Queue,
    /// TCP and TLS of requests that opened a connection. The name is resolved once, before
    /// the run, and is in no request's time.
    Connect,
    /// ready − due.
    SessionDelay,
    /// Time since due (done − due) of completed requests that succeeded: response time and
    /// session delay together. From minor 1 on.
    SinceDue,
    /// The generator share: what of the time until a request ended was the generator's own
    /// doing. In minor 0, and only of requests whose user was idle, woken − ready.
    Lag,
    /// Response time less generator share of those that succeeded, and elapsed time less
    /// generator share of those that are censored. From minor 1 on.
    ResponseLessLag,
}

impl LatencyKind {
    /// Whether it is a response time of which percentiles are: of a success, or of what got no
    /// answer, at what that had waited.
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::ResponseOk | Self::Censored)
    }

    /// Response times of completed requests, failures among them, and how long those without an
    /// answer had waited.
    pub const RESPONSES: [Self; 3] = [Self::ResponseOk, Self::ResponseFailed, Self::Censored];

    pub const ALL: [Self; 11] = [
        Self::ResponseOk,
        Self::ResponseFailed,
        Self::Censored,
        Self::Lost,
        Self::Service,
        Self::Queue,
        Self::Connect,
        Self::SessionDelay,
        Self::SinceDue,
        Self::Lag,
        Self::ResponseLessLag,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::ResponseOk => "response",
            Self::ResponseFailed => "response_failed",
            Self::Censored => "censored",
            Self::Lost => "lost",
            Self::Service => "service",
            Self::Queue => "queue",
            Self::Connect => "connect",
            Self::SessionDelay => "session_delay",
            Self::SinceDue => "since_due",
            Self::Lag => "lag",
            Self::ResponseLessLag => "response_less_lag",
        }
    }
}

/// A tag of the interval log, such as `e3.response` or `p1.service`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    pub scope: Scope,
    pub kind: LatencyKind,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::Endpoint(index) => write!(f, "e{index}.{}", self.kind.name()),
            Scope::Persona(index) => write!(f, "p{index}.{}", self.kind.name()),
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    #[error("{0:?} is not a tag such as e3.response")]
    Malformed(String),
    /// As a later minor version may have.
    #[error("the tag {0:?} is of an unknown scope or kind")]
    Unknown(String),
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let malformed = || TagError::Malformed(text.to_owned());
        let unknown = || TagError::Unknown(text.to_owned());
        let (scope, name) = text.split_once('.').ok_or_else(malformed)?;
        let digits = scope.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let letters = &scope[..scope.len() - digits.len()];
        let index: usize = digits.parse().map_err(|_| malformed())?;
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        if letters.is_empty() || !digits.starts_with(|c: char| c.is_ascii_digit()) || !is_name(name)
        {
            return Err(malformed());
        }
        let scope = match letters {
            "e" => Scope::Endpoint(index),
            "p" => Scope::Persona(index),
            _ => return Err(unknown()),
        };
        let kind = LatencyKind::ALL.into_iter().find(|kind| kind.name() == name);
        Ok(Self { scope, kind: kind.ok_or_else(unknown)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_count_from_one() {
        for text in ["1/1", "1/3", "3/3"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in ["", "1", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/3/5"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn tags_read_back_as_written() {
        for kind in LatencyKind::ALL {
            for scope in [Scope::Endpoint(17), Scope::Persona(0)] {
                let tag = Tag { scope, kind };
                assert_eq!(tag.to_string().parse::<Tag>().unwrap(), tag);
            }
        }
        for text in ["", "e.response", "e1", "e1.", "1.lag", "e-1.lag", "e+1.lag", "e1.LAG"] {
            let error = text.parse::<Tag>().unwrap_err();
            assert_eq!(error, TagError::Malformed(text.to_owned()));
        }
        for text in ["x1.response", "e1.nothing", "group1.lag"] {
            let error = text.parse::<Tag>().unwrap_err();
            assert_eq!(error, TagError::Unknown(text.to_owned()));
        }
    }

    #[test]
    fn unknown_values_are_taken_for_those_that_claim_least() {
        fn of<T: serde::de::DeserializeOwned>(text: &str) -> T {
            serde_json::from_str(text).unwrap()
        }
        assert_eq!(of::<State>("\"paused\""), State::Running);
        assert_eq!(of::<Profile>("\"tiny\""), Profile::Quick);
        assert_eq!(of::<ValidityState>("\"DOUBTFUL\""), ValidityState::Invalid);
        assert_eq!(of::<Judgement>("\"nearly\""), Judgement::NotJudged);
        assert!(serde_json::from_str::<Pacing>("\"half-open\"").is_err());
        for state in [ValidityState::Valid, ValidityState::Suspect, ValidityState::Invalid] {
            assert_eq!(of::<ValidityState>(&serde_json::to_string(&state).unwrap()), state);
        }
    }

    #[test]
    fn a_run_without_marks_is_of_the_minor_that_suffices_and_one_with_them_reads_back() {
        let golden = include_str!("../../../fixtures/runs/01-baseline/run.json");
        let mut run: Run = serde_json::from_str(golden).unwrap();
        run.note(Vec::new());
        assert_eq!(run.minor, MINOR_OF_ALL);
        assert!(!serde_json::to_string(&run).unwrap().contains("\"marks\""));
        run.note(vec![Mark { second: 7, label: "deployed".to_owned() }]);
        assert_eq!(run.minor, MINOR);
        let text = serde_json::to_string(&run).unwrap();
        assert!(text.contains(r#""marks":[{"second":7,"label":"deployed"}]"#), "{text}");
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
    }

    #[test]
    fn the_last_second_of_a_window_counts_by_its_length() {
        let window = Window::new(2, 10.5);
        assert_eq!((window.end_s, window.short_s, window.end()), (11, 0.5, 10.5));
        assert_eq!(
            [1, 2, 9, 10, 11].map(|second| window.length_of(second)),
            [0.0, 1.0, 1.0, 0.5, 0.0]
        );
        assert_eq!(window.until(12.0), window);
        assert_eq!(window.until(10.0), Window { start_s: 2, end_s: 10, short_s: 0.0 });
        assert_eq!(window.until(-1.0).length_of(0), 0.0);
        let whole = serde_json::to_string(&Window::new(2, 10.0)).unwrap();
        assert_eq!(whole, r#"{"start_s":2,"end_s":10}"#, "as minor 0 has it");
        assert_eq!(serde_json::from_str::<Window>(&whole).unwrap(), Window::new(2, 10.0));
    }

    #[test]
    fn an_unknown_reason_to_end_stays_as_it_was_written() {
        for text in [r#""disk-full""#, r#"{"moved":{"to":[1,2]}}"#] {
            let ended_by: EndedBy = serde_json::from_str(text).unwrap();
            assert!(matches!(ended_by, EndedBy::Other(_)), "{ended_by:?}");
            assert_eq!(serde_json::to_string(&ended_by).unwrap(), text);
        }
        for ended_by in [EndedBy::PlanDone, EndedBy::StopOn("x".to_owned()), EndedBy::Signal(2)] {
            let text = serde_json::to_string(&ended_by).unwrap();
            assert_eq!(serde_json::from_str::<EndedBy>(&text).unwrap(), ended_by);
        }
    }
}
