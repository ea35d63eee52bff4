//! How many: clones, users, a rate, or stages.

use std::fmt;
use std::str::FromStr;

use super::rate::RateGoal;
use super::stages::Stages;
use super::typed::ParseError;

/// How many.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// Every recorded session runs so many times.
    Clones(u64),
    /// So many users at once.
    Users(u64),
    /// As many users as make this rate.
    Rate(RateGoal),
    /// Users at once, growing in steps.
    Stages(Stages),
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clones(clones) => write!(f, "clones {clones}"),
            Self::Users(users) => write!(f, "users {users}"),
            Self::Rate(goal) => write!(f, "rate {goal}"),
            Self::Stages(stages) => write!(f, "stages {stages}"),
        }
    }
}

impl FromStr for Axis {
    type Err = ParseError;

    /// Reads back what is written of it.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a number of users such as \"users 1000\"");
        let (kind, rest) = text.split_once(' ').ok_or_else(error)?;
        let count = || rest.parse().map_err(|_| error());
        match kind {
            "clones" => Ok(Self::Clones(count()?)),
            "users" => Ok(Self::Users(count()?)),
            "rate" => rest.parse().map(Self::Rate),
            "stages" => rest.parse().map(Self::Stages),
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_reads_back_as_written() {
        for text in [
            "clones 3",
            "users 1000",
            "rate POST /alerts/ingest=1050/s",
            "rate 2.5/s",
            "stages start 100, +100 every 5s, to 400",
        ] {
            assert_eq!(text.parse::<Axis>().unwrap().to_string(), text);
        }
        for text in ["", "users", "users many", "people 3", "stages 3"] {
            assert!(text.parse::<Axis>().is_err(), "{text}");
        }
    }
}
