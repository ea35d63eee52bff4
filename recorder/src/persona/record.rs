//! A recording from start to end.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use chrono::Utc;
use common::address;
use common_net::signals::Shutdown;
use manifest::format::Manifest;
use rewrites::Rewrites;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::cast::cast;
use super::collect::{Collected, Collector, Observer, Totals};
use super::error::RecordError;
use super::script::Personas;
use super::send::Target;
use super::tasks::{TaskCounts, TaskEnds};
use super::user::{Stage, User};
use trace::finish::Finished;
use trace::format::{self, Header, PersonaWeight, Source, SourceKind};
use trace::journal::Journal;

/// How long requests in flight may take once the recording is over.
const GRACE: Duration = Duration::from_secs(10);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Exchanges on their way to the journal: when it is full, users wait for the disk.
const QUEUED_EXCHANGES: usize = 1024;

/// What to record.
#[derive(Debug)]
pub struct Config {
    pub personas: Personas,
    pub manifest: Manifest,
    pub target: Target,
    /// Hosts besides loopback that may be loaded.
    pub allowed_hosts: Vec<String>,
    pub users: u32,
    /// Users a second.
    pub spawn_rate: f64,
    /// From the start of the first user; none: until `max_requests` were sent, or a shutdown.
    pub duration: Option<Duration>,
    /// No more requests than these are sent.
    pub max_requests: Option<NonZeroU64>,
    pub seed: u64,
    pub out: PathBuf,
    /// Whether to go on where more than a fifth of a persona's requests fail.
    pub allow_failures: bool,
    /// What is sent in the place of what the personas file says.
    pub rewrites: Option<Arc<Rewrites>>,
}

/// What was recorded.
#[derive(Debug)]
pub struct Recording {
    pub finished: Finished,
    pub totals: Totals,
    pub length: Duration,
    /// Tasks that did not always come to their end.
    pub tasks: Vec<TaskEnds>,
    /// By persona, what failed most, in words; empty where nothing did.
    pub mostly: Vec<String>,
}

/// Records until the duration has passed, enough requests were sent or `shutdown` stops it; then
/// requests in flight get 10 s to finish, unless `shutdown` is aborted, and the trace is written.
///
/// # Errors
/// When the target is refused or unreachable, a persona cannot log in, too
/// many requests fail, or the disk refuses. No trace is written then.
pub async fn record(
    config: Config,
    shutdown: Shutdown,
    observer: Box<dyn Observer>,
) -> Result<Recording, RecordError> {
    let cast = cast(&config.personas, &config.manifest, config.users)?;
    let target = &config.target;
    let addresses = address::pin(target.host(), target.port(), &config.allowed_hosts)?;
    check_reachable(target, &addresses).await?;
    // An error means that a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = || target.client(&addresses).map_err(RecordError::Client);

    let (started, wall) = (Instant::now(), Utc::now());
    let journal = Journal::create(&config.out, &header(&config, wall))?;
    let (exchanges, queue) = mpsc::channel(QUEUED_EXCHANGES);
    let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
    let collector = Collector {
        journal,
        totals: Totals { personas: cast.totals, ..Totals::default() },
        started,
        allow_failures: config.allow_failures,
        stop: stop.clone(),
        observer,
        sessions: HashSet::new(),
        traps: config.personas.traps.clone(),
        kinds: BTreeMap::new(),
    };
    // A thread of its own, because it writes to the disk.
    let runtime = tokio::runtime::Handle::current();
    let failed = stop.clone();
    let collecting = tokio::task::spawn_blocking(move || {
        let collected = runtime.block_on(collector.run(queue));
        if collected.is_err() {
            failed.cancel();
        }
        collected
    });

    let tasks = Arc::new(TaskCounts::default());
    let stage = Arc::new(Stage {
        target: target.clone(),
        generators: config.personas.generators.clone(),
        seed: config.seed,
        started,
        prefix: trace::prefix::of_recording(config.seed),
        exchanges,
        stop: stop.clone(),
        abandon: abandon.clone(),
        left: config.max_requests.map(|most| AtomicU64::new(most.get())),
        rewrites: config.rewrites.clone(),
        traps: config.personas.traps.clone(),
        tasks: Arc::clone(&tasks),
    });
    let mut users = JoinSet::new();
    for (index, role) in cast.roles.into_iter().enumerate() {
        let user = User {
            stage: stage.clone(),
            client: client()?,
            number: index as u32 + 1,
            persona_index: role.persona,
            persona: config.personas.personas[role.persona].clone(),
            account: role.account,
        };
        users.spawn(user.run(Duration::from_secs_f64(index as f64 / config.spawn_rate)));
    }
    drop(stage);

    let end = config.duration.map(|duration| started + duration);
    let played = play(&mut users, end, &shutdown, &stop, &abandon).await;
    let length = started.elapsed();
    let collected = collecting.await??;
    let failing = collected.totals.failing().filter(|_| !config.allow_failures);
    let failures = failing.map_or(Ok(()), |persona| {
        let (index, persona) = persona;
        Err(RecordError::Failures {
            persona: persona.name.clone(),
            failures: persona.failures,
            requests: persona.requests,
            mostly: collected.mostly[index].clone(),
        })
    });
    if let Err(error) = played.and(failures) {
        collected.journal.discard()?;
        return Err(error);
    }
    let Collected { journal, totals, mostly } = collected;
    let finished = tokio::task::spawn_blocking(move || journal.finish()).await??;
    Ok(Recording { finished, totals, length, tasks: tasks.ended_early(), mostly })
}

/// Waits for the end of all users; the first error of one ends the others.
async fn play(
    users: &mut JoinSet<Result<(), RecordError>>,
    end: Option<Instant>,
    shutdown: &Shutdown,
    stop: &CancellationToken,
    abandon: &CancellationToken,
) -> Result<(), RecordError> {
    let mut result = Ok(());
    let mut over = std::pin::pin!(async {
        tokio::select! {
            () = until(end) => {}
            () = shutdown.stop.cancelled() => {}
            () = stop.cancelled() => {}
        }
        stop.cancel();
        tokio::select! {
            () = tokio::time::sleep(GRACE) => {}
            () = shutdown.abort.cancelled() => {}
        }
        abandon.cancel();
        std::future::pending::<()>().await;
    });
    loop {
        tokio::select! {
            () = &mut over => {}
            user = users.join_next() => match user {
                None => return result,
                Some(ended) => {
                    let ended = ended.map_err(RecordError::from).and_then(|ended| ended);
                    if ended.is_err() {
                        stop.cancel();
                        result = result.and(ended);
                    }
                }
            },
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end.into()).await,
        None => std::future::pending().await,
    }
}

async fn check_reachable(target: &Target, addresses: &[SocketAddr]) -> Result<(), RecordError> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(addresses)).await;
    connected
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        .map(drop)
        .map_err(|source| RecordError::Unreachable { target: target.origin(), source })
}

fn header(config: &Config, started: chrono::DateTime<Utc>) -> Header {
    let weights = config.personas.personas.iter();
    Header {
        format: format::FORMAT.to_owned(),
        version: format::VERSION.to_owned(),
        minor: 0,
        tool: concat!("recorder ", env!("CARGO_PKG_VERSION")).to_owned(),
        started,
        sources: vec![Source {
            kind: SourceKind::Personas,
            seed: Some(config.seed),
            manifest: Some(config.manifest.header.digest.clone()),
            input: Some(config.personas.digest.clone()),
            target: Some(config.target.origin()),
            rewrites: config.rewrites.as_ref().map(|of| of.in_force()).unwrap_or_default(),
        }],
        personas: weights
            .map(|p| PersonaWeight { name: p.name.clone(), weight: f64::from(p.weight) })
            .collect(),
        redaction: redact::Names::default().in_force(),
        routes: Vec::new(),
        failures: None,
        shapes: std::collections::BTreeMap::new(),
    }
}
