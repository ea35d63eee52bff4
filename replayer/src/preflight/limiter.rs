//! Whether something in front of the target lets through only so much.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::shown;

use super::table::{Check, Row, State, few};

const TOO_MANY: u16 = 429;
const UNAVAILABLE: u16 = 503;

/// So many endpoints are named.
const MOST_NAMED: usize = 3;

/// Characters of a `Retry-After`: a date has 29.
const MOST_SHOWN: usize = 32;

/// Whether a limiter may give this status.
pub(super) const fn is_of_a_limiter(status: u16) -> bool {
    matches!(status, TOO_MANY | UNAVAILABLE)
}

/// An answer of such a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limited {
    status: u16,
    retry_after: Option<String>,
}

impl Limited {
    pub(super) fn new(status: u16, retry_after: Option<&str>) -> Self {
        let shown = |text: &str| shown::shortened(&shown::line(text), MOST_SHOWN).into_owned();
        Self { status, retry_after: retry_after.map(shown) }
    }

    /// A 503 alone may be a target that is ill.
    fn is_limit(&self) -> bool {
        self.status == TOO_MANY || self.retry_after.is_some()
    }
}

/// Which endpoints are limited: by endpoint and status how often, and when to come again.
#[derive(Debug, Default)]
pub(super) struct Limits(BTreeMap<(String, u16), Limit>);

#[derive(Debug, Default)]
struct Limit {
    times: u64,
    retry_after: BTreeSet<String>,
}

impl Limits {
    /// Takes in what was heard, and the endpoints and statuses of the answers, both in their order.
    /// What was heard may be more: logins that renewed a token are no request of the plan.
    pub(super) fn note<'a>(
        &mut self,
        heard: Vec<Limited>,
        answers: impl Iterator<Item = (&'a str, u16)>,
    ) {
        let mut heard = VecDeque::from(heard);
        for (endpoint, status) in answers.filter(|(_, status)| is_of_a_limiter(*status)) {
            let is_it = |limited: &Limited| limited.status == status;
            let Some(found) = heard.iter().position(is_it).and_then(|at| heard.remove(at)) else {
                continue;
            };
            if found.is_limit() {
                self.add(endpoint, found);
            }
        }
        for left in heard.into_iter().filter(Limited::is_limit) {
            self.add("a renewal of a token", left);
        }
    }

    fn add(&mut self, endpoint: &str, Limited { status, retry_after }: Limited) {
        let limit = self.0.entry((endpoint.to_owned(), status)).or_default();
        limit.times += 1;
        limit.retry_after.extend(retry_after);
    }

    pub(super) fn are_seen(&self) -> bool {
        !self.0.is_empty()
    }

    /// None where nothing was sent.
    pub(super) fn row(&self, sent: u64) -> Option<Row> {
        let row = |state, says| Some(Row::new(Check::RateLimiting, state, says));
        if !self.are_seen() {
            let says = format!("none noticed in {sent} requests, one after another");
            return if sent > 0 { row(State::Good, says) } else { None };
        }
        let each = self.0.iter().map(|((endpoint, status), Limit { times, retry_after })| {
            let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
            let after = match retry_after.len() {
                0 => String::new(),
                _ => format!(", Retry-After {}", few(retry_after.iter().cloned(), 2, ", ")),
            };
            format!("{endpoint}: {status} ({times}{after})")
        });
        let each = few(each, MOST_NAMED, "; ");
        row(
            State::Warning,
            format!(
                "{each}. The run would measure the limiter; lift its limit for this machine, or \
                 load the target behind it"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(heard: &[(u16, Option<&str>)], answers: &[(&str, u16)]) -> Limits {
        let mut limits = Limits::default();
        let heard = heard.iter().map(|(status, after)| Limited::new(*status, *after)).collect();
        limits.note(heard, answers.iter().copied());
        limits
    }

    #[test]
    fn each_endpoint_that_is_limited_is_named_with_when_to_come_again() {
        let limits = limits(
            &[(503, None), (429, None), (503, Some("7")), (429, Some("1")), (429, Some("2"))],
            &[("GET /a", 503), ("GET /b", 429), ("GET /a", 200), ("GET /c", 503), ("GET /b", 429)],
        );
        let row = limits.row(5).unwrap();
        assert_eq!(row.state, State::Warning);
        for words in [
            "GET /b: 429 (2 times, Retry-After 1)",
            "GET /c: 503 (once, Retry-After 7)",
            "a renewal of a token: 429 (once, Retry-After 2)",
        ] {
            assert!(row.says.contains(words), "{words:?} is not in {row:?}");
        }
        assert!(!row.says.contains("GET /a"), "{row:?}");
    }

    #[test]
    fn an_illness_is_no_limit() {
        let ill = limits(&[(503, None)], &[("GET /a", 503)]);
        assert_eq!((ill.are_seen(), ill.row(1).unwrap().state), (false, State::Good));
        assert_eq!(ill.row(0), None);
    }
}
