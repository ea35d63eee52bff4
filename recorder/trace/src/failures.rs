//! How much of a recording had failed already when it was recorded.
//!
//! A trace of failures replays as failures: what fails early spares the target, so that its
//! figures look better than they are. Where it is more than 1 %, the header says so, and whoever
//! reads the trace is told.

use std::collections::BTreeMap;
use std::fmt;

use super::format::{Failures, Mostly, RecordedErrorKind, RecordedResult, Request};

/// Routes that failures are counted of; those of further ones are counted, and are none's.
const MOST_ROUTES: usize = 1000;

/// Counts the requests that a trace will have.
#[derive(Debug, Default)]
pub struct FailureCount {
    requests: u64,
    failed: u64,
    by_route: BTreeMap<(Box<str>, Option<u16>), u64>,
}

/// Whether a result is a failure, and then with which status, if it had one.
pub fn failed(result: &RecordedResult) -> Option<Option<u16>> {
    match result {
        RecordedResult::Answer(answer) => (answer.status >= 400).then_some(Some(answer.status)),
        RecordedResult::Error(error) => {
            (error.kind != RecordedErrorKind::StillOpen).then_some(None)
        }
    }
}

impl FailureCount {
    pub fn add(&mut self, request: &Request) {
        self.requests += 1;
        let Some(status) = failed(&request.result) else { return };
        self.failed += 1;
        let key = (Box::from(request.name.as_str()), status);
        if self.by_route.len() < MOST_ROUTES || self.by_route.contains_key(&key) {
            *self.by_route.entry(key).or_default() += 1;
        }
    }

    /// What the header says; nothing where at most 1 % failed. `named` says what a route is called
    /// in the end, where that is another name.
    pub fn noted(&self, named: impl Fn(&str) -> Option<String>) -> Option<Failures> {
        if u128::from(self.failed) * 100 <= u128::from(self.requests) {
            return None;
        }
        let mut by_name: BTreeMap<(String, Option<u16>), u64> = BTreeMap::new();
        for ((name, status), failed) in &self.by_route {
            let name = named(name).unwrap_or_else(|| name.to_string());
            *by_name.entry((name, *status)).or_default() += failed;
        }
        // Of equals the first by name.
        let ((name, status), failed) =
            by_name.into_iter().rev().max_by_key(|(_, failed)| *failed)?;
        let mostly = Mostly { name, status, failed };
        Some(Failures { requests: self.requests, failed: self.failed, mostly })
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.failed as f64 * 100.0 / self.requests.max(1) as f64;
        let Mostly { name, status, .. } = &self.mostly;
        let how =
            status.map_or_else(|| "without an answer".to_owned(), |status| status.to_string());
        write!(
            f,
            "{share:.0} % of this recording were failures already, mostly {name} {how}: what fails \
             early spares the target, so that its figures look better than they are"
        )
    }
}
