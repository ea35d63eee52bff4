//! Sessions of an access log: one address and user agent without a long pause.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

/// The pause that ends a session, in microseconds; the usual one of web analytics.
const PAUSE_US: u64 = 30 * 60 * 1_000_000;

/// How often finished sessions are removed, in hits.
const LOOK: u64 = 100_000;

/// Takes 32 bytes for each session that is not over.
#[derive(Default)]
pub(super) struct Sessions {
    hashes: RandomState,
    open: HashMap<u64, Open>,
    count: u64,
    hits: u64,
}

struct Open {
    number: u64,
    last_us: u64,
}

impl Sessions {
    /// The number of the session, from 1, and whether it begins.
    pub(super) fn of(&mut self, client: &str, agent: &str, time_us: u64) -> (u64, bool) {
        self.hits += 1;
        if self.hits.is_multiple_of(LOOK) {
            self.open.retain(|_, open| time_us <= open.last_us.saturating_add(PAUSE_US));
        }
        let who = self.hashes.hash_one((client, agent));
        if let Some(open) = self.open.get_mut(&who)
            && time_us <= open.last_us.saturating_add(PAUSE_US)
        {
            open.last_us = open.last_us.max(time_us);
            return (open.number, false);
        }
        self.count += 1;
        self.open.insert(who, Open { number: self.count, last_us: time_us });
        (self.count, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_a_long_pause_and_is_one_agent_s() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.of("a", "x", 0), (1, true));
        assert_eq!(sessions.of("a", "y", 1), (2, true));
        assert_eq!(sessions.of("a", "x", PAUSE_US), (1, false));
        assert_eq!(sessions.of("a", "x", 2 * PAUSE_US), (1, false));
        assert_eq!(sessions.of("a", "x", 3 * PAUSE_US + 1), (3, true));
    }
}
