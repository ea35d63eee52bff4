//! A time as it is typed.

use std::str::FromStr;

use chrono::{DateTime, Utc};

#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) DateTime<Utc>);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = DateTime::parse_from_rfc3339(text);
        time.map(|time| Self(time.to_utc()))
            .map_err(|_| format!("{text} is not a time such as 2026-01-01T00:00:00Z"))
    }
}
