//! `recorder import`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use common::exit::Exit;
use indicatif::ProgressBar;
use manifest::format::Manifest;
use serde::Serialize;

use super::bar::bar;
use super::files::new_recording;
use super::output::{print, print_json};
use crate::Error;
use crate::correlate::{Rules, SessionBy};
use crate::import::access_log::{self, FieldMap, Kind, Reading, Unit};
use crate::import::gor::Gor;
use crate::import::har::Har;
use crate::import::{self, Format, ImportError, Input, Remarks};
use crate::persona::{Personas, Prologue};
use trace::format::End;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What a browser exported: HAR 1.2, with or without bodies
    #[command(after_help = "\
Example:
  recorder import har shop.har --out shop.trace.jsonl.zst \\
    --manifest manifest.json

Have the browser export it with content, and with sensitive data where logins
are to be known; what is secret is left out of the trace either way.")]
    Har(HarArgs),
    /// What GoReplay captured: its .gor files, plain or gzipped
    #[command(after_help = "\
Example:
  recorder import gor requests_0.gor --out app.trace.jsonl.zst

Capture with --input-raw-track-response: without answers nothing can be bound.")]
    Gor(GorArgs),
    /// What a web server logged: nginx, Apache, Traefik, Caddy, Envoy, ingress-nginx, AWS load balancers, JSON lines
    #[command(after_help = "\
Examples:
  recorder import access-log access.log.gz --out site.trace.jsonl.zst
  zcat access.log.*.gz | recorder import access-log - --sort --out site.trace.jsonl.zst
  recorder import access-log timed.log --unit s --out site.trace.jsonl.zst
  recorder import access-log app.jsonl --map time=ts,path=request.uri \\
    --out site.trace.jsonl.zst
  recorder import access-log access.log --out site.trace.jsonl.zst \\
    --login ERIOPDispatcher --personas fixtures/personas/vigilia.toml \\
    --manifest manifest.json

A log has no bodies and no tokens. Sessions are told apart by address and user
agent; with --login each of them logs in first, as an account of the manifest.")]
    AccessLog(LogArgs),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The recording, plain or gzipped; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The trace; compressed if it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Take only requests to this host, such as shop.example or localhost:8080
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Whose logins are known, as `seeder apply` wrote it: sessions then have an account and a persona
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// What is secret beside the defaults, what to bind and what not, in TOML
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Replace the trace
    #[arg(long)]
    force: bool,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct HarArgs {
    #[command(flatten)]
    common: Common,

    /// Keep the bodies of answers in the trace, without secrets
    #[arg(long)]
    keep_bodies: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct GorArgs {
    #[command(flatten)]
    common: Common,

    /// What tells sessions apart
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    session_by: TellApart,

    /// Keep the bodies of answers in the trace, without secrets
    #[arg(long)]
    keep_bodies: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TellApart {
    /// The bearer token, else a cookie, else the client's address and user agent
    Auto,
    Cookie,
    Bearer,
}

#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    common: Common,

    /// The log's format; by default what its first lines look like
    #[arg(long, value_name = "FORMAT")]
    format: Option<LogFormat>,

    /// What the fields of a JSON log are called: time, method, path, status, duration, client, agent,
    /// host, size; `request.uri` is a field within another
    #[arg(long, value_name = "THING=FIELD,…", default_value = "", hide_default_value = true,
        value_parser = field_map)]
    map: FieldMap,

    /// What durations are counted in: of the number behind the agent, or of a field that does not
    /// say it in its name. Without it they are not known
    #[arg(long, value_name = "UNIT")]
    unit: Option<LogUnit>,

    /// What the log's times are of; by default what the format's documentation says, else the end
    #[arg(long, value_name = "EDGE")]
    time_is: Option<Edge>,

    /// Take a log whose times go back
    #[arg(long)]
    sort: bool,

    /// Take requests that are not GET or HEAD, without bodies
    #[arg(long)]
    with_writes: bool,

    /// Spreads requests within a second where the log's times are no finer
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Log each session in as this persona does
    #[arg(long, value_name = "PERSONA", requires_all = ["personas", "manifest"])]
    login: Option<String>,

    /// The personas file that has the login
    #[arg(long, value_name = "FILE", requires = "login")]
    personas: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// nginx's default and Apache's combined
    Combined,
    /// Apache's common
    Common,
    /// Apache's vhost_combined
    VhostCombined,
    /// ingress-nginx of Kubernetes
    Ingress,
    /// Traefik's text
    Traefik,
    /// Traefik's JSON
    TraefikJson,
    /// Caddy's JSON
    Caddy,
    /// Envoy's default text
    Envoy,
    /// AWS Application Load Balancer
    Alb,
    /// A JSON object a line
    Json,
}

impl From<LogFormat> for Kind {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Combined => Self::Combined,
            LogFormat::Common => Self::Common,
            LogFormat::VhostCombined => Self::VhostCombined,
            LogFormat::Ingress => Self::Ingress,
            LogFormat::Traefik => Self::Traefik,
            LogFormat::TraefikJson => Self::TraefikJson,
            LogFormat::Caddy => Self::Caddy,
            LogFormat::Envoy => Self::Envoy,
            LogFormat::Alb => Self::Alb,
            LogFormat::Json => Self::Json,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogUnit {
    S,
    Ms,
    Us,
    Ns,
}

impl From<LogUnit> for Unit {
    fn from(unit: LogUnit) -> Self {
        match unit {
            LogUnit::S => Self::Seconds,
            LogUnit::Ms => Self::Millis,
            LogUnit::Us => Self::Micros,
            LogUnit::Ns => Self::Nanos,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Edge {
    /// When the request came
    Start,
    /// When its answer was sent
    End,
}

fn field_map(text: &str) -> Result<FieldMap, String> {
    if text.is_empty() { Ok(FieldMap::default()) } else { text.parse() }
}

/// Printed at the end.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    trace: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    digest: &'a str,
    requests: u64,
    sessions: u64,
    #[serde(rename = "told")]
    remarks: std::collections::BTreeMap<&'a str, u64>,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Error> {
        match self {
            Self::Har(HarArgs { common, keep_bodies }) => {
                let har = Har::new(common.host.clone());
                exchanges(&har, &common, SessionBy::Auto, keep_bodies)
            }
            Self::Gor(GorArgs { common, session_by, keep_bodies }) => {
                let gor = Gor { host: common.host.clone() };
                let session_by = match session_by {
                    TellApart::Auto => SessionBy::Auto,
                    TellApart::Cookie => SessionBy::Cookie,
                    TellApart::Bearer => SessionBy::Bearer,
                };
                exchanges(&gor, &common, session_by, keep_bodies)
            }
            Self::AccessLog(args) => log(args),
        }
    }
}

fn exchanges<F: Format>(
    format: &F,
    common: &Common,
    session_by: SessionBy,
    keep_bodies: bool,
) -> Result<Exit, Error> {
    let opened = Opened::new(common, format.readings())?;
    let Opened { mut input, bar, manifest, rules } = opened;
    let config =
        import::Config { out: common.out.clone(), manifest, session_by, rules, keep_bodies };
    let imported = import::import(format, &mut input, config);
    bar.finish_and_clear();
    let (finished, remarks) = imported?;
    report(common, None, &finished.end, &remarks)
}

fn log(args: LogArgs) -> Result<Exit, Error> {
    let LogArgs { common, format, map, unit, time_is, sort, with_writes, seed, login, personas } =
        args;
    let Opened { mut input, bar, manifest, rules } = Opened::new(&common, 2)?;
    let prologue = match (login, personas, &manifest) {
        (Some(persona), Some(file), Some(manifest)) => {
            let personas = Personas::read(&file)?;
            let prologue = Prologue::new(&personas, &persona, manifest, seed);
            Some(prologue.map_err(ImportError::from)?)
        }
        _ => None,
    };
    let config = access_log::Config {
        out: common.out.clone(),
        kind: format.map(Kind::from),
        reading: Reading {
            fields: map,
            unit: unit.map(Unit::from),
            is_of_start: time_is.map(|edge| edge == Edge::Start),
        },
        sort,
        with_writes,
        seed,
        login: prologue,
        manifest: manifest.map(|manifest| manifest.header.digest),
        host: common.host.clone(),
        rules,
    };
    let imported = access_log::import(&mut input, &config);
    bar.finish_and_clear();
    let access_log::Imported { kind, end, remarks } = imported?;
    report(&common, Some(kind), &end, &remarks)
}

/// What every import begins with.
struct Opened {
    input: Input,
    bar: ProgressBar,
    manifest: Option<Manifest>,
    rules: Rules,
}

impl Opened {
    fn new(common: &Common, readings: u64) -> Result<Self, Error> {
        let manifest = common.manifest.as_deref().map(Manifest::read).transpose()?;
        let rules = common.rules.as_deref().map(Rules::read).transpose()?.unwrap_or_default();
        let size = std::fs::metadata(&common.file).map_or(0, |data| data.len());
        let bar = bar(size, readings);
        let read = bar.clone();
        let input = Input::open(&common.file, Box::new(move |bytes| read.inc(bytes)))?;
        new_recording(&common.out, common.force)?;
        Ok(Self { input, bar, manifest, rules })
    }
}

fn report(
    common: &Common,
    kind: Option<Kind>,
    end: &End,
    remarks: &Remarks,
) -> Result<Exit, Error> {
    let summary = Summary {
        trace: &common.out,
        format: kind.map(|kind| kind.to_string()),
        digest: &end.digest,
        requests: end.requests,
        sessions: end.sessions,
        remarks: remarks.iter().collect(),
    };
    if common.json { print_json(&summary) } else { print(&summary.text()) }?;
    Ok(Exit::Good)
}

impl Summary<'_> {
    fn text(&self) -> String {
        let format = self.format.as_ref().map_or(String::new(), |format| format!(" ({format})"));
        let remarks: String = self
            .remarks
            .iter()
            .map(|(what, count)| format!("{:>11}  {what}\n", thousands(*count)))
            .collect();
        format!(
            "{}{format}: {} requests, {} sessions\n{remarks}{}",
            self.trace.display(),
            thousands(self.requests),
            thousands(self.sessions),
            self.digest
        )
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
