//! Where a user's part of a plan ends.

use crate::time::At;

/// The place of a request in its user's plan: by due time, by run, by number.
type Place = (At, usize, usize);

/// Requests of a user from this place on are not part of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound(Place);

impl Bound {
    pub const NONE: Self = Self((At::NEVER, 0, 0));

    pub(super) const fn before(due: At, run: usize, request: usize) -> Self {
        Self((due, run, request))
    }

    /// Whether a request lies before it.
    pub fn admits(self, due: At, run: usize, request: usize) -> bool {
        (due, run, request) < self.0
    }
}
