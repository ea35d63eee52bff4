//! The run's clock: nanoseconds of the monotonic clock since second 0.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use tokio::time::Instant;

/// A point in time, in nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(u64);

impl At {
    pub const START: Self = Self(0);
    /// Later than any run lasts.
    pub const NEVER: Self = Self(u64::MAX);

    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The whole second that it lies in.
    pub const fn second(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// How long after `earlier`, zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for At {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for At {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0 as f64 / 1e9)
    }
}

/// Reads the monotonic clock as [`At`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose second 0 is `start`, which may lie ahead.
    pub fn starting(start: Instant) -> Self {
        Self { start }
    }

    pub fn now(&self) -> At {
        self.at(Instant::now())
    }

    /// An instant on this clock; what lies before second 0 is second 0.
    pub fn at(&self, instant: Instant) -> At {
        At::START + instant.saturating_duration_since(self.start)
    }

    pub fn instant(&self, at: At) -> Instant {
        // A year is later than any run lasts; the instant of `NEVER` would overflow.
        let nanos = at.nanos().min(Duration::from_hours(24 * 365).as_nanos() as u64);
        self.start + Duration::from_nanos(nanos)
    }
}
