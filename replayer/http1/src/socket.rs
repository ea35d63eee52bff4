//! A TCP socket that tells how long what it read had lain in the kernel, and how long ago its
//! connection was there.
//!
//! A generator that is stopped, or whose processor others have, reads an answer later than it
//! came. The kernel notes when it came (`SO_TIMESTAMPNS`), on the wall clock, so that the
//! difference to the wall clock just after the read is the reader's own delay. A step of the
//! wall clock between the two is not seen: it shows as a delay of one answer, or as none.
//! Likewise it learns of a connection later than its target accepted it: the kernel has measured
//! how long that took (`TCP_INFO`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// Of all reads since it was last taken, the longest time that bytes lay in the kernel.
    /// None where the kernel told nothing.
    unread_for: Option<Duration>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        arrival::ask(&stream);
        Self { stream, unread_for: None }
    }

    /// How long the target took to accept the connection; none where the kernel does not tell, as
    /// where it had to ask more than once.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        opening::round_trip(&self.stream)
    }

    /// The longest time that bytes which were read since the last call lay in the kernel; none
    /// where that is not known.
    pub(super) fn take_unread_for(&mut self) -> Option<Duration> {
        self.unread_for.take()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            ready!(this.stream.poll_read_ready(cx))?;
            if let Some(unread_for) = arrival::read(&this.stream, buffer)? {
                this.unread_for = this.unread_for.max(unread_for);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(target_os = "linux")]
mod opening {
    use std::time::Duration;

    use nix::sys::socket::getsockopt;
    use nix::{getsockopt_impl, libc, sockopt_impl};
    use tokio::net::TcpStream;

    // What the library has for other options.
    sockopt_impl!(TcpInfo, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info);

    /// Of a connection over which nothing was sent yet: between the kernel's SYN and its answer.
    pub(super) fn round_trip(stream: &TcpStream) -> Option<Duration> {
        let info: libc::tcp_info = getsockopt(stream, TcpInfo).ok()?;
        let is_known = info.tcpi_total_retrans == 0 && info.tcpi_rtt > 0;
        is_known.then(|| Duration::from_micros(info.tcpi_rtt.into()))
    }
}

#[cfg(not(target_os = "linux"))]
mod opening {
    use std::time::Duration;

    use tokio::net::TcpStream;

    pub(super) fn round_trip(_stream: &TcpStream) -> Option<Duration> {
        None
    }
}

#[cfg(target_os = "linux")]
mod arrival {
    use std::cell::RefCell;
    use std::io::{self, IoSliceMut};
    use std::os::fd::AsRawFd as _;
    use std::time::Duration;

    use nix::cmsg_space;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };
    use nix::sys::time::{TimeSpec, TimeValLike as _};
    use rustix::time::{ClockId, clock_gettime};
    use tokio::io::{Interest, ReadBuf};
    use tokio::net::TcpStream;

    thread_local! {
        /// Where the kernel tells the time; borrowed only within a read.
        static NOTES: RefCell<Vec<u8>> = RefCell::new(cmsg_space!(TimeSpec));
    }

    /// Has the kernel note when bytes come. A kernel that does not tells nothing later.
    pub(super) fn ask(stream: &TcpStream) {
        let _ = setsockopt(stream, sockopt::ReceiveTimestampns, &true);
    }

    /// Reads once; none where nothing was there, else how long it lay in the kernel, where
    /// that is known.
    pub(super) fn read(
        stream: &TcpStream,
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<Option<Option<Duration>>> {
        let room = buffer.initialize_unfilled();
        let mut read = None;
        let tried = stream.try_io(Interest::READABLE, || {
            let length = room.len();
            let (count, arrived) = NOTES.with_borrow_mut(|notes| receive(stream, room, notes))?;
            read = Some((count, arrived));
            // A partly filled buffer means an empty socket: to say so here spares the next read
            // its system call. What comes meanwhile is a later event, which stays.
            if 0 < count && count < length { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (read, tried) {
            (Some((count, arrived)), _) => {
                buffer.advance(count);
                Ok(Some(arrived.map(since)))
            }
            (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            (None, _) => Ok(None),
        }
    }

    fn receive(
        stream: &TcpStream,
        room: &mut [u8],
        notes: &mut [u8],
    ) -> io::Result<(usize, Option<TimeSpec>)> {
        let mut room = [IoSliceMut::new(room)];
        let flags = MsgFlags::empty();
        let message =
            recvmsg::<SockaddrStorage>(stream.as_raw_fd(), &mut room, Some(notes), flags)?;
        let arrived = message.cmsgs()?.find_map(|note| match note {
            ControlMessageOwned::ScmTimestampns(at) => Some(at),
            _ => None,
        });
        Ok((message.bytes, arrived))
    }

    fn since(arrived: TimeSpec) -> Duration {
        let now = clock_gettime(ClockId::Realtime);
        let now = TimeSpec::new(now.tv_sec, now.tv_nsec);
        let nanos = (now - arrived).num_nanoseconds();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

#[cfg(not(target_os = "linux"))]
mod arrival {
    use std::io;
    use std::time::Duration;

    use tokio::io::ReadBuf;
    use tokio::net::TcpStream;

    pub(super) fn ask(_stream: &TcpStream) {}

    pub(super) fn read(
        stream: &TcpStream,
        buffer: &mut ReadBuf<'_>,
    ) -> io::Result<Option<Option<Duration>>> {
        match stream.try_read(buffer.initialize_unfilled()) {
            Ok(count) => {
                buffer.advance(count);
                Ok(Some(None))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
