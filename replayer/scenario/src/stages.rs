//! Stages: a number of users that grows in steps.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::typed::{ParseError, TypedValue};

/// `start 10000, +1000 every 2m, to 20000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TypedValue")]
pub struct Stages {
    pub start: u64,
    pub step: u64,
    pub every: Duration,
    pub to: u64,
}

const EXPECTED: &str = "stages such as \"start 10000, +1000 every 2m, to 20000\"";

impl Stages {
    /// Users wanted at this time from the start of the run.
    pub fn users_at(&self, elapsed: Duration) -> u64 {
        let steps = elapsed.as_micros() / self.every.as_micros();
        let added = u128::from(self.step) * steps;
        u64::try_from(added).map_or(self.to, |added| self.start.saturating_add(added).min(self.to))
    }

    /// When the last step has lasted as long as the others.
    pub fn duration(&self) -> Duration {
        let steps = (self.to - self.start).div_ceil(self.step);
        self.every * u32::try_from(steps + 1).unwrap_or(u32::MAX)
    }
}

impl TryFrom<TypedValue> for Stages {
    type Error = ParseError;

    fn try_from(text: TypedValue) -> Result<Self, ParseError> {
        text.to_string().parse()
    }
}

impl FromStr for Stages {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).ok_or_else(|| ParseError::new(text, EXPECTED))
    }
}

fn parse(text: &str) -> Option<Stages> {
    let mut parts = text.split(',').map(str::trim);
    let start = parts.next()?.strip_prefix("start ")?.trim().parse().ok()?;
    let (step, every) = parts.next()?.strip_prefix('+')?.split_once(" every ")?;
    let step = step.trim().parse().ok()?;
    let every = humantime::parse_duration(every.trim()).ok()?;
    let to = parts.next()?.strip_prefix("to ")?.trim().parse().ok()?;
    let valid = parts.next().is_none()
        && start > 0
        && step > 0
        && start < to
        && every >= Duration::from_secs(1);
    valid.then_some(Stages { start, step, every, to })
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = humantime::format_duration(self.every);
        write!(f, "start {}, +{} every {every}, to {}", self.start, self.step, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_grow_a_step_at_a_time_up_to_the_end() {
        let stages: Stages = "start 10000, +1000 every 2m, to 12500".parse().unwrap();
        let at = |seconds| stages.users_at(Duration::from_secs(seconds));
        assert_eq!(
            [at(0), at(119), at(120), at(240), at(360), at(9999)],
            [10000, 10000, 11000, 12000, 12500, 12500]
        );
        assert_eq!(stages.duration(), Duration::from_secs(4 * 120));
        assert_eq!(stages.to_string().parse::<Stages>().unwrap(), stages);
    }

    #[test]
    fn what_cannot_grow_is_refused() {
        for text in ["", "start 1", "start 5, +1 every 0s, to 9", "start 5, +0 every 1m, to 9"] {
            assert!(text.parse::<Stages>().is_err(), "{text}");
        }
    }
}
