//! Sessions of an access log: one address and user agent without a long pause.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

/// The pause that ends a session, in microseconds; the usual one of web analytics.
const PAUSE_US: u64 = 30 * 60 * 1_000_000;

/// How often finished sessions are removed, in hits.
const LOOK: u64 = 100_000;

/// Takes 32 bytes for each session that is not over, and 16 more where it is logged in; those that
/// are over are forgotten every [`LOOK`] hits.
#[derive(Default)]
pub(super) struct Sessions {
    hashes: RandomState,
    open: HashMap<u64, Open>,
    /// When each session that is logged in began, after its login.
    begun: HashMap<u64, u64>,
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
            // Hits that wait are of the same second, so that their sessions are not over.
            let open: HashSet<u64> = self.open.values().map(|open| open.number).collect();
            self.begun.retain(|number, _| open.contains(number));
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

    /// Notes when a session began, in the time of the trace.
    pub(super) fn begin(&mut self, number: u64, at: u64) {
        self.begun.insert(number, at);
    }

    pub(super) fn begun(&self, number: u64) -> u64 {
        self.begun.get(&number).copied().unwrap_or_default()
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

    #[test]
    fn sessions_that_are_over_are_forgotten_with_their_beginnings() {
        let mut sessions = Sessions::default();
        for hit in 0..10 * LOOK {
            // Another client each second.
            let time = hit * 1_000_000;
            let (number, is_first) = sessions.of(&hit.to_string(), "x", time);
            assert!(is_first);
            sessions.begin(number, time);
        }
        // Half an hour of them, and what came since the last look.
        let most = LOOK as usize + 1_801;
        assert!(sessions.open.len() <= most && sessions.begun.len() <= most);
        let (last, is_first) =
            sessions.of(&(10 * LOOK - 1).to_string(), "x", 10 * LOOK * 1_000_000);
        assert!(!is_first);
        assert_eq!(sessions.begun(last), (10 * LOOK - 1) * 1_000_000);
    }
}
