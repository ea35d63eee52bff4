//! One attempt to send a request: connects if need be, sends, and reads the answer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::context::Context;
use super::transport::Transport;
use crate::pacer::Alarm;
use crate::prepare::Request;
use crate::schedule::Stay;
use crate::time::At;
use http1::{Exchange, Method, SendError, Sink};
use httparse::Header;
use run_log::outcome::Outcome;

/// When an attempt to send a request begins, and by when it must have ended.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub begun: At,
    pub deadline: At,
    pub sending: Sending,
}

/// Statuses by which a target says that it is busy, and not that the login is wrong.
const BUSY: [u16; 3] = [408, 425, 429];

/// What came of one attempt to send a request.
pub(super) struct Attempt {
    pub outcome: Outcome,
    /// Of a completed one; else 0.
    pub status: u16,
    pub end: At,
    /// When it had a connection: one that was opened, once the target had accepted it, however
    /// much later the generator saw that.
    pub connected: Option<At>,
    pub connect: Option<Duration>,
    pub first_byte_sent: Option<At>,
    /// When this attempt began.
    pub begun: At,
    /// What the generator itself added to the time from its beginning to its end: between having
    /// a connection and sending the first byte, while the answer lay in the kernel unread, and
    /// where it did not run while a request went out piece by piece.
    /// Where the kernel does not tell, what of the wait the worker did not run.
    pub own_delay: Duration,
    pub body_bytes: u64,
    /// A reused connection ended before any byte of an answer.
    pub was_stale: bool,
}

impl Attempt {
    pub(super) fn unsent(outcome: Outcome, end: At) -> Self {
        Self {
            outcome,
            status: 0,
            end,
            connected: None,
            connect: None,
            first_byte_sent: None,
            begun: end,
            own_delay: Duration::ZERO,
            body_bytes: 0,
            was_stale: false,
        }
    }

    pub(super) fn is_completed(&self) -> bool {
        self.outcome == Outcome::Completed
    }

    /// Whether the answer, if it is to a login, says that the next one will be no better.
    pub(super) fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && !BUSY.contains(&self.status)
    }
}

/// What an attempt is counted as when its first byte goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// The planned request, for the first time.
    Planned,
    /// The same once more.
    Retry,
    Renewal,
}

/// Passes an answer on, and counts the request when it leaves.
struct Counted<'a, S, T> {
    answer: &'a mut S,
    context: &'a Context<T>,
    sending: Sending,
}

impl<S: Sink, T> Sink for Counted<'_, S, T> {
    fn sent(&mut self) {
        self.context.count(|batch| match self.sending {
            Sending::Planned => batch.sent += 1,
            Sending::Retry => batch.extra.retries += 1,
            Sending::Renewal => batch.extra.renewals += 1,
        });
    }

    fn head(&mut self, status: u16, headers: &[Header<'_>]) {
        self.answer.head(status, headers);
    }

    fn body(&mut self, bytes: &[u8]) {
        self.answer.body(bytes);
    }
}

/// Sends a user's requests over one connection, which it opens when it needs one.
pub(super) struct Sender<'a, T: Transport> {
    context: &'a Context<T>,
    /// How long its user stays.
    stay: Stay,
    connection: Option<T::Connection>,
    /// Of the user that the connection belongs to, where users are replaced.
    generation: u64,
    /// Goes off when an exchange takes too long.
    alarm: Alarm<'a>,
}

impl<'a, T: Transport> Sender<'a, T> {
    pub(super) fn new(context: &'a Context<T>, stay: Stay) -> Self {
        let alarm = Alarm::of(&context.pacer);
        Self { context, stay, connection: None, generation: 0, alarm }
    }

    pub(super) fn context(&self) -> &'a Context<T> {
        self.context
    }

    /// Connects if need be, and sends `bytes` once, for the user of this generation.
    pub(super) async fn exchange(
        &mut self,
        generation: u64,
        request: &Request,
        bytes: &[u8],
        answer: &mut impl Sink,
        Times { begun, deadline, sending }: Times,
    ) -> Attempt {
        let context = self.context;
        let _under_way = context.under_way();
        if std::mem::replace(&mut self.generation, generation) != generation {
            self.connection = None;
        }
        let (mut connected, mut connect) = (begun, None);
        let method = if request.is_head { Method::Head } else { Method::Other };
        let (connection, ended) = loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => {
                    let begun = context.clock.now();
                    let opened = self.connect(begun, deadline).await;
                    let now = context.clock.now();
                    let asleep = context.gaps.within(begun, now);
                    match opened {
                        Ok((connection, late)) => {
                            let late = late.unwrap_or(asleep);
                            let took = now.since(begun).saturating_sub(late);
                            (connected, connect) = (begun + took, Some(took));
                            connection
                        }
                        Err(outcome) => {
                            let unsent = Attempt::unsent(outcome, now);
                            return Attempt { begun, own_delay: asleep, ..unsent };
                        }
                    }
                }
            };
            let mut sink = Counted { answer: &mut *answer, context, sending };
            let exchange = T::exchange(&mut connection, bytes, method, &mut sink);
            let ended = self.within(deadline, exchange).await;
            // A connection that was just opened is never stale, so that this is done twice at most.
            if !matches!(ended, Ok(Err(SendError::Stale))) {
                break (connection, ended);
            }
        };
        let progress = T::progress(&connection);
        context.count(|batch| {
            batch.bytes_sent += progress.bytes_sent;
            batch.bytes_received += progress.bytes_received;
        });
        let (outcome, status, end, body_bytes, unread_for) = match &ended {
            Ok(Ok(Exchange { status, done, body_bytes, unread_for, .. })) => {
                (Outcome::Completed, *status, context.clock.at(*done), *body_bytes, *unread_for)
            }
            Ok(Err(error)) => (outcome_of(error), 0, context.clock.now(), 0, None),
            Err(outcome) => (*outcome, 0, context.clock.now(), 0, None),
        };
        let first_byte_sent = progress.first_byte_sent.map(|at| context.clock.at(at));
        let sent = first_byte_sent.unwrap_or(connected);
        let all_sent = progress.all_sent.map_or(end, |at| context.clock.at(at));
        let unread_for = match outcome {
            // What had come by then would have been read.
            Outcome::TimedOut => end.since(deadline),
            _ => match unread_for {
                // Nor does the kernel tell how long it had room for the rest of a request.
                Some(unread_for) => {
                    unread_for + context.gaps.within(sent, all_sent.min(end - unread_for))
                }
                None => context.gaps.within(sent, end),
            },
        };
        // No answer came before its request left, whatever the wall clock did meanwhile.
        let unread_for = unread_for.min(end.since(sent));
        if matches!(&ended, Ok(Ok(exchange)) if exchange.reusable) {
            self.connection = Some(connection);
        }
        Attempt {
            outcome,
            status,
            end,
            connected: Some(connected),
            connect,
            first_byte_sent,
            begun,
            own_delay: sent.since(connected) + unread_for,
            body_bytes,
            was_stale: matches!(ended, Ok(Err(SendError::StaleReset { .. }))),
        }
    }

    /// A fresh connection, and how late it was noticed.
    async fn connect(
        &self,
        begun: At,
        deadline: At,
    ) -> Result<(T::Connection, Option<Duration>), Outcome> {
        let context = self.context;
        let by = (begun + context.settings.connect_timeout).min(deadline);
        let opened = tokio::select! {
            opened = context.transport.connect(context.clock.instant(by)) => opened,
            () = context.cut(self.stay) => return Err(Outcome::CutOff),
        };
        let opened = opened.map_err(|error| outcome_of(&error))?;
        context.count(|batch| batch.connections_opened += 1);
        Ok(opened)
    }

    /// What `work` gives, unless it is still under way at the deadline, or when all that is
    /// under way is cut off.
    async fn within<F: Future>(&mut self, deadline: At, work: F) -> Result<F::Output, Outcome> {
        let mut work = pin!(work);
        poll_fn(|task| {
            if let Poll::Ready(done) = work.as_mut().poll(task) {
                return Poll::Ready(Ok(done));
            }
            if self.context.is_cut(self.stay) {
                return Poll::Ready(Err(Outcome::CutOff));
            }
            self.alarm.poll_at(deadline, task).map(|()| Err(Outcome::TimedOut))
        })
        .await
    }
}

fn outcome_of(error: &SendError) -> Outcome {
    match error {
        SendError::ConnectFailed { .. } | SendError::ConnectTimedOut { .. } => {
            Outcome::ConnectFailed
        }
        SendError::TlsFailed { .. } => Outcome::TlsFailed,
        SendError::Stale
        | SendError::StaleReset { .. }
        | SendError::Reset { .. }
        | SendError::Protocol { .. } => Outcome::Reset,
        SendError::LocalLimit { .. } => Outcome::LocalLimit,
    }
}
