//! A connection to the upstream.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper::client::conn::http1::SendRequest;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::OwnedSemaphorePermit;

use super::request_body::RequestBody;

/// Sends requests on a connection, one at a time.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) input: Input,
    /// Among all that there may be.
    pub(super) place: OwnedSemaphorePermit,
}

/// The half that answers come on: the connection's task reads it, and an idle one can be looked at.
#[derive(Clone, Debug)]
pub(super) struct Input(Arc<Mutex<OwnedReadHalf>>);

impl Link {
    /// Whether a request can go now. Whatever there is to be read while it is idle is its end,
    /// which the task may not have seen yet.
    pub(super) fn is_free(&self) -> bool {
        self.sender.is_ready() && self.input.is_empty()
    }
}

impl Input {
    pub(super) fn new(half: OwnedReadHalf) -> Self {
        Self(Arc::new(Mutex::new(half)))
    }

    fn is_empty(&self) -> bool {
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let half = self.lock();
        let seen = recv::<_, &mut [u8]>((*half).as_ref(), &mut [0], look);
        matches!(seen, Err(Errno::AGAIN | Errno::INTR))
    }

    fn lock(&self) -> MutexGuard<'_, OwnedReadHalf> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(cx, buffer)
    }
}
