//! Sorts exchanges by their ends, as the correlator wants them, in a recording that has them
//! roughly in the order of their starts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytes::Bytes;

use crate::exchange::{Exchange, SeenBody};

/// How far apart, in microseconds, two exchanges may stand the wrong way round.
const SLACK_US: u64 = 5_000_000;

/// Bytes, and exchanges, that may be held back.
const MOST_BYTES: usize = 32 << 20;
const MOST: usize = 65_536;

#[derive(Default)]
pub(super) struct Reorder {
    held: BinaryHeap<Reverse<Held>>,
    bytes: usize,
    taken: u64,
    /// The latest start so far.
    latest: u64,
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
        let Reverse(Held { exchange, .. }) = self.held.pop()?;
        self.bytes -= size(&exchange);
        Some(exchange)
    }
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
