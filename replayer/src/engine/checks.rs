//! Whether an answer is what the scenario's checks ask of it.

use std::sync::Arc;

use httparse::Header;
use serde_json::Value;

use scenario::{Asks, Check};

/// The checks of an endpoint, each with its number among all of the scenario.
#[derive(Clone, Debug, Default)]
pub struct Checks(Vec<(u16, Arc<Check>)>);

/// Of those that have a name each, the checks of each endpoint.
pub fn by_endpoint(checks: &[Check], endpoints: &[String]) -> Vec<Checks> {
    let all: Vec<(u16, Arc<Check>)> =
        (0..).zip(checks).map(|(number, check)| (number, Arc::new(check.clone()))).collect();
    let of = |endpoint: &String| {
        let is_its = |(_, check): &&(u16, Arc<Check>)| {
            check.endpoint.as_ref().is_none_or(|name| name == endpoint)
        };
        Checks(all.iter().filter(is_its).cloned().collect())
    };
    endpoints.iter().map(of).collect()
}

impl Checks {
    /// Whether the whole body must be kept.
    pub(super) fn need_body(&self) -> bool {
        self.0.iter().any(|(_, check)| check.asks.is_of_body())
    }

    /// The first that the head misses.
    pub(super) fn missed_by_head(&self, headers: &[Header<'_>]) -> Option<u16> {
        let holds = |asks: &Asks| match asks {
            Asks::Header { name, is } => {
                let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                is.holds_of_text(found.and_then(|found| std::str::from_utf8(found.value).ok()))
            }
            _ => true,
        };
        self.first_missed(holds)
    }

    /// The first that the body misses. One that cannot be looked into, for it is too large or its
    /// coding is not what it says, misses all that is asked of what is in it.
    pub(super) fn missed_by_body(&self, body: Option<&[u8]>, size: u64) -> Option<u16> {
        // Parsed once, however many pointers go into it.
        let mut json = None;
        let holds = |asks: &Asks| match (asks, body) {
            (Asks::Header { .. }, _) => true,
            (Asks::Size { comparison, bytes }, _) => comparison.holds(size as f64, *bytes as f64),
            (_, None) => false,
            (Asks::Text { text, is_there }, Some(body)) => {
                let found = memchr::memmem::find(body, text.as_bytes()).is_some();
                found == *is_there
            }
            (Asks::Json { pointer, is }, Some(body)) => {
                let json: &Option<Value> =
                    json.get_or_insert_with(|| serde_json::from_slice(body).ok());
                json.as_ref().is_some_and(|json| is.holds(json.pointer(pointer)))
            }
        };
        self.first_missed(holds)
    }

    fn first_missed(&self, mut holds: impl FnMut(&Asks) -> bool) -> Option<u16> {
        let missed = self.0.iter().find(|(_, check)| !holds(&check.asks));
        missed.map(|(number, _)| *number)
    }
}
