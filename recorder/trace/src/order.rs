//! What had ended when a request began: the order that a session keeps.
//!
//! Whatever writes requests asks here, so that `after` means the same in every trace. Memory: for
//! each session the exchanges that nothing has come after so far, hardly more than one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use super::format::{RecordedResult, Request};

/// The most exchanges that one is said to come after, those that ended last: of a session in which
/// hundreds overlap, such as all that came from one address, each would name hundreds.
pub const MOST_NAMED: usize = 64;

/// The sessions of a trace so far.
#[derive(Default)]
pub struct Predecessors {
    sessions: HashMap<Box<str>, Session>,
}

/// Its exchanges, without those that another came after. None is compared with all others: a
/// session may have tens of thousands under way at once.
#[derive(Default)]
struct Session {
    /// Those that had not ended when the last one began, the one that ends first on top.
    under_way: BinaryHeap<Reverse<Exchange>>,
    /// The others, in the order in which they ended.
    ended: VecDeque<Exchange>,
    /// Of those, which began last: its number, and when it began.
    latest: Option<(u64, u64)>,
    begun: u64,
}

/// In the order in which they end.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Exchange {
    /// When it ended and began, in microseconds from the start of the recording.
    end: u64,
    /// Of those of its session, by when they began.
    number: u64,
    at: u64,
    id: Arc<str>,
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
        while let Some(Reverse(next)) = self.under_way.peek()
            && next.end <= at
        {
            if let Some(Reverse(exchange)) = self.under_way.pop() {
                self.end(exchange);
            }
        }
        let last = self.ended.len().saturating_sub(MOST_NAMED);
        let mut after: Vec<&Exchange> = self.ended.range(last..).collect();
        after.sort_unstable_by_key(|exchange| exchange.number);
        let after = after.into_iter().map(|exchange| Arc::clone(&exchange.id)).collect();
        let end = at.saturating_add(took);
        if self.under_way.capacity() == 0 {
            // Most sessions never have two, and there may be very many sessions.
            self.under_way.reserve_exact(1);
        }
        self.under_way.push(Reverse(Exchange { end, number: self.begun, at, id: id.into() }));
        self.begun += 1;
        after
    }

    /// Notes the exchange that ended next. What comes later begins no earlier than it ended: of
    /// all that has ended, it is after the one that began last, and those under way when that did.
    fn end(&mut self, exchange: Exchange) {
        if self.latest.is_none_or(|(latest, _)| latest < exchange.number) {
            self.latest = Some((exchange.number, exchange.at));
            while self.ended.front().is_some_and(|earlier| earlier.end <= exchange.at) {
                self.ended.pop_front();
            }
        }
        if self.ended.capacity() == 0 {
            self.ended.reserve_exact(1);
        }
        self.ended.push_back(exchange);
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
    fn where_many_overlap_few_are_named() {
        let mut order = Predecessors::default();
        for number in 0..1000 {
            let after = order.next("s", &number.to_string(), number, 400);
            assert!(after.len() <= MOST_NAMED);
            let last = number.checked_sub(400).map(|last| last.to_string());
            assert!(last.is_none_or(|last| after.iter().any(|id| **id == *last)), "{after:?}");
        }
    }

    #[test]
    fn of_a_long_session_only_its_end_is_held() {
        let mut order = Predecessors::default();
        for number in 0..10_000 {
            let after = order.next("s", &number.to_string(), number * 10, 15);
            assert!(after.len() <= 2, "two overlap at a time: {after:?}");
            let Session { under_way, ended, .. } = &order.sessions["s"];
            assert!(under_way.len() + ended.len() <= 4);
        }
    }

    /// Each compared with each would be twenty thousand million comparisons.
    #[test]
    fn of_those_that_all_overlap_none_is_compared_with_all() {
        let mut order = Predecessors::default();
        for number in 0..100_000 {
            assert!(order.next("s", &number.to_string(), 0, 600).is_empty());
        }
        for number in 100_000..200_000 {
            let after = order.next("s", &number.to_string(), 600, 600);
            assert_eq!(after.len(), MOST_NAMED);
        }
    }
}
