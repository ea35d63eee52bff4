//! An answer's body on its way to the client, with a tap on it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::link::Link;
use super::open::Open;
use super::pool::Own;
use super::request_body::{BoxError, Gate};
use trace::format::RecordedErrorKind;

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
    connection: BusyConnection,
}

/// The upstream connection that an answer comes on.
pub(super) struct BusyConnection {
    pub(super) link: Link,
    pub(super) own: Arc<Own>,
    pub(super) gate: Option<Gate>,
}

impl AnswerBody {
    pub(super) fn passing(incoming: Incoming, open: Arc<Open>, connection: BusyConnection) -> Self {
        let mut passing = Passing { incoming, under_way: Some(UnderWay { open, connection }) };
        passing.end_if_whole();
        Self::Passing(passing)
    }
}

impl Passing {
    /// hyper does not poll past a known length, so the end has to be noticed with the last frame.
    fn end_if_whole(&mut self) {
        if self.incoming.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(UnderWay { open, connection }) = self.under_way.take() {
            open.ended();
            connection.give_back();
        }
    }
}

impl BusyConnection {
    /// Keeps the connection for the client as soon as the request has been sent completely.
    fn give_back(self) {
        let Self { mut link, own, gate } = self;
        if let Some(gate) = gate {
            gate.shut();
        }
        if link.sender.is_ready() {
            own.put(link);
        } else if !link.sender.is_closed() {
            tokio::spawn(async move {
                if link.sender.ready().await.is_ok() {
                    own.put(link);
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
                // hyper does not poll past trailers either.
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
