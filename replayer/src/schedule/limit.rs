//! The end of a plan by a number of requests.

use std::cmp::Ordering;
use std::time::Duration;

use super::bound::Bound;
use super::ends::Ends;
use super::users::Schedule;
use super::walk::{each_request, walk};
use crate::prepare::Prepared;
use crate::time::At;
use scenario::Load;

/// The length of a first look for the end; doubled until it is found.
const FIRST_LOOK: Duration = Duration::from_secs(60);

impl Schedule {
    /// Ends the plan with the `most`-th request by due time, if it has so many. Requests that
    /// are due at the same time count in the order of their users.
    #[must_use]
    pub fn at_most(self, plan: &Prepared, load: &Load, most: u64) -> Self {
        let Some(second) = self.second_of(plan, load, most) else { return self };
        let Schedule { mut users, .. } = self;
        let from = At::START + Duration::from_secs(second);
        let until = (from + Duration::from_secs(1)).min(self.end.unwrap_or(At::NEVER));
        let mut before = 0;
        // A user's number is the second key, so that ties are decided the same everywhere.
        let mut within: Vec<(At, usize, usize, usize)> = Vec::new();
        for (index, user) in users.iter().enumerate() {
            each_request(plan, user, load, until, |run, request, due| {
                if due < from {
                    before += 1;
                } else {
                    within.push((due, index, run.number, request));
                }
            });
        }
        let Ok(last) = usize::try_from(most - before - 1) else { return Self { users, ..self } };
        let (_, &mut (due, owner, run, request), _) = within.select_nth_unstable(last);
        let after = due + Duration::from_nanos(1);
        for (index, user) in users.iter_mut().enumerate() {
            user.bound = match index.cmp(&owner) {
                Ordering::Less => Bound::before(after, 0, 0),
                Ordering::Equal => Bound::before(due, run, request + 1),
                Ordering::Greater => Bound::before(due, 0, 0),
            };
        }
        Self { users, end: Some(after), is_limited: true, ..self }
    }

    /// The second in which the `most`-th request is due; none if there are fewer.
    fn second_of(&self, plan: &Prepared, load: &Load, most: u64) -> Option<u64> {
        let end = self.until();
        let mut until = (At::START + FIRST_LOOK).min(end);
        loop {
            let found = walk(plan, &self.users, load, Ends::at(until));
            if found.is_too_long() {
                return None;
            }
            if found.requests >= most {
                let mut counted = 0;
                let reached = |requests: &u64| {
                    counted += requests;
                    counted >= most
                };
                return found.by_second.iter().position(reached).map(|second| second as u64);
            }
            if until >= end || !self.goes_on_after(plan, load, until) {
                return None;
            }
            until = (until + until.since(At::START)).min(end);
        }
    }

    /// Whether anything is due from `until` on.
    fn goes_on_after(&self, plan: &Prepared, load: &Load, until: At) -> bool {
        self.users.iter().any(|user| user.ends(plan, load.speed) >= until)
    }
}
