//! What time it is for an expression.

use chrono::{DateTime, Utc};

/// What `now()` and the times relative to it go by.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The same time for ever: rows that are equal on any day.
    Fixed(DateTime<Utc>),
    /// The wall clock, for payloads of live requests.
    System,
}

impl Clock {
    pub(crate) fn now(self) -> DateTime<Utc> {
        match self {
            Self::Fixed(time) => time,
            Self::System => Utc::now(),
        }
    }
}
