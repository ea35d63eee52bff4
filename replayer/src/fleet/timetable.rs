//! What comes how long before second 0: lead and workers keep to the same times.

use chrono::TimeDelta;

/// All are armed, at least so long before.
pub(super) const ARMED: TimeDelta = TimeDelta::seconds(4);
/// All have to have confirmed it.
pub(super) const CONFIRMED: TimeDelta = TimeDelta::milliseconds(1200);
/// A worker reads the plan once more, and tells its process: after the lead could have said that the
/// start is off, and early enough for a worker that is held up for half a second. The process itself
/// needs 150 ms of it.
pub(super) const LAST_LOOK: TimeDelta = TimeDelta::milliseconds(900);
