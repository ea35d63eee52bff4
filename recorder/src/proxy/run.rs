//! A recording from start to end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use common_net::signals::Shutdown;
use common_net::trust::Trust;
use manifest::format::Manifest;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::collect::{Collector, Observer, Totals};
use super::error::ProxyError;
use super::forward::{Counts, Proxy};
use super::limits::Limits;
use super::open;
use super::pool::Pool;
use super::serve::Server;
use super::sink::{OnFull, Sink};
use super::tap::Room;
use super::tls::{self, Identity};
use super::upstream::{Upstream, UpstreamUrl};
use crate::correlate::{self, Correlator, Rules, SessionBy};
use trace::finish::Finished;
use trace::format::{self, Header, Source, SourceKind};
use trace::journal::Journal;
use trace::prefix::of_recording;

/// What to record, and how.
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub upstream: UpstreamUrl,
    pub trust: Trust,
    /// The certificate that clients are shown; none for plain text.
    pub identity: Option<Identity>,
    /// Hosts besides loopback that may be the upstream.
    pub allowed_hosts: Vec<String>,
    /// Whether the upstream gets the client's `Host` instead of its own.
    pub preserve_host: bool,
    pub out: PathBuf,
    /// How long to record; none for until `shutdown` stops it.
    pub duration: Option<Duration>,
    /// How long a head may take from its first byte.
    pub head_timeout: Duration,
    pub on_full: OnFull,
    pub limits: Limits,
    /// The accounts whose logins are recognised.
    pub manifest: Option<Manifest>,
    pub session_by: SessionBy,
    pub rules: Rules,
    /// Whether the trace keeps the bodies of answers, without secrets.
    pub keep_bodies: bool,
}

/// What was recorded.
#[derive(Debug)]
pub struct Recording {
    pub finished: Finished,
    pub totals: Totals,
    pub length: Duration,
}

/// Records until `shutdown` stops it or the duration has passed; then requests in flight get
/// 10 s to finish, unless `shutdown` is aborted, and the trace is written. `listening` is told the address once there is one.
///
/// # Errors
/// When the upstream is refused or unreachable, the address is taken, or a file or limit does not
/// allow it: nothing is recorded then. When the disk refuses, which leaves the journal.
pub async fn record(
    config: Config,
    shutdown: Shutdown,
    observer: Box<dyn Observer>,
    listening: impl FnOnce(SocketAddr),
) -> Result<Recording, ProxyError> {
    let limits = config.limits;
    limits.check()?;
    let upstream = Upstream::resolve(&config.upstream, &config.allowed_hosts, &config.trust)?;
    let tls = config.identity.as_ref().map(tls::server).transpose()?.map(TlsAcceptor::from);
    upstream.check(&config.upstream).await?;
    let (listener, address) = listen(config.listen)?;

    let (started, wall, prefix) = (Instant::now(), Utc::now(), of_recording(0));
    let journal = Journal::create(&config.out, &header(&config, wall))?;
    let (sink, exchanges) = Sink::new(config.on_full, limits.upstream);
    let recording = Arc::new(open::Recording {
        started,
        sink,
        room: Room::new(limits.bodies),
        max_body: limits.body,
        prefix: prefix.clone(),
        next: AtomicU64::new(1),
        over: AtomicBool::new(false),
    });
    let counts = Arc::new(Counts::default());
    let collector = Collector {
        journal,
        path: Journal::path_for(&config.out),
        correlator: Correlator::new(correlate::Config {
            manifest: config.manifest,
            session_by: config.session_by,
            rules: config.rules,
            keep_bodies: config.keep_bodies,
            started: wall,
            prefix,
        }),
        recording: Arc::clone(&recording),
        counts: Arc::clone(&counts),
        observer,
        failed: None,
        unwritten: 0,
        totals: Totals::default(),
    };
    let stop = shutdown.stop.child_token();
    let server = Server {
        proxy: Arc::new(Proxy {
            recording,
            upstream,
            pool: Arc::new(Pool::new(limits.upstream)),
            preserve_host: config.preserve_host,
            counts,
            abandon: CancellationToken::new(),
            instead: None,
        }),
        tls,
        head_timeout: config.head_timeout,
        max_connections: limits.connections,
        stop: stop.clone(),
        abort: shutdown.abort,
    };

    // Two threads of their own: one for all connections, one for the disk.
    let done = Arc::new(AtomicBool::new(false));
    let served = Arc::clone(&done);
    let serving = tokio::task::spawn_blocking(move || {
        let _done = Done(served);
        serve(server, listener)
    });
    let collecting = tokio::task::spawn_blocking(move || collector.run(exchanges, &done));
    listening(address);
    if let Some(duration) = config.duration {
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            stop.cancel();
        });
    }
    let serving = serving.await?;
    let length = started.elapsed();
    let (finished, totals) = collecting.await??;
    serving.map(|()| Recording { finished, totals, length })
}

/// Signals that no more exchanges will come, whatever ended the serving.
struct Done(Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Takes an address, and says which where any free port would do.
pub(super) fn listen(
    address: SocketAddr,
) -> Result<(std::net::TcpListener, SocketAddr), ProxyError> {
    let failed = |source| ProxyError::Listen { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves on a runtime of its own, which is the calling thread.
pub(super) fn serve(server: Server, listener: std::net::TcpListener) -> Result<(), ProxyError> {
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().map_err(ProxyError::Runtime)?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener).map_err(ProxyError::Runtime)?;
        server.run(listener).await;
        Ok(())
    })
    // Dropping the runtime ends all tasks, and with them the exchanges that are still open.
}

fn header(config: &Config, started: chrono::DateTime<Utc>) -> Header {
    Header {
        format: format::FORMAT.to_owned(),
        version: format::VERSION.to_owned(),
        minor: 0,
        tool: concat!("recorder ", env!("CARGO_PKG_VERSION")).to_owned(),
        started,
        sources: vec![Source {
            kind: SourceKind::Proxy,
            seed: None,
            manifest: config.manifest.as_ref().map(|manifest| manifest.header.digest.clone()),
            input: None,
            target: Some(config.upstream.to_string()),
            rewrites: Vec::new(),
        }],
        personas: Vec::new(),
        redaction: config.rules.secret_names(),
        routes: config.rules.routes().to_vec(),
        failures: None,
        shapes: BTreeMap::new(),
    }
}
