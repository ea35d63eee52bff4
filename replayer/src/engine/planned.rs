//! What the plan says of the requests of a run, whatever has become of the others.

use std::time::Duration;

use crate::prepare::{Request, Session};
use crate::schedule::{Bound, Run};
use crate::time::At;
use scenario::{Load, Pacing};

/// The end of a user's prologue, for which all that follows waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoginEnd {
    pub at: At,
    /// How much later than planned one of its requests ended, beyond what it took when it was
    /// recorded: the most of any.
    pub late: Duration,
}

/// What a plan holds up to `stop`.
#[derive(Clone, Copy)]
pub(super) struct Planned<'a> {
    pub session: &'a Session,
    pub load: &'a Load,
    pub bound: Bound,
    pub stop: At,
    pub login: Option<LoginEnd>,
}

impl Planned<'_> {
    /// Whether a request belongs to it; by closed pacing nothing is due.
    pub(super) fn holds(&self, run: &Run, request: usize) -> bool {
        let is_planned = |due| due < self.stop && self.bound.admits(due, run.number, request);
        self.load.pacing == Pacing::Closed
            || is_planned(run.due(self.session, request, self.load.speed))
    }

    /// When a request of a run that waits for no other is ready by open pacing; none where that
    /// is not known yet.
    pub(super) fn ready_by_plan(&self, run: &Run, request: usize) -> Option<At> {
        let due = run.due(self.session, request, self.load.speed);
        if run.first == 0 && request < self.session.prologue {
            return Some(due);
        }
        self.login.map(|login| login.at.max(due + login.late))
    }

    /// Counts requests of a run from `free` on that wait for no other and are ready by now, up to
    /// `most`.
    pub(super) fn count_free(
        &self,
        run: &Run,
        requests: &[Request],
        mut free: usize,
        now: At,
        most: usize,
    ) -> usize {
        let mut count = 0;
        while count < most
            && free < requests.len()
            && self.holds(run, free)
            && self.ready_by_plan(run, free).is_some_and(|ready| ready <= now)
        {
            count += 1;
            free = requests[free].next_free as usize;
        }
        count
    }
}

/// The first request of a run that waits for no other.
pub(super) fn first_free(run: &Run, requests: &[Request]) -> usize {
    match requests.get(run.first) {
        Some(first) if !first.waits.is_empty() => first.next_free as usize,
        _ => run.first,
    }
}
