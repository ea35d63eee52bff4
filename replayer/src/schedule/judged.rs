//! When a plan ends, and which of its seconds are judged.

use std::time::Duration;

use super::chain::{Chain, scaled};
use super::users::{PlannedUser, Schedule};
use crate::prepare::Prepared;
use crate::time::At;
use run_log::format::Window;
use scenario::{Load, Speed};

impl PlannedUser {
    /// Just after its last request is due; never where it goes on for ever.
    pub(super) fn ends(&self, plan: &Prepared, speed: Speed) -> At {
        match self.chain {
            Chain::Cycle { .. } => At::NEVER,
            Chain::Once { session } => {
                let last = plan.sessions[session].offsets.last();
                let offset = last.map_or(Duration::ZERO, |offset| offset.duration());
                self.start + scaled(offset, speed) + Duration::from_nanos(1)
            }
        }
    }
}

impl Schedule {
    /// The plan's length in seconds: up to its end or just after its last request is due,
    /// whatever comes first, and a second at least.
    pub fn length_s(&self, plan: &Prepared, load: &Load) -> f64 {
        let last = self.users.iter().map(|user| user.ends(plan, load.speed)).max();
        last.unwrap_or(At::START).min(self.until()).elapsed_s().max(1.0)
    }

    /// What is judged: after ramp and warm-up, up to the end of the plan, the last second by
    /// its length. None where that leaves less than a second.
    pub fn judged(&self, plan: &Prepared, load: &Load) -> Option<Window> {
        let begins = self.ramp_end + load.warmup;
        let start_s = begins.nanos().unsigned_abs().div_ceil(1_000_000_000);
        let end_s = self.length_s(plan, load);
        (start_s as f64 + 1.0 <= end_s).then(|| Window::new(start_s, end_s))
    }
}
