//! The run's clock: nanoseconds of the monotonic clock since second 0.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use tokio::time::Instant;

/// A point in time, in nanoseconds since the start of the run: negative before second 0,
/// which lies a little ahead when the workers are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(i64);

impl At {
    pub const START: Self = Self(0);
    /// Later than any run lasts.
    pub const NEVER: Self = Self(i64::MAX);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// In seconds, zero before second 0.
    pub fn elapsed_s(self) -> f64 {
        self.0.max(0) as f64 / 1e9
    }

    /// The whole second that it lies in; what lies before second 0 is counted there.
    pub const fn second(self) -> u64 {
        if self.0 < 0 { 0 } else { self.0.unsigned_abs() / 1_000_000_000 }
    }

    /// How long after `earlier`, zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

impl Add<Duration> for At {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturated(duration)))
    }
}

impl Sub<Duration> for At {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturated(duration)))
    }
}

fn saturated(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
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

    /// An instant on this clock.
    pub fn at(&self, instant: Instant) -> At {
        match instant.checked_duration_since(self.start) {
            Some(since) => At::START + since,
            None => At::START - (self.start - instant),
        }
    }

    pub fn instant(&self, at: At) -> Instant {
        // A year is later than any run lasts; the instant of `NEVER` would overflow.
        let most = saturated(Duration::from_hours(24 * 365));
        let nanos = Duration::from_nanos(at.nanos().unsigned_abs().min(most.unsigned_abs()));
        if at < At::START {
            // The clock begins with the machine: what lies before has passed as well.
            self.start.checked_sub(nanos).unwrap_or(self.start)
        } else {
            self.start + nanos
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_before_second_0_is_negative() {
        let start = Instant::now() + Duration::from_secs(2);
        let clock = Clock::starting(start);
        let before = clock.at(start - Duration::from_millis(150));
        assert_eq!(before.nanos(), -150_000_000);
        assert!(before < At::START && clock.now() < At::START);
        assert_eq!(clock.instant(before), start - Duration::from_millis(150));
        assert_eq!(At::START.since(before), Duration::from_millis(150));
        assert_eq!((before.since(At::START), before.second()), (Duration::ZERO, 0));
    }
}
