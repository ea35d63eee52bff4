//! `recorder proxy`.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use common::exit::Exit;
use common::target::Typed;
use common_net::signals::Shutdown;
use common_net::trust::Trust;
use indicatif::{ProgressBar, ProgressStyle};
use manifest::format::Manifest;
use serde::Serialize;

use super::files::new_recording;
use super::output::{print, print_json};
use crate::Error;
use crate::correlate::{Rules, SessionBy};
use crate::proxy::{
    Config, Identity, Limits, Observer, OnFull, Recording, Totals, UpstreamUrl, record,
};
use trace::writer::WriteError;

/// Without a terminal a line is printed this often, in seconds.
const PLAIN_EVERY: u64 = 10;

/// A body of this size, coded in base64, still fits into a line of the trace.
const MOST_BODY: u64 = 8 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  recorder proxy --listen 127.0.0.1:8081 --upstream http://127.0.0.1:8080 \\
    --out browser.trace.jsonl.zst      # then use http://127.0.0.1:8081, and end with Ctrl-C
  recorder proxy --upstream https://staging.example --allow-host staging.example \\
    --tls-cert cert.pem --tls-key key.pem --duration 10m --out app.trace.jsonl.zst

Memory is bounded: at most 256 KiB a connection, and --max-bodies for what is kept of bodies.")]
pub(super) struct Args {
    /// Where clients connect to; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// What is recorded, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    upstream: Typed<UpstreamUrl>,

    /// The trace; compressed if it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// How long; without it until Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME")]
    duration: Option<humantime::Duration>,

    /// A host beside loopback that may be the upstream; can be given more than once
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,

    /// Certificates in PEM format: clients then use TLS, with HTTP/2 or HTTP/1.1
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its private key in PEM format
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Roots in PEM format that an https upstream is verified by, instead of the system's
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,

    /// Do not verify an https upstream
    #[arg(long, conflicts_with = "upstream_ca")]
    insecure: bool,

    /// Pass on the client's Host instead of the upstream's
    #[arg(long)]
    preserve_host: bool,

    /// Bytes of a body that are kept; of a longer one only size and digest
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20,
        value_parser = clap::value_parser!(u64).range(..=MOST_BODY))]
    max_body: u64,

    /// Bytes of all bodies together that are kept until they are recorded
    #[arg(long, value_name = "BYTES", default_value = "268435456")]
    max_bodies: NonZeroU64,

    /// Client connections at once; one more takes the place of the one that is idle for longest
    #[arg(long, value_name = "N", default_value = "10000")]
    max_connections: NonZeroU32,

    /// Connections to the upstream; requests that need one more wait, which is recorded as part of
    /// their time
    #[arg(long, value_name = "N", default_value = "5000")]
    max_upstream: NonZeroU32,

    /// How long the head of a request may take from its first byte
    #[arg(long, value_name = "TIME", default_value = "15s")]
    head_timeout: humantime::Duration,

    /// What happens where exchanges come faster than they can be written
    #[arg(long, value_name = "WHAT", default_value = "drop")]
    on_full: WhenFull,

    /// Whose logins are known, as `seeder apply` wrote it: sessions then have an account and a persona
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// What tells sessions apart
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    session_by: TellApart,

    /// What is secret beside the defaults, what to bind and what not, in TOML
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Keep the bodies of answers in the trace, without secrets
    #[arg(long)]
    keep_bodies: bool,

    /// Replace the trace, and the journal of a recording that was not finished
    #[arg(long)]
    force: bool,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhenFull {
    /// Requests wait for the disk
    Block,
    /// Exchanges are counted, and not recorded
    Drop,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TellApart {
    /// The bearer token, else a cookie, else the connection
    Auto,
    Cookie,
    Bearer,
    Connection,
}

/// Printed at the end.
#[derive(Debug, Serialize)]
struct Summary {
    trace: PathBuf,
    digest: String,
    listen: SocketAddr,
    requests: u64,
    sessions: u64,
    failures: u64,
    /// Values that others of their session would have fitted as well.
    ambiguous: u64,
    dropped: u64,
    connections: u64,
    upgrades: u64,
    refused: u64,
    seconds: f64,
}

impl Args {
    pub(super) async fn run(self, listen: impl FnOnce() -> Shutdown) -> Result<Exit, Error> {
        let json = self.json;
        let config = self.resolve()?;
        let scheme = if config.identity.is_some() { "https" } else { "http" };
        let upstream = config.upstream.to_string();
        let mut address = config.listen;
        let recording = record(config, listen(), Box::new(Progress::new()), |listening| {
            address = listening;
            common::say!(
                "listening on {scheme}://{listening}, recording {upstream}; Ctrl-C ends it"
            );
        });
        let recording = recording.await?;
        let ambiguous = recording.totals.ambiguous;
        if ambiguous > 0 {
            common::say!(
                "{ambiguous} values were bound that others would have fitted as well: a rule can say \
                 what they mean (same)"
            );
        }
        if recording.totals.dropped > 0 {
            common::say!("{} exchanges were dropped", recording.totals.dropped);
        }
        let summary = Summary::new(recording, address);
        if json { print_json(&summary) } else { print(&summary.text()) }?;
        Ok(Exit::Good)
    }

    /// Checks all that can be checked before anything is opened.
    fn resolve(self) -> Result<Config, Error> {
        let upstream = self.upstream.value("--upstream")?;
        let manifest = self.manifest.as_deref().map(Manifest::read).transpose()?;
        let rules = self.rules.as_deref().map(Rules::read).transpose()?.unwrap_or_default();
        new_recording(&self.out, self.force)?;
        let trust = match self.upstream_ca {
            Some(path) => Trust::File(path),
            None if self.insecure => Trust::Insecure,
            None => Trust::System,
        };
        let identity = self.tls_cert.zip(self.tls_key);
        Ok(Config {
            listen: self.listen,
            upstream,
            trust,
            identity: identity.map(|(certificates, key)| Identity { certificates, key }),
            allowed_hosts: self.allow_host,
            preserve_host: self.preserve_host,
            out: self.out,
            duration: self.duration.map(Into::into),
            head_timeout: *self.head_timeout,
            on_full: match self.on_full {
                WhenFull::Block => OnFull::Block,
                WhenFull::Drop => OnFull::Drop,
            },
            manifest,
            session_by: match self.session_by {
                TellApart::Auto => SessionBy::Auto,
                TellApart::Cookie => SessionBy::Cookie,
                TellApart::Bearer => SessionBy::Bearer,
                TellApart::Connection => SessionBy::Connection,
            },
            rules,
            keep_bodies: self.keep_bodies,
            limits: Limits {
                connections: self.max_connections.get() as usize,
                upstream: self.max_upstream.get() as usize,
                body: self.max_body as usize,
                bodies: self.max_bodies.get() as usize,
            },
        })
    }
}

impl Summary {
    fn new(Recording { finished, totals, length }: Recording, listen: SocketAddr) -> Self {
        Self {
            trace: finished.path,
            digest: finished.end.digest,
            listen,
            requests: finished.end.requests,
            sessions: finished.end.sessions,
            failures: totals.failures,
            ambiguous: totals.ambiguous,
            dropped: finished.end.dropped,
            connections: totals.connections,
            upgrades: totals.upgrades,
            refused: totals.refused,
            seconds: (length.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }

    fn text(&self) -> String {
        format!(
            "{}: {} requests of {} sessions in {:.1} s, {} failed\n{} connections, {} upgraded; {} malformed requests refused, {} exchanges dropped\n{}",
            self.trace.display(),
            self.requests,
            self.sessions,
            self.seconds,
            self.failures,
            self.connections,
            self.upgrades,
            self.refused,
            self.dropped,
            self.digest,
        )
    }
}

/// Progress of a recording: a changing line on a terminal, else a line now and then.
struct Progress {
    /// Hidden where stderr is no terminal.
    line: ProgressBar,
    last: u64,
    seconds: u64,
}

impl Progress {
    fn new() -> Self {
        let line = ProgressBar::new_spinner();
        // The template is a literal; the style without it would do as well.
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            line.set_style(style);
        }
        Self { line, last: 0, seconds: 0 }
    }
}

impl Observer for Progress {
    fn second(&mut self, elapsed: Duration, totals: &Totals) {
        let rate = totals.requests - self.last;
        self.last = totals.requests;
        let Totals { open, requests, failures, dropped, .. } = totals;
        let text = format!(
            "{} s: {open} connections, {requests} requests, {rate}/s, {failures} failed, {dropped} dropped",
            elapsed.as_secs(),
        );
        self.seconds += 1;
        if !self.line.is_hidden() {
            self.line.set_message(text);
        } else if self.seconds.is_multiple_of(PLAIN_EVERY) {
            common::say!("{text}");
        }
    }

    fn lost(&mut self, error: &WriteError) {
        let why = common::exit::one_line("recorder", error);
        self.line.suspend(|| common::say!("{why}; exchanges are dropped from now on"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}
