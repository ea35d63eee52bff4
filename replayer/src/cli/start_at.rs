//! When second 0 is.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::config::ConfigError;

/// `--start-at`: a time of day, or a time from now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StartAt(DateTime<Utc>);

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither a time such as 2026-11-24T10:00:00Z nor seconds from now such as +30")]
pub(super) struct StartAtError(String);

impl FromStr for StartAt {
    type Err = StartAtError;

    fn from_str(text: &str) -> Result<Self, StartAtError> {
        let error = || StartAtError(text.to_owned());
        let Some(seconds) = text.strip_prefix('+') else {
            let time = DateTime::parse_from_rfc3339(text).map_err(|_| error())?;
            return Ok(Self(time.to_utc()));
        };
        let seconds: f64 =
            seconds.strip_suffix('s').unwrap_or(seconds).parse().map_err(|_| error())?;
        let wait = Duration::try_from_secs_f64(seconds).map_err(|_| error())?;
        let wait = TimeDelta::from_std(wait).map_err(|_| error())?;
        Utc::now().checked_add_signed(wait).map(Self).ok_or_else(error)
    }
}

impl From<StartAt> for DateTime<Utc> {
    fn from(start: StartAt) -> Self {
        start.0
    }
}

impl From<DateTime<Utc>> for StartAt {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

/// Second 0 by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub wall: DateTime<Utc>,
    pub instant: Instant,
}

/// Long enough for the run directory to be made and every worker thread to be up.
const LEAD: Duration = Duration::from_millis(150);

impl Start {
    /// As soon as may be.
    pub(super) fn soon() -> Self {
        Self { wall: Utc::now() + LEAD, instant: Instant::now() + LEAD }
    }

    /// # Errors
    /// When there is no time left to get ready until then.
    pub(super) fn at(start: StartAt) -> Result<Self, ConfigError> {
        let (wall, now) = (Utc::now(), Instant::now());
        match (start.0 - wall).to_std() {
            Ok(wait) if wait >= LEAD => Ok(Self { wall: start.0, instant: now + wait }),
            _ => Err(ConfigError::StartPassed { start: start.0, now: wall }),
        }
    }

    /// Waits until it is time to get ready.
    pub(super) async fn lead(self) {
        tokio::time::sleep_until(self.instant - LEAD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_time_of_day_or_seconds_from_now() {
        let start: StartAt = "2026-11-24T10:00:00+01:00".parse().unwrap();
        assert_eq!(start.0.to_rfc3339(), "2026-11-24T09:00:00+00:00");
        let before = Utc::now();
        let start: StartAt = "+30".parse().unwrap();
        assert!(start.0 >= before + TimeDelta::seconds(30));
        for text in ["", "30", "+", "+x", "+-1", "+1e300", "10:00", "2026-11-24"] {
            assert!(text.parse::<StartAt>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_start_in_the_past_is_refused() {
        let start = "2020-01-01T00:00:00Z".parse().unwrap();
        let error = Start::at(start).unwrap_err().to_string();
        assert!(error.contains("2020-01-01 00:00:00 UTC has passed"), "{error}");
    }
}
