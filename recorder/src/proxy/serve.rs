//! Accepts clients' connections until told to stop.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::beginnings::Beginnings;
use super::forward::{Client, Lost, Proxy, answer};
use super::guard::Guarded;
use super::idle::{Activity, Held, Idle};
use super::pool::Own;

/// A larger head is answered with 431.
const MAX_HEAD: usize = 64 << 10;

/// How long requests in flight may take once the recording is over.
const GRACE: Duration = Duration::from_secs(10);

/// How often idle connections are looked for.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// Pause where no connection can be accepted for lack of descriptors or memory.
const RETRY: Duration = Duration::from_millis(50);

pub(super) struct Server {
    pub(super) proxy: Arc<Proxy>,
    pub(super) tls: Option<TlsAcceptor>,
    /// How long a TLS handshake, and how long a head may take from its first byte.
    pub(super) head_timeout: Duration,
    pub(super) max_connections: usize,
    /// Once cancelled, no new connections and requests are accepted.
    pub(super) stop: CancellationToken,
    /// Once cancelled, nothing is waited for.
    pub(super) abort: CancellationToken,
}

/// What all connections share.
struct Shared {
    proxy: Arc<Proxy>,
    tls: Option<TlsAcceptor>,
    head_timeout: Duration,
    http: Builder<TokioExecutor>,
    idle: Arc<Idle>,
    stop: CancellationToken,
}

impl Server {
    /// Serves until stopped; then what is in flight gets 10 s to finish. Connections that are
    /// still there afterwards end with the runtime.
    pub(super) async fn run(self, listener: TcpListener) {
        let Self { proxy, tls, head_timeout, max_connections, stop, abort } = self;
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().max_buf_size(MAX_HEAD).auto_date_header(false);
        http.http2().max_header_list_size(MAX_HEAD as u32).auto_date_header(false);
        let idle = Arc::new(Idle::default());
        let shared = Arc::new(Shared { proxy, tls, head_timeout, http, idle, stop });
        let places = Arc::new(Semaphore::new(max_connections));
        let connections = TaskTracker::new();
        let taking = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(RETRY).await;
                    continue;
                };
                let Some(place) = shared.place(&places).await else { return };
                drop(connections.spawn(Arc::clone(&shared).connection(stream, place)));
            }
        };
        let tidying = async {
            loop {
                tokio::time::sleep(BETWEEN_LOOKS).await;
                shared.idle.close_old(Instant::now());
            }
        };
        tokio::select! {
            () = taking => {}
            () = tidying => {}
            () = shared.stop.cancelled() => {}
        }
        drop(listener);
        connections.close();
        let ended = tokio::select! {
            ended = tokio::time::timeout(GRACE, connections.wait()) => Some(ended),
            () = abort.cancelled() => None,
        };
        // Tunnels do not end by themselves, and what is not done by now never will be.
        shared.proxy.recording.over.store(true, Ordering::Relaxed);
        shared.proxy.abandon.cancel();
        // Otherwise some are still there; dropping the runtime ends them.
        let _ = ended;
    }
}

impl Shared {
    /// A place for one more connection. Where all are taken, the one that is idle for longest goes,
    /// or the next that becomes so.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let mut taking = pin!(Arc::clone(places).acquire_owned());
        if places.available_permits() == 0 {
            self.idle.close_oldest();
        }
        loop {
            match tokio::time::timeout(RETRY, taking.as_mut()).await {
                // The semaphore is never closed.
                Ok(place) => return place.ok(),
                Err(_) => self.idle.close_oldest(),
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, _place: OwnedSemaphorePermit) {
        let counts = Arc::clone(&self.proxy.counts);
        // Relaxed: these are only counts.
        let number = counts.connections.fetch_add(1, Ordering::Relaxed) + 1;
        counts.open.fetch_add(1, Ordering::Relaxed);
        // Without it answers would wait for acknowledgements; one that fails is gone already.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => self.serve(stream, number, false).await,
            Some(acceptor) => {
                // A handshake that fails or takes too long is the client's problem.
                let handshake = tokio::time::timeout(self.head_timeout, acceptor.accept(stream));
                if let Ok(Ok(stream)) = handshake.await {
                    self.serve(stream, number, true).await;
                }
            }
        }
        counts.open.fetch_sub(1, Ordering::Relaxed);
    }

    async fn serve<S>(&self, stream: S, number: u64, tls: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let beginnings = Beginnings::new(Instant::now());
        let guarded = Guarded::new(stream, beginnings.clone(), self.head_timeout);
        let own = Arc::new(Own::new(Arc::clone(&self.proxy.pool), number));
        let client = Arc::new(Client { number, tls, beginnings, own });
        let activity = Activity::new(Arc::clone(&self.idle));
        let service = service_fn(|request| {
            let busy = activity.begin();
            let answering = answer(Arc::clone(&self.proxy), Arc::clone(&client), request);
            async {
                let answer = answering.await?;
                Ok::<_, Lost>(answer.map(|body| Held { body, _busy: busy }))
            }
        });
        let io = TokioIo::new(guarded);
        let mut connection = pin!(self.http.serve_connection_with_upgrades(io, service));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            // A request that comes at this moment is still answered.
            () = activity.close.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        let unreadable = served.is_err_and(|error| {
            let error = error.downcast_ref::<hyper::Error>();
            error.is_some_and(hyper::Error::is_parse)
        });
        self.proxy.counts.refused.fetch_add(u64::from(unreadable), Ordering::Relaxed);
    }
}
