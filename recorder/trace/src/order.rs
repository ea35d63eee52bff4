//! What had ended when a request began: the order that a session keeps.
//!
//! Whatever writes requests asks here, so that `after` means the same in every trace. Memory: for
//! each session the exchanges that nothing has come after so far, hardly more than one.

use std::collections::HashMap;
use std::sync::Arc;

use super::format::{RecordedResult, Request};

/// The sessions of a trace so far.
#[derive(Default)]
pub struct Predecessors {
    sessions: HashMap<Box<str>, Session>,
}

#[derive(Default)]
struct Session {
    /// Its exchanges in the order in which they began, without those that another came after.
    last: Vec<Exchange>,
}

struct Exchange {
    id: Arc<str>,
    /// When it began and ended, in microseconds from the start of the recording.
    at: u64,
    end: u64,
}

impl Predecessors {
    /// Notes the next request by (`at`, `id`), and has its `after` name the exchanges of its
    /// session that had ended before it began, the last of each chain.
    pub fn fill(&mut self, request: &mut Request) {
        let Request { id, at, session, result, .. } = request;
        let after = self.next(session, id, *at, result.took_us());
        request.after = after.iter().map(|id| String::from(&**id)).collect();
    }

    /// As [`Predecessors::fill`], for a request of which only this is at hand.
    pub(super) fn next(&mut self, session: &str, id: &str, at: u64, took: u64) -> Vec<Arc<str>> {
        if !self.sessions.contains_key(session) {
            self.sessions.insert(session.into(), Session::default());
        }
        self.sessions.get_mut(session).map_or_else(Vec::new, |session| session.next(id, at, took))
    }
}

impl Session {
    fn next(&mut self, id: &str, at: u64, took: u64) -> Vec<Arc<str>> {
        let after = self.ended_by(at).map(|exchange| Arc::clone(&exchange.id)).collect();
        // What comes later begins no earlier: of all that has ended by now, it is after these only.
        if let Some(latest) = self.latest(at) {
            let begun = self.last[latest].at;
            let mut index = 0;
            self.last.retain(|exchange| {
                index += 1;
                index > latest || exchange.end > begun
            });
        }
        self.last.push(Exchange { id: id.into(), at, end: at.saturating_add(took) });
        after
    }

    /// Of the exchanges that have ended by this time, the one that began last.
    fn latest(&self, at: u64) -> Option<usize> {
        self.last.iter().rposition(|exchange| exchange.end <= at)
    }

    /// The exchanges that have ended by this time and that no other of these came after: the one
    /// that began last, and those that were under way when it did.
    fn ended_by(&self, at: u64) -> impl Iterator<Item = &Exchange> {
        let latest = self.latest(at);
        let begun = latest.map_or(0, |latest| self.last[latest].at);
        let known = self.last.iter().enumerate();
        let ended = known.filter(move |(_, exchange)| exchange.end <= at);
        ended
            .filter(move |(index, exchange)| Some(*index) == latest || exchange.end > begun)
            .map(|(_, exchange)| exchange)
    }
}

impl RecordedResult {
    /// How long the exchange took, in microseconds.
    pub fn took_us(&self) -> u64 {
        match self {
            Self::Answer(answer) => answer.total_us,
            Self::Error(error) => error.after_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each exchange that ended before another began, without those that a third lies between.
    fn reduced(times: &[(u64, u64)]) -> Vec<Vec<usize>> {
        let ended =
            |one: usize, other: usize| one < other && times[one].0 + times[one].1 <= times[other].0;
        let of = |number: usize| {
            let before = (0..number).filter(|&one| ended(one, number));
            before
                .filter(|&one| !(0..number).any(|two| ended(one, two) && ended(two, number)))
                .collect()
        };
        (0..times.len()).map(of).collect()
    }

    proptest! {
        #[test]
        fn after_is_the_transitive_reduction_of_what_had_ended(
            times in prop::collection::vec((0..30_u64, 0..12_u64), 0..40)
        ) {
            let mut times = times;
            times.sort_by_key(|(at, _)| *at);
            let mut order = Predecessors::default();
            for (number, (&(at, took), expected)) in times.iter().zip(reduced(&times)).enumerate() {
                // Another session in between is none of this one's.
                order.next("other", &format!("other {number}"), at, 0);
                let after = order.next("s", &number.to_string(), at, took);
                let mut after: Vec<usize> = after.iter().map(|id| id.parse().unwrap()).collect();
                after.sort_unstable();
                prop_assert_eq!(after, expected, "{} of {:?}", number, times);
            }
        }
    }

    #[test]
    fn of_a_long_session_only_its_end_is_held() {
        let mut order = Predecessors::default();
        for number in 0..10_000 {
            let after = order.next("s", &number.to_string(), number * 10, 15);
            assert!(after.len() <= 1, "two overlap at a time: {after:?}");
            assert!(order.sessions["s"].last.len() <= 4);
        }
    }
}
