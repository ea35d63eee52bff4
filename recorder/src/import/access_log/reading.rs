//! What a log does not say of itself: in what its durations are counted, which end of a request
//! its times are of, what its fields are called.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::kind::Kind;
use crate::import::format::LONGEST_US;

/// What a duration is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// That of a field which says it in its name: `duration_ms`, `request_time_seconds`, and
    /// nginx's `request_time`, which is in seconds.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        // All of these end with `seconds`, too.
        if ends(&["_ms", "_millis", "milliseconds"]) {
            Some(Self::Millis)
        } else if ends(&["_us", "_micros", "microseconds"]) {
            Some(Self::Micros)
        } else if ends(&["_ns", "_nanos", "nanoseconds"]) {
            Some(Self::Nanos)
        } else if name == "request_time" || ends(&["_s", "_sec", "_secs", "seconds"]) {
            Some(Self::Seconds)
        } else {
            None
        }
    }

    /// In microseconds, a day at most; none for what is no duration.
    pub(super) fn us(self, number: f64) -> Option<u64> {
        let us = match self {
            Self::Seconds => number * 1e6,
            Self::Millis => number * 1e3,
            Self::Micros => number,
            Self::Nanos => number / 1e3,
        };
        (us >= 0.0).then_some((us.round() as u64).min(LONGEST_US))
    }
}

/// What a log does not say of itself.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub fields: FieldMap,
    /// Of its durations.
    pub unit: Option<Unit>,
    /// Whether its times are of a request's start.
    pub is_of_start: Option<bool>,
}

impl Reading {
    pub(super) fn is_of_start(&self, kind: Kind) -> bool {
        self.is_of_start.unwrap_or(kind.is_of_start())
    }
}

/// The names of a JSON log's fields.
#[derive(Clone, Debug, Default)]
pub struct FieldMap(pub(super) BTreeMap<String, String>);

/// Each field with the names that it may have.
pub(super) type Fields = [(&'static str, &'static [&'static str]); 9];

/// The names that fields usually have.
pub(super) const FIELDS: Fields = [
    ("time", &["time", "timestamp", "@timestamp", "ts", "time_iso8601", "time_local", "date"]),
    ("method", &["method", "request_method", "verb", "http_method"]),
    ("path", &["path", "uri", "request_uri", "url", "target"]),
    ("status", &["status", "status_code", "response_code", "http_status"]),
    (
        "duration",
        &[
            "request_time",
            "duration",
            "duration_ms",
            "duration_us",
            "latency",
            "latency_ms",
            "latency_us",
            "response_time",
            "response_time_ms",
        ],
    ),
    ("client", &["client", "remote_addr", "client_ip", "remote_ip", "ip", "x_forwarded_for"]),
    ("agent", &["agent", "user_agent", "http_user_agent", "userAgent"]),
    ("host", &["host", "http_host", "server_name", "authority"]),
    ("size", &["size", "bytes", "body_bytes_sent", "bytes_sent", "response_size"]),
];

impl FromStr for FieldMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut map = BTreeMap::new();
        for pair in text.split(',') {
            let (thing, field) = pair
                .split_once('=')
                .ok_or_else(|| format!("{pair:?} is not of the form time=ts"))?;
            if !FIELDS.iter().any(|(known, _)| *known == thing) || field.is_empty() {
                let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
                return Err(format!("{pair:?}: known are {}", known.join(", ")));
            }
            map.insert(thing.to_owned(), field.to_owned());
        }
        Ok(Self(map))
    }
}
