//! Sorts exchanges by their ends, as the correlator wants them, in a recording that has them
//! roughly in the order of their starts.
//!
//! Its times are whoever recorded it said them, and one that waits for a processor says an end late: a
//! browser sends a token before the answer that gave it has ended, by its own clock. It had ended.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use bytes::Bytes;
use redact::{Names, Place, body};

use crate::exchange::{Exchange, SeenBody};

/// How far apart, in microseconds, two exchanges may stand the wrong way round.
const SLACK_US: u64 = 5_000_000;

/// Bytes, and exchanges, that may be held back.
const MOST_BYTES: usize = 32 << 20;
const MOST: usize = 65_536;

/// Characters of a credential that nobody sends who was not given it.
const UNGUESSABLE: usize = 16;

#[derive(Default)]
pub(super) struct Reorder {
    held: BinaryHeap<Reverse<Held>>,
    bytes: usize,
    taken: u64,
    /// The latest start so far.
    latest: u64,
    /// Where ends may be said late.
    shown: Option<Shown>,
}

/// The credentials that requests have shown so far.
struct Shown {
    names: Names,
    digests: HashSet<u64>,
    hasher: RandomState,
}

struct Held {
    end: u64,
    number: u64,
    exchange: Exchange,
}

impl Held {
    fn key(&self) -> (u64, u64) {
        (self.end, self.number)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Reorder {
    /// Of a recording that may say ends late; by these names credentials are known.
    pub(super) fn with_late_ends(names: Names) -> Self {
        let shown = Shown { names, digests: HashSet::new(), hasher: RandomState::new() };
        Self { shown: Some(shown), ..Self::default() }
    }

    pub(super) fn push(&mut self, exchange: Exchange) {
        let took = match &exchange.result {
            Ok(answer) => answer.total_us,
            Err(error) => error.after_us,
        };
        self.latest = self.latest.max(exchange.at);
        self.bytes += size(&exchange);
        self.taken += 1;
        let held = Held { end: exchange.at.saturating_add(took), number: self.taken, exchange };
        self.held.push(Reverse(held));
    }

    /// An exchange that ended before any that may still come.
    pub(super) fn pop_due(&mut self) -> Option<Exchange> {
        let is_full = self.bytes > MOST_BYTES || self.held.len() > MOST;
        let Reverse(first) = self.held.peek()?;
        if is_full || first.end.saturating_add(SLACK_US) <= self.latest { self.pop() } else { None }
    }

    /// The next exchange, whatever may still come.
    pub(super) fn pop(&mut self) -> Option<Exchange> {
        self.put_givers_first();
        let Reverse(Held { exchange, .. }) = self.held.pop()?;
        self.bytes -= size(&exchange);
        Some(exchange)
    }

    /// Has answers that gave the next exchange a credential end before it began.
    fn put_givers_first(&mut self) {
        let Some(Shown { names, digests, hasher }) = &mut self.shown else { return };
        let Some(Reverse(Held { exchange: next, .. })) = self.held.peek() else { return };
        let mut new = credentials(next, names);
        new.retain(|credential| digests.insert(hasher.hash_one(credential)));
        let gave = |held: &Held, began: u64| {
            held.exchange.at < began && held.end > began && gives(&held.exchange, &new)
        };
        if new.is_empty() || !self.held.iter().any(|Reverse(held)| gave(held, next.at)) {
            return;
        }
        let shows = |held: &&Reverse<Held>| {
            credentials(&held.0.exchange, names).iter().any(|shown| new.contains(shown))
        };
        let first = self.held.iter().filter(shows).map(|Reverse(held)| held.exchange.at).min();
        let began = first.unwrap_or(next.at);
        let has_given = |Reverse(held): &Reverse<Held>| gave(held, began);
        let mut all = std::mem::take(&mut self.held).into_vec();
        for giver in all.iter_mut().filter(|held| has_given(held)) {
            let Reverse(Held { end, exchange, .. }) = giver;
            *end = began;
            if let Ok(answer) = &mut exchange.result {
                answer.total_us = began - exchange.at;
                answer.header_us = answer.header_us.min(answer.total_us);
            }
        }
        self.held = all.into();
    }
}

/// What a request has of secrets in its headers.
fn credentials(exchange: &Exchange, names: &Names) -> Vec<String> {
    let texts = exchange.headers.iter().filter_map(|(name, value)| {
        let value = std::str::from_utf8(value).ok()?;
        Some(match name.eq_ignore_ascii_case("cookie") {
            true => body::of_cookies(value, names),
            false => body::of_header(name, value, names),
        })
    });
    let secret = texts.flatten().filter(Place::is_secret);
    secret.map(|place| place.value).filter(|value| value.len() >= UNGUESSABLE).collect()
}

/// Whether one of them stands in an answer.
fn gives(exchange: &Exchange, credentials: &[String]) -> bool {
    let Ok(answer) = &exchange.result else { return false };
    let is_in = |bytes: &[u8]| {
        credentials
            .iter()
            .any(|credential| memchr::memmem::find(bytes, credential.as_bytes()).is_some())
    };
    let of_body = match &answer.body {
        SeenBody::Whole(bytes) => is_in(bytes),
        SeenBody::TooLarge { .. } => false,
    };
    of_body || answer.headers.iter().any(|(_, value)| is_in(value))
}

fn size(exchange: &Exchange) -> usize {
    let of = |body: &SeenBody| match body {
        SeenBody::Whole(bytes) => bytes.len(),
        SeenBody::TooLarge { .. } => 0,
    };
    let heads = |headers: &[(String, Bytes)]| -> usize {
        headers
            .iter()
            .map(|(name, value)| size_of::<(String, Bytes)>() + name.len() + value.len())
            .sum()
    };
    let answer =
        exchange.result.as_ref().map_or(0, |answer| of(&answer.body) + heads(&answer.headers));
    of(&exchange.body) + heads(&exchange.headers) + exchange.path.len() + answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::SeenAnswer;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJlLW9mLTc";

    fn exchange(id: &str, at: u64, total_us: u64, token: Option<&str>, body: &str) -> Exchange {
        let headers = token.map(|token| {
            ("Authorization".to_owned(), Bytes::from(format!("Bearer {token}").into_bytes()))
        });
        Exchange {
            id: id.to_owned(),
            connection: 1,
            at,
            http: "1.1",
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: headers.into_iter().collect(),
            body: SeenBody::Whole(Bytes::new()),
            result: Ok(SeenAnswer {
                status: 200,
                headers: Vec::new(),
                header_us: total_us,
                total_us,
                body: SeenBody::Whole(Bytes::copy_from_slice(body.as_bytes())),
            }),
        }
    }

    /// Ids in their order, and how long each took.
    fn popped(exchanges: impl IntoIterator<Item = Exchange>) -> Vec<(String, u64)> {
        let mut reorder = Reorder::with_late_ends(Names::default());
        exchanges.into_iter().for_each(|exchange| reorder.push(exchange));
        let taken = |exchange: Exchange| (exchange.id, exchange.result.unwrap().total_us);
        std::iter::from_fn(|| reorder.pop().map(taken)).collect()
    }

    #[test]
    fn an_answer_has_ended_before_the_request_that_sends_what_it_gave() {
        let login = exchange("login", 10, 500, None, &format!("{{\"token\": \"{TOKEN}\"}}"));
        let told = popped([
            exchange("page", 0, 900, None, "<p>"),
            login,
            exchange("first", 300, 50, Some(TOKEN), "{}"),
            exchange("second", 320, 20, Some(TOKEN), "{}"),
        ]);
        let expected = [("login", 290), ("second", 20), ("first", 50), ("page", 900)];
        assert_eq!(told, expected.map(|(id, took)| (id.to_owned(), took)));
    }

    #[test]
    fn what_began_later_or_gave_nothing_stays_where_it_is() {
        let told = popped([
            exchange("first", 300, 50, Some(TOKEN), "{}"),
            exchange("later", 310, 500, None, TOKEN),
            exchange("other", 0, 900, None, "nothing of it"),
        ]);
        let expected = [("first", 50), ("later", 500), ("other", 900)];
        assert_eq!(told, expected.map(|(id, took)| (id.to_owned(), took)));
    }
}
