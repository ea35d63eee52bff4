//! Rates, speeds and the goals that a rate is asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::typed::{ParseError, TypedValue};

/// Events a second, above zero: `1000/s`, `90/m`, or a bare number a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "TypedValue")]
pub struct Rate(f64);

impl Rate {
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl TryFrom<TypedValue> for Rate {
    type Error = ParseError;

    fn try_from(text: TypedValue) -> Result<Self, ParseError> {
        text.to_string().parse()
    }
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a rate such as 1000/s, 90/m or 2.5");
        let (number, seconds) = match text.trim().split_once('/') {
            Some((number, "s")) => (number, 1.0),
            Some((number, "m" | "min")) => (number, 60.0),
            Some((number, "h")) => (number, 3600.0),
            Some(_) => return Err(error()),
            None => (text, 1.0),
        };
        let number: f64 = number.trim().parse().map_err(|_| error())?;
        if number.is_finite() && number > 0.0 { Ok(Self(number / seconds)) } else { Err(error()) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A rate, of everything or of what a persona or an endpoint does:
/// `1000/s`, `AlertIngestion=1000/s`, `POST /alerts/ingest=1000/s`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "TypedValue")]
pub struct RateGoal {
    /// A persona or an endpoint; none for all.
    pub of: Option<String>,
    pub rate: Rate,
}

impl TryFrom<TypedValue> for RateGoal {
    type Error = ParseError;

    fn try_from(text: TypedValue) -> Result<Self, ParseError> {
        text.to_string().parse()
    }
}

impl FromStr for RateGoal {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.rsplit_once('=') {
            Some((of, rate)) => Ok(Self { of: Some(of.trim().to_owned()), rate: rate.parse()? }),
            None => Ok(Self { of: None, rate: text.parse()? }),
        }
    }
}

impl fmt::Display for RateGoal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(of) => write!(f, "{of}={}", self.rate),
            None => self.rate.fmt(f),
        }
    }
}

/// What offsets, think times and jitter are divided by: above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Speed(f64);

impl Speed {
    /// By less, the longest offset of a trace would be no time that there is.
    const RANGE: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

    /// No wait is anything by it; it cannot be asked for.
    pub const WITHOUT_WAITS: Self = Self(1e9);

    pub fn factor(self) -> f64 {
        self.0
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self(1.0)
    }
}

impl From<Speed> for f64 {
    fn from(speed: Speed) -> Self {
        speed.0
    }
}

impl TryFrom<f64> for Speed {
    type Error = ParseError;

    fn try_from(factor: f64) -> Result<Self, ParseError> {
        if Self::RANGE.contains(&factor) {
            Ok(Self(factor))
        } else {
            Err(ParseError::new(
                &factor.to_string(),
                "a speed such as 2.5, from 0.000001 to 1000000",
            ))
        }
    }
}

impl FromStr for Speed {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.trim_end_matches(['x', '×'])
            .parse::<f64>()
            .ok()
            .and_then(|factor| Self::try_from(factor).ok())
            .ok_or_else(|| ParseError::new(text, "a speed such as 2.5, from 0.000001 to 1000000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_that_makes_no_time_of_an_offset_is_none() {
        for (text, is_good) in
            [("2.5x", true), ("0.000001", true), ("1e-300", false), ("0", false), ("inf", false)]
        {
            assert_eq!(text.parse::<Speed>().is_ok(), is_good, "{text}");
        }
    }
}
