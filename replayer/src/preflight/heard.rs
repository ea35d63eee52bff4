//! What a target's answers say beside their status: when they are of, and when to come again.
//!
//! It is listened to on the way, by a transport of the preflight's own, so that a run's requests
//! have nothing to do with it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chrono::Utc;
use http1::{Connection, Exchange, Method, Progress, SendError, Sink};
use httparse::Header;
use tokio::time::Instant;

use super::clock::Clocks;
use super::limiter::{Limited, is_of_a_limiter};
use crate::engine::{Http, Transport};

/// What was heard so far.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// When the target was first connected to.
    begun: Option<Instant>,
    /// From then to the head of the first answer.
    pub(super) first_answer: Option<Duration>,
    pub(super) clocks: Clocks,
    /// Answers of a status that a limiter gives, in their order.
    pub(super) limited: Vec<Limited>,
}

/// HTTP/1.1 to a destination, listened to.
#[derive(Clone)]
pub(super) struct Listening {
    pub(super) http: Http,
    pub(super) heard: Rc<RefCell<Heard>>,
}

pub(super) struct ListenedTo {
    connection: Connection,
    heard: Rc<RefCell<Heard>>,
}

impl Transport for Listening {
    type Connection = ListenedTo;

    async fn connect(
        &self,
        deadline: Instant,
    ) -> Result<(ListenedTo, Option<Duration>), SendError> {
        self.heard.borrow_mut().begun.get_or_insert_with(Instant::now);
        let (connection, late) = self.http.connect(deadline).await?;
        Ok((ListenedTo { connection, heard: Rc::clone(&self.heard) }, late))
    }

    async fn exchange(
        ListenedTo { connection, heard }: &mut ListenedTo,
        request: &[u8],
        method: Method,
        sink: &mut impl Sink,
    ) -> Result<Exchange, SendError> {
        let mut noting = Noting { sink, heard, sent: Utc::now() };
        Http::exchange(connection, request, method, &mut noting).await
    }

    fn progress(connection: &ListenedTo) -> Progress {
        Http::progress(&connection.connection)
    }
}

/// Passes an answer on, and notes what its head says.
struct Noting<'a, S> {
    sink: &'a mut S,
    heard: &'a RefCell<Heard>,
    sent: chrono::DateTime<Utc>,
}

impl<S: Sink> Sink for Noting<'_, S> {
    fn sent(&mut self) {
        self.sink.sent();
    }

    fn head(&mut self, status: u16, headers: &[Header<'_>]) {
        let value = |name: &str| {
            let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let mut heard = self.heard.borrow_mut();
        if let (None, Some(begun)) = (heard.first_answer, heard.begun) {
            heard.first_answer = Some(begun.elapsed());
        }
        heard.clocks.note(self.sent, Utc::now(), value("date"));
        if is_of_a_limiter(status) {
            heard.limited.push(Limited::new(status, value("retry-after")));
        }
        drop(heard);
        self.sink.head(status, headers);
    }

    fn body(&mut self, bytes: &[u8]) {
        self.sink.body(bytes);
    }
}
