//! `recorder personas`.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use common::exit::Exit;
use common::target::Typed;
use common_net::signals::Shutdown;
use manifest::format::Manifest;
use rewrites::Rewrites;
use serde::Serialize;

use super::files::new_recording;
use super::output::{print, print_json};
use super::progress::Progress;
use super::table::{row, table};
use crate::Error;
use crate::persona::{
    Config, PersonaTotals, Personas, RecordError, Recording, Target, TaskEnds, record,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  recorder personas --personas fixtures/personas/vigilia.toml --manifest .local/manifest.json \\
    --target http://127.0.0.1:8080 --users 60 --duration 20s --out vigilia.trace.jsonl.zst
  recorder inspect vigilia.trace.jsonl.zst")]
pub(super) struct Args {
    /// Who there is and what they do
    #[arg(long, value_name = "FILE")]
    personas: PathBuf,

    /// Whose accounts they take, as `seeder apply` wrote it
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,

    /// What is recorded, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    target: Typed<Target>,

    /// How many there are at once, shared among the personas by weight
    #[arg(long, value_name = "N")]
    users: NonZeroU32,

    /// How long, from the start of the first user
    #[arg(long, value_name = "TIME", required_unless_present = "max_requests")]
    duration: Option<humantime::Duration>,

    /// End when so many requests were sent, if the duration has not ended it before
    #[arg(long, value_name = "N")]
    max_requests: Option<NonZeroU64>,

    /// What to send in the place of what the personas file says, as a file of rewrites
    #[arg(long, value_name = "FILE")]
    rewrites: Option<PathBuf>,

    /// The trace; compressed if it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// The same seed makes the same decisions and payloads
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// How many users start a second
    #[arg(long, value_name = "RATE", default_value = "10/s")]
    spawn_rate: SpawnRate,

    /// A host beside loopback that may be loaded; can be given more than once
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,

    /// Go on where more than 20 % of a persona's requests fail
    #[arg(long)]
    allow_failures: bool,

    /// Replace the trace, and the journal of a recording that was not finished
    #[arg(long)]
    force: bool,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// `10/s` or `10`.
#[derive(Clone, Copy, Debug)]
struct SpawnRate(f64);

impl FromStr for SpawnRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix("/s").unwrap_or(text);
        match number.parse() {
            Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(Self(rate)),
            _ => Err("expected users a second, such as 10/s".to_owned()),
        }
    }
}

/// Printed at the end.
#[derive(Debug, Serialize)]
struct Summary {
    trace: PathBuf,
    digest: String,
    requests: u64,
    sessions: u64,
    failures: u64,
    seconds: f64,
    personas: Vec<PersonaSummary>,
    /// Tasks that did not always come to their end.
    tasks: Vec<TaskEnds>,
    /// What is to be known before this is replayed.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PersonaSummary {
    name: String,
    users: u64,
    accounts: u64,
    requests: u64,
    failures: u64,
}

impl Args {
    pub(super) async fn run(self, listen: impl FnOnce() -> Shutdown) -> Result<Exit, Error> {
        let json = self.json;
        let config = self.resolve()?;
        let progress = Box::new(Progress::new(config.duration, config.max_requests));
        let summary = Summary::from(record(config, listen(), progress).await?);
        if json { print_json(&summary) } else { print(&summary.text()) }?;
        Ok(Exit::Good)
    }

    /// Reads and checks all that can be checked before the first request.
    fn resolve(self) -> Result<Config, Error> {
        let target = self.target.value("--target")?;
        let personas = Personas::read(&self.personas)?;
        let manifest = Manifest::read(&self.manifest)?;
        let rewrites = self.rewrites.as_deref().map(Rewrites::read).transpose()?;
        if let Some(rewrites) = rewrites.as_ref().filter(|rewrites| rewrites.answers()) {
            return Err(RecordError::Answers { file: rewrites.file().to_owned() }.into());
        }
        new_recording(&self.out, self.force)?;
        Ok(Config {
            personas,
            manifest,
            target,
            allowed_hosts: self.allow_host,
            users: self.users.get(),
            spawn_rate: self.spawn_rate.0,
            duration: self.duration.map(Into::into),
            max_requests: self.max_requests,
            seed: self.seed,
            out: self.out,
            allow_failures: self.allow_failures,
            rewrites: rewrites.map(Arc::new),
        })
    }
}

impl From<Recording> for Summary {
    fn from(Recording { finished, totals, length, tasks, mostly }: Recording) -> Self {
        let failures = finished.failures.as_ref().map(ToString::to_string);
        let mostly = totals.personas.iter().zip(mostly).filter(|(of, _)| of.failures > 0);
        let mostly = mostly.map(|(of, mostly)| format!("failed of {}: mostly {mostly}", of.name));
        Self {
            tasks,
            warnings: failures.into_iter().chain(mostly).collect(),
            trace: finished.path,
            digest: finished.end.digest,
            requests: finished.end.requests,
            sessions: finished.end.sessions,
            failures: totals.failures,
            seconds: rounded(length),
            personas: totals.personas.into_iter().map(PersonaSummary::from).collect(),
        }
    }
}

fn rounded(length: Duration) -> f64 {
    (length.as_secs_f64() * 1000.0).round() / 1000.0
}

impl From<PersonaTotals> for PersonaSummary {
    fn from(totals: PersonaTotals) -> Self {
        let PersonaTotals { name, users, accounts, requests, failures } = totals;
        Self { name, users, accounts, requests, failures }
    }
}

impl Summary {
    fn text(&self) -> String {
        let mut rows = vec![row(["persona", "users", "accounts", "requests", "failed"])];
        rows.extend(self.personas.iter().map(|persona| {
            vec![
                persona.name.clone(),
                persona.users.to_string(),
                persona.accounts.to_string(),
                persona.requests.to_string(),
                persona.failures.to_string(),
            ]
        }));
        let tasks = self.tasks.iter().map(|task| format!("\n{task}"));
        let warnings = self.warnings.iter().map(|warning| format!("\n! {warning}"));
        let notes: String = tasks.chain(warnings).collect();
        format!(
            "{}: {} requests of {} sessions in {:.1} s, {} failed\n{}{notes}\n{}",
            self.trace.display(),
            self.requests,
            self.sessions,
            self.seconds,
            self.failures,
            table(&rows),
            self.digest,
        )
    }
}
