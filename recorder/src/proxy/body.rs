//! Bodies on their way through, with a tap on each.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::SendRequest;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::open::{Fault, Open};
use super::pool::Pool;
use trace::format::RecordedErrorKind;

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

type FrameResult = Result<Frame<Bytes>, hyper::Error>;

/// What the client sends.
pub(super) struct RequestBody {
    /// None for a request that is sent again.
    incoming: Option<Incoming>,
    open: Arc<Open>,
    /// A frame that was looked at before the request was sent.
    first: Option<FrameResult>,
    /// Shut until the upstream wants the body (`Expect: 100-continue`).
    shut: Option<oneshot::Receiver<()>>,
}

/// Opens the way for a body once, or never.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl RequestBody {
    pub(super) fn new(incoming: Incoming, open: Arc<Open>) -> Self {
        Self { incoming: Some(incoming), open, first: None, shut: None }
    }

    /// Of a request that has none.
    pub(super) fn empty(open: Arc<Open>) -> Self {
        Self { incoming: None, open, first: None, shut: None }
    }

    pub(super) fn open(&self) -> Arc<Open> {
        Arc::clone(&self.open)
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<FrameResult>> {
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    /// Nothing is taken from the client until the gate is opened; where it is shut for good the
    /// body fails.
    pub(super) fn wait(&mut self) -> Gate {
        let (gate, shut) = oneshot::channel();
        self.shut = Some(shut);
        Gate(Arc::new(Mutex::new(Some(gate))))
    }

    /// Whether what came together with the head is in order. What comes later is looked at when
    /// it does: to wait for it here would keep the head from the upstream.
    pub(super) async fn begins_well(&mut self) -> bool {
        // The first turn asks hyper for the body, by the second it has looked at what it has.
        for _ in 0..2 {
            let frame = std::future::poll_fn(|cx| {
                Poll::Ready(match self.poll_incoming(cx) {
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
            None => ready!(self.poll_incoming(cx)),
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
        self.first.is_none() && self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.incoming, &self.first) {
            (_, Some(_)) => SizeHint::default(),
            (Some(incoming), None) => incoming.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        }
    }
}

/// Whether the coding of a body was wrong, and not its end too early.
fn is_malformed(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(<dyn Error>::downcast_ref::<io::Error>);
    cause.is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
    })
}

/// What the client gets.
pub(super) enum AnswerBody {
    /// The upstream's.
    Passing(Passing),
    /// The proxy's own.
    Own(Option<Bytes>),
}

pub(super) struct Passing {
    incoming: Incoming,
    /// None when it is over.
    under_way: Option<UnderWay>,
}

struct UnderWay {
    open: Arc<Open>,
    line: Line,
}

/// The connection that an answer comes on.
pub(super) struct Line {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) pool: Arc<Pool>,
    pub(super) gate: Option<Gate>,
    /// To be at work upstream.
    pub(super) permit: OwnedSemaphorePermit,
}

impl AnswerBody {
    pub(super) fn passing(incoming: Incoming, open: Arc<Open>, line: Line) -> Self {
        let mut passing = Passing { incoming, under_way: Some(UnderWay { open, line }) };
        passing.end_if_whole();
        Self::Passing(passing)
    }
}

impl Passing {
    /// HTTP/1.1 does not ask for more than a known length, so the end is to be seen before.
    fn end_if_whole(&mut self) {
        if self.incoming.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(UnderWay { open, line }) = self.under_way.take() {
            open.ended();
            line.give_back();
        }
    }
}

impl Line {
    /// Keeps the connection for another request, as soon as this one is sent to its end.
    fn give_back(self) {
        let Self { mut sender, pool, gate, permit } = self;
        if let Some(gate) = gate {
            gate.shut();
        }
        if sender.is_ready() {
            pool.put(sender);
        } else if !sender.is_closed() {
            tokio::spawn(async move {
                // The upstream is at work on it until then.
                let _permit = permit;
                if sender.ready().await.is_ok() {
                    pool.put(sender);
                }
            });
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let passing = match self.get_mut() {
            Self::Own(bytes) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Self::Passing(passing) => passing,
        };
        Poll::Ready(match ready!(Pin::new(&mut passing.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let (Some(data), Some(under_way)) = (frame.data_ref(), &passing.under_way) {
                    under_way.open.answer_data(data);
                }
                // hyper does not ask for more than trailers either.
                if frame.is_trailers() {
                    passing.end();
                } else {
                    passing.end_if_whole();
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                if let Some(UnderWay { open, .. }) = passing.under_way.take() {
                    open.failed(RecordedErrorKind::Reset);
                }
                Some(Err(error.into()))
            }
            None => {
                passing.end();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Passing(passing) => passing.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Passing(passing) => passing.incoming.size_hint(),
        }
    }
}
