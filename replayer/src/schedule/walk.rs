//! Counts what the plan holds, without running it.

use super::chain::Run;
use super::ends::Ends;
use super::users::PlannedUser;
use crate::prepare::Prepared;
use crate::time::At;
use run_log::format::Window;
use scenario::Load;

/// The longest plan, in seconds: 31 days. It is counted second by second, so that this bounds
/// what a trace takes whose lines lie far apart: 21 MB for each count.
pub const MOST_SECONDS: usize = 31 * 86_400;

/// What a walk of the schedule found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    pub requests: u64,
    /// By second of their due times; what is due after [`MOST_SECONDS`] is the last one.
    pub by_second: Vec<u64>,
}

impl Walk {
    /// Whether something is due after [`MOST_SECONDS`].
    pub fn is_too_long(&self) -> bool {
        self.by_second.len() > MOST_SECONDS
    }

    /// Requests that are due in these seconds.
    pub fn within(&self, window: Window) -> u64 {
        let seconds = (0_u64..).zip(&self.by_second);
        let within = seconds.filter(|(at, _)| window.contains(*at));
        within.map(|(_, count)| count).sum()
    }
}

/// Walks the users' chains and counts the requests that are due before these ends.
///
/// The engine keeps its own count of outcomes; the two must agree.
pub fn walk<'a>(
    plan: &Prepared,
    users: impl IntoIterator<Item = &'a PlannedUser>,
    load: &Load,
    ends: Ends,
) -> Walk {
    let mut found = Walk::default();
    for user in users {
        each_request(plan, user, load, ends.of(user.stay), |_, _, due| {
            found.requests += 1;
            let second = usize::try_from(due.second()).unwrap_or(MOST_SECONDS).min(MOST_SECONDS);
            if found.by_second.len() <= second {
                found.by_second.resize(second + 1, 0);
            }
            found.by_second[second] += 1;
        });
    }
    found
}

/// Calls `found` for every request of a user that is due before `until`, with its run, its
/// number in that, and when it is due.
pub(super) fn each_request(
    plan: &Prepared,
    user: &PlannedUser,
    load: &Load,
    until: At,
    mut found: impl FnMut(&Run, usize, At),
) {
    let mut run = user.chain.first(&plan.personas[user.persona].sessions, user.start);
    while let Some(current) = run.filter(|run| run.start < until) {
        let session = &plan.sessions[current.session];
        for request in current.first..session.offsets.len() {
            let due = current.due(session, request, load.speed);
            if due < until && user.bound.admits(due, current.number, request) {
                found(&current, request, due);
            }
        }
        run = user.chain.next(current, plan, load.speed, load.restart);
    }
}
