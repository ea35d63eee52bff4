//! A client's connection on which it is seen when requests begin, with a limit on how long a head
//! may take.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::beginnings::Beginnings;

/// The answer to a head that took too long.
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

pub(super) struct Guarded<S> {
    stream: S,
    beginnings: Beginnings,
    /// How long a head may take from its first byte.
    limit: Duration,
    /// Created when a head first arrives in parts, which is rare.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Guarded<S> {
    /// Tells the client why the connection ends, as far as it still reads.
    fn refuse(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Ok(_)) = Pin::new(&mut self.stream).poll_write(cx, REQUEST_TIMEOUT) {
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
    }
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, beginnings: Beginnings, limit: Duration) -> Self {
        Self { stream, beginnings, limit, timer: None }
    }

    /// Ready when the head that is being read has taken too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(since) = self.beginnings.partial_since() else { return Poll::Pending };
        let due = tokio::time::Instant::from_std(since + self.limit);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                self.beginnings.read(&buffer.filled()[before..], Instant::now());
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                std::task::ready!(self.poll_late(cx));
                self.refuse(cx);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            failed => failed,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
