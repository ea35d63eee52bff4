//! Who sends what, and when it is due: one function of (trace, policy).
//!
//! A *session* was recorded; a *clone* is one more run of it; a *user* is one
//! simulated person. A user runs a chain of sessions, and each run has a start
//! that is computed from the plan, so that nothing here depends on the target.

mod bound;
mod chain;
mod ends;
mod judged;
mod limit;
mod phases;
mod rate;
mod shard;
mod users;
mod walk;

pub use bound::Bound;
pub use chain::{Chain, Run, scaled};
pub use ends::{Ends, Stay};
pub use users::{PlannedUser, Policy, Schedule, ScheduleError};
pub use walk::{MOST_SECONDS, Walk, walk};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_rate;
