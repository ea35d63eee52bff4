//! One connection and the exchanges on it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::destination::Tls;
use super::framing::{Decoder, FramingError, Limits, Method};
use super::local::{self, Local};
use super::socket::Socket;
use super::stream::Stream;
use super::{Destination, SendError, Sink};

/// Bytes that one read may take. Large enough that a big body costs few calls,
/// and there is one a thread.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    /// What all connections of this thread read into; borrowed only within a poll.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// How far the exchange got that is running or ran last; also to be read after
/// it failed or was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub first_byte_sent: Option<Instant>,
    /// When the kernel had taken the whole request; the same, where it took it at once.
    pub all_sent: Option<Instant>,
    pub first_byte_received: Option<Instant>,
    /// HTTP bytes handed to the kernel; what TLS adds is not in it.
    pub bytes_sent: u64,
    /// HTTP bytes read, those after the answer included.
    pub bytes_received: u64,
}

/// An answer that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub status: u16,
    /// Just before the write that took the request's first byte.
    pub first_byte_sent: Instant,
    /// Of anything, an interim answer (1xx) too.
    pub first_byte_received: Instant,
    /// When the read that held the answer's last byte returned.
    pub done: Instant,
    /// The longest time that bytes of the answer lay in the kernel before they were read: what
    /// the reader itself adds to `done`. None where the kernel does not tell, or where the
    /// answer ended with the connection, whose end has no time.
    pub unread_for: Option<Duration>,
    /// Without chunk framing, content coding still on.
    pub body_bytes: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// Whether the connection may carry another exchange. If not, drop it.
    pub reusable: bool,
}

/// A connection to a [`Destination`] that carries one exchange at a time.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// No exchange is unfinished, and the last one left the connection usable.
    idle: bool,
    /// At least one exchange was done on it.
    used: bool,
    progress: Progress,
}

/// A connection that was just opened.
#[derive(Debug)]
pub struct Opened {
    pub connection: Connection,
    /// How much earlier it would have been open, had nobody but the target taken time: what this
    /// process noticed later than the kernel did. None where the kernel does not tell.
    pub late: Option<Duration>,
}

impl Connection {
    /// Connects to the first address of the destination that answers, each
    /// having an equal part of the time that is left, and shakes hands.
    ///
    /// # Errors
    /// `ConnectFailed` (of the last address), `ConnectTimedOut`, `TlsFailed` or
    /// `LocalLimit`.
    pub async fn open(destination: &Destination, deadline: Instant) -> Result<Opened, SendError> {
        let Connected { socket, address, took } = connect(destination, deadline).await?;
        let noticed_late = socket.round_trip().map(|round_trip| took.saturating_sub(round_trip));
        let mut stream = match destination.tls() {
            None => Stream::Plain(socket),
            Some(tls) => shake_hands(tls, socket, address, deadline).await?,
        };
        let unread_for = stream.take_unread_for().unwrap_or_default();
        let connection = Self { stream, idle: true, used: false, progress: Progress::default() };
        Ok(Opened { connection, late: noticed_late.map(|late| late + unread_for) })
    }

    /// Whether the next exchange needs a fresh connection: the server closed
    /// this one or sent what nobody asked for, or an exchange on it did not end
    /// well or was dropped. No system call unless the socket has news.
    pub fn is_stale(&mut self) -> bool {
        if self.idle {
            self.idle = !self.has_news(&mut Context::from_waker(Waker::noop()));
        }
        !self.idle
    }

    /// Whether anything came while nothing was asked for. TLS takes what it needs for itself;
    /// any other byte, an end or an error is news. If there is none, the socket wakes whoever
    /// asked once there is.
    fn has_news(&mut self, cx: &mut Context<'_>) -> bool {
        self.stream.poll_read(cx, &mut [0]).is_ready()
    }

    /// How far the running or last exchange got.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Sends a request that was serialised before and reads its answer to the end.
    ///
    /// It reads while it writes, so an early answer is not missed. There is no
    /// deadline here: drop the future at it.
    ///
    /// # Errors
    /// `Stale`, `StaleReset`, `Reset` or `Protocol`. The connection is stale then.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        method: Method,
        sink: &mut impl Sink,
        limits: &Limits,
    ) -> Result<Exchange, SendError> {
        let reused = std::mem::replace(&mut self.used, true);
        let was_idle = std::mem::replace(&mut self.idle, false);
        self.progress = Progress::default();
        self.stream.take_unread_for();
        let mut sending = Sending::Bytes(request);
        let mut decoder = Decoder::new(method, *limits);
        let mut may_be_stale = reused;
        let mut is_sent = false;
        let ended = poll_fn(|cx| {
            if std::mem::take(&mut may_be_stale) {
                // Without news this task is woken when the answer comes: there is no need to look
                // for it before.
                if !was_idle || self.has_news(cx) {
                    return Poll::Ready(Err(Fault::Stale));
                }
                self.poll_send(cx, &mut sending);
                self.tell_if_sent(&mut is_sent, sink);
                return Poll::Pending;
            }
            self.poll_send(cx, &mut sending);
            self.tell_if_sent(&mut is_sent, sink);
            self.poll_answer(cx, &mut decoder, sink)
        });
        let ended = ended.await.map_err(|fault| self.fail(fault, reused))?;

        let Progress { bytes_sent, bytes_received, .. } = self.progress;
        let (Some(first_byte_sent), Some(first_byte_received)) =
            (self.progress.first_byte_sent, self.progress.first_byte_received)
        else {
            // Whatever it answers, it is not this request: nothing of it was sent.
            return Err(self.fail(Fault::Cut(closed_early()), reused));
        };
        let reusable =
            decoder.is_persistent() && !ended.surplus && matches!(sending, Sending::Done);
        self.idle = reusable;
        Ok(Exchange {
            status: decoder.status(),
            first_byte_sent,
            first_byte_received,
            done: ended.at,
            unread_for: self.stream.take_unread_for().filter(|_| !ended.by_close),
            body_bytes: decoder.body_bytes(),
            bytes_sent,
            bytes_received,
            reusable,
        })
    }

    fn tell_if_sent(&self, is_sent: &mut bool, sink: &mut impl Sink) {
        if !*is_sent && self.progress.first_byte_sent.is_some() {
            *is_sent = true;
            sink.sent();
        }
    }

    /// Writes as much as the socket takes. A failed write is not the end: the
    /// server may have answered before it closed.
    fn poll_send(&mut self, cx: &mut Context<'_>, sending: &mut Sending<'_>) {
        while let Sending::Bytes(rest) = sending {
            let at = Instant::now();
            match self.stream.poll_write(cx, rest) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.progress.first_byte_sent.get_or_insert(at);
                    self.progress.bytes_sent += count as u64;
                    *rest = &rest[count..];
                    if rest.is_empty() {
                        self.progress.all_sent = Some(at);
                        *sending = Sending::Flush;
                    }
                }
                Poll::Ready(_) => *sending = Sending::Failed,
                Poll::Pending => return,
            }
        }
        if let Sending::Flush = sending
            && let Poll::Ready(flushed) = self.stream.poll_flush(cx)
        {
            *sending = if flushed.is_ok() { Sending::Done } else { Sending::Failed };
        }
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        decoder: &mut Decoder,
        sink: &mut impl Sink,
    ) -> Poll<Result<Ended, Fault>> {
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let Poll::Ready(read) = self.stream.poll_read(cx, scratch) else {
                    return Poll::Pending;
                };
                let at = Instant::now();
                let bytes = match read {
                    Ok(0) => {
                        let end =
                            decoder.end().map(|()| Ended { at, surplus: false, by_close: true });
                        return Poll::Ready(end.map_err(|_| Fault::Cut(closed_early())));
                    }
                    Ok(count) => &scratch[..count],
                    Err(error) => return Poll::Ready(Err(Fault::Cut(error))),
                };
                self.progress.first_byte_received.get_or_insert(at);
                self.progress.bytes_received += bytes.len() as u64;
                let used = match decoder.feed(bytes, sink) {
                    Ok(used) => used,
                    Err(source) => return Poll::Ready(Err(Fault::Framing(source))),
                };
                if decoder.is_done() {
                    let surplus = used < bytes.len();
                    return Poll::Ready(Ok(Ended { at, surplus, by_close: false }));
                }
            }
        })
    }

    fn fail(&self, fault: Fault, reused: bool) -> SendError {
        let received = self.progress.bytes_received > 0;
        match fault {
            Fault::Stale => SendError::Stale,
            Fault::Framing(source) => SendError::Protocol { source },
            Fault::Cut(source) if reused && !received => SendError::StaleReset { source },
            Fault::Cut(source) => {
                SendError::Reset { sent: self.progress.bytes_sent > 0, received, source }
            }
        }
    }
}

enum Sending<'a> {
    Bytes(&'a [u8]),
    Flush,
    Done,
    Failed,
}

struct Ended {
    at: Instant,
    /// Bytes came after the answer that belong to none.
    surplus: bool,
    /// The connection ended with it.
    by_close: bool,
}

enum Fault {
    /// Before anything was sent.
    Stale,
    Cut(io::Error),
    Framing(FramingError),
}

fn closed_early() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

struct Connected {
    socket: Socket,
    address: SocketAddr,
    /// Of the attempt that did it, until this process knew.
    took: Duration,
}

async fn connect(destination: &Destination, deadline: Instant) -> Result<Connected, SendError> {
    let addresses = destination.addresses();
    let mut failure = None;
    for (&address, left) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / left;
        let attempt = connect_to(address, destination.local());
        failure = Some(match timeout_at(now + share, attempt).await {
            Ok(Ok(stream)) => {
                return Ok(Connected { socket: Socket::new(stream), address, took: now.elapsed() });
            }
            Ok(Err(source)) => SendError::connecting(address, source),
            Err(_) => SendError::ConnectTimedOut { address },
        });
    }
    Err(failure.unwrap_or_else(|| unreachable!("a destination has an address")))
}

async fn connect_to(address: SocketAddr, local: &Local) -> io::Result<TcpStream> {
    let mut taken = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for choice in local.choices(address) {
        let connected = match local::socket(address, choice) {
            Ok(socket) => socket.connect(address).await,
            Err(error) => Err(error),
        };
        match connected {
            // Another connection has that port.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
                ) =>
            {
                taken = error;
            }
            other => return other,
        }
    }
    Err(taken)
}

async fn shake_hands(
    tls: &Tls,
    socket: Socket,
    address: SocketAddr,
    deadline: Instant,
) -> Result<Stream, SendError> {
    let connector = TlsConnector::from(std::sync::Arc::clone(&tls.config));
    match timeout_at(deadline, connector.connect(tls.name.clone(), socket)).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(source)) => Err(SendError::TlsFailed { address, source }),
        Err(_) => Err(SendError::ConnectTimedOut { address }),
    }
}
