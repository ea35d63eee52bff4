//! The proxy without a recording: some requests are answered here, all others are passed on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common_net::signals::Shutdown;
use common_net::trust::Trust;
use tokio_util::sync::CancellationToken;

use super::error::ProxyError;
use super::forward::{Counts, Proxy};
use super::instead::Instead;
use super::limits::Limits;
use super::open::Recording;
use super::pool::Pool;
use super::run::{listen, serve};
use super::serve::Server;
use super::sink::{OnFull, Sink};
use super::tap::Room;
use super::upstream::{Upstream, UpstreamUrl};

/// How long the head of a request may take from its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What passes on, and where to.
#[derive(Debug)]
pub struct Passing {
    pub upstream: UpstreamUrl,
    pub allowed_hosts: Vec<String>,
    pub listen: SocketAddr,
}

/// Serves until told to stop, then what is in flight gets 10 s; returns how many requests were
/// passed on. Memory is as that of the recording proxy, which keeps nothing of a body here.
///
/// # Errors
/// When the upstream is refused or unreachable, or the address is taken.
pub async fn pass_on(
    config: Passing,
    instead: Arc<dyn Instead>,
    shutdown: Shutdown,
    listening: impl FnOnce(SocketAddr),
) -> Result<u64, ProxyError> {
    let limits = Limits::of_process();
    limits.check()?;
    let upstream = Upstream::resolve(&config.upstream, &config.allowed_hosts, &Trust::System)?;
    upstream.check(&config.upstream).await?;
    let (listener, address) = listen(config.listen)?;
    // Nobody takes what was seen of an exchange.
    let (sink, _) = Sink::new(OnFull::Drop, 0);
    let recording = Arc::new(Recording {
        started: Instant::now(),
        sink,
        room: Room::new(0),
        max_body: 0,
        prefix: String::new(),
        next: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let server = Server {
        proxy: Arc::new(Proxy {
            recording: Arc::clone(&recording),
            upstream,
            pool: Arc::new(Pool::new(limits.upstream)),
            preserve_host: false,
            counts: Arc::new(Counts::default()),
            abandon: CancellationToken::new(),
            instead: Some(instead),
        }),
        tls: None,
        head_timeout: HEAD_TIMEOUT,
        max_connections: limits.connections,
        stop: shutdown.stop,
        abort: shutdown.abort,
    };
    let serving = tokio::task::spawn_blocking(move || serve(server, listener));
    listening(address);
    serving.await??;
    // Relaxed: all that counted has ended.
    Ok(recording.next.load(Ordering::Relaxed))
}
