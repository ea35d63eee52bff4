//! A request's body on its way to the upstream, with a tap on it.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;

use super::beginnings::Inside;
use super::open::{Fault, Open};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

type FrameResult = Result<Frame<Bytes>, hyper::Error>;

/// What the client sends.
pub(super) struct RequestBody {
    incoming: Incoming,
    open: Arc<Open>,
    /// A frame that was looked at before the request was sent.
    first: Option<FrameResult>,
    /// Shut until the upstream wants the body (`Expect: 100-continue`).
    shut: Option<oneshot::Receiver<()>>,
    /// Until it is dropped, what the client sends is this body (HTTP/1.1).
    _inside: Option<Inside>,
}

/// Lets a body through once, or never.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl RequestBody {
    pub(super) fn new(incoming: Incoming, open: Arc<Open>, inside: Option<Inside>) -> Self {
        Self { incoming, open, first: None, shut: None, _inside: inside }
    }

    /// Takes nothing from the client until the gate is opened. Where it is shut for good, the body
    /// fails.
    pub(super) fn wait(&mut self) -> Gate {
        let (gate, shut) = oneshot::channel();
        self.shut = Some(shut);
        Gate(Arc::new(Mutex::new(Some(gate))))
    }

    /// Whether what arrived together with the head is well formed. What arrives later is checked
    /// then: waiting for it here would keep the head from the upstream.
    pub(super) async fn begins_well(&mut self) -> bool {
        // The first turn asks hyper for the body; by the second it has parsed what it has.
        for _ in 0..2 {
            let frame = std::future::poll_fn(|cx| {
                Poll::Ready(match Pin::new(&mut self.incoming).poll_frame(cx) {
                    Poll::Ready(frame) => frame,
                    Poll::Pending => None,
                })
            });
            self.first = frame.await;
            if self.first.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        !matches!(self.first, Some(Err(_)))
    }
}

impl Gate {
    pub(super) fn open(&self) {
        if let Some(gate) = self.take() {
            // The body may be gone already.
            let _ = gate.send(());
        }
    }

    pub(super) fn shut(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<oneshot::Sender<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(shut) = &mut self.shut {
            if ready!(Pin::new(shut).poll(cx)).is_err() {
                return Poll::Ready(Some(Err("the body was not wanted".into())));
            }
            self.shut = None;
        }
        let frame = match self.first.take() {
            Some(first) => Some(first),
            None => ready!(Pin::new(&mut self.incoming).poll_frame(cx)),
        };
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => {
                if let Some(data) = frame.data_ref() {
                    self.open.request_data(data);
                }
                Ok(frame)
            }
            Err(error) => {
                let malformed = is_malformed(&error);
                self.open.request_fault(if malformed { Fault::Malformed } else { Fault::Gone });
                Err(error.into())
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_some() { SizeHint::default() } else { self.incoming.size_hint() }
    }
}

/// Whether the body's coding was wrong, as opposed to its ending too early.
fn is_malformed(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(<dyn Error>::downcast_ref::<io::Error>);
    cause.is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
    })
}
