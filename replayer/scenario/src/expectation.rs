//! Expectations: figures that a run is judged by.
//!
//! `p95 < 100ms`, `failures < 0.1%`, `requests >= 1000/s`, `users >= 10000`,
//! each with an endpoint or a persona before it where it is about that alone:
//! `POST /alerts/ingest: p95 < 200ms`. `load_held >= 98%` is of all requests, and
//! expected by open pacing where nothing else is said of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::percentile::Percentile;
use super::rate::Rate;
use super::typed::{ParseError, TypedValue};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "TypedValue")]
pub struct Expectation {
    pub scope: Scope,
    pub metric: Metric,
    pub comparison: Comparison,
    /// Microseconds, a share from 0 to 1, events a second, or users.
    pub bound: f64,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    /// An endpoint's or a persona's name.
    Named(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Response time at this percentile of the successes.
    Percentile(Percentile),
    Mean,
    Max,
    /// Time since due at this percentile of the successes: response time and session delay.
    SinceDue(Percentile),
    /// Failed of all planned requests that ended, a share.
    Failures,
    /// Successes a second.
    Requests,
    /// Users at once, the fewest of any second of the plateau.
    Users,
    /// Requests that became ready on the plateau, of those planned for it, a share.
    LoadHeld,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    /// Whether it asks for little.
    pub const fn is_upper_bound(self) -> bool {
        matches!(self, Self::Less | Self::AtMost)
    }

    pub fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Less => measured < bound,
            Self::AtMost => measured <= bound,
            Self::More => measured > bound,
            Self::AtLeast => measured >= bound,
        }
    }
}

const EXPECTED: &str =
    "an expectation such as \"p95 < 200ms\", \"failures < 1%\" or \"requests >= 1000/s\"";

impl Expectation {
    /// Whether it bounds the failures of all requests.
    pub fn allows_failures(&self) -> bool {
        self.scope == Scope::All
            && self.metric == Metric::Failures
            && self.comparison.is_upper_bound()
    }
}

impl FromStr for Expectation {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).ok_or_else(|| ParseError::new(text, EXPECTED))
    }
}

impl TryFrom<TypedValue> for Expectation {
    type Error = ParseError;

    fn try_from(text: TypedValue) -> Result<Self, ParseError> {
        text.to_string().parse()
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse(text: &str) -> Option<Expectation> {
    let (scope, rest) = match text.rsplit_once(": ") {
        Some((name, rest)) => (Scope::Named(name.trim().to_owned()), rest),
        None => (Scope::All, text),
    };
    let mut words = rest.split_whitespace();
    let metric = metric(&mut words)?;
    let comparison = match words.next()? {
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::More,
        ">=" => Comparison::AtLeast,
        _ => return None,
    };
    // A unit may stand apart from its number: `98 %`.
    let bound = bound(metric, &words.collect::<String>())?;
    let is_measured = metric != Metric::LoadHeld || scope == Scope::All;
    let valid = is_measured && bound.is_finite() && bound >= 0.0;
    valid.then(|| Expectation { scope, metric, comparison, bound, text: text.trim().to_owned() })
}

fn metric<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Metric> {
    let percentile = |word: &str| word.strip_prefix('p')?.parse().ok();
    Some(match words.next()? {
        "since_due" => Metric::SinceDue(percentile(words.next()?)?),
        "mean" => Metric::Mean,
        "max" => Metric::Max,
        "failures" => Metric::Failures,
        "requests" => Metric::Requests,
        "users" => Metric::Users,
        "load_held" => Metric::LoadHeld,
        word => Metric::Percentile(percentile(word)?),
    })
}

impl Metric {
    /// Whether it is about when requests are due, which by closed pacing none is.
    pub const fn needs_schedule(self) -> bool {
        matches!(self, Self::LoadHeld | Self::SinceDue(_))
    }

    /// Whether it is a time, which says nothing where too many requests fail.
    pub const fn is_latency(self) -> bool {
        matches!(self, Self::Percentile(_) | Self::Mean | Self::Max | Self::SinceDue(_))
    }
}

fn bound(metric: Metric, word: &str) -> Option<f64> {
    match metric {
        Metric::Percentile(_) | Metric::Mean | Metric::Max | Metric::SinceDue(_) => {
            let duration: Duration = humantime::parse_duration(word).ok()?;
            Some(duration.as_secs_f64() * 1e6)
        }
        Metric::Failures | Metric::LoadHeld => {
            Some(word.strip_suffix('%')?.parse::<f64>().ok()? / 100.0)
        }
        Metric::Requests => {
            word.contains('/').then(|| word.parse::<Rate>().ok())?.map(Rate::per_second)
        }
        Metric::Users => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_unit() {
        let bound = |text: &str| text.parse::<Expectation>().unwrap().bound;
        assert_eq!(bound("p95 < 100ms"), 100_000.0);
        assert_eq!(bound("p99.9 <= 1s"), 1_000_000.0);
        assert_eq!(bound("since_due p95 < 2s"), 2_000_000.0);
        assert_eq!(bound("failures < 0.1%"), 0.001);
        assert_eq!(bound("requests >= 1000/s"), 1000.0);
        assert_eq!(bound("users >= 10000"), 10000.0);
        assert_eq!(bound("load_held >= 98 %"), 0.98);
    }

    #[test]
    fn a_name_before_the_colon_is_the_scope() {
        let expectation: Expectation = "POST /alerts/ingest: p95 < 200ms".parse().unwrap();
        assert_eq!(expectation.scope, Scope::Named("POST /alerts/ingest".to_owned()));
        assert_eq!(expectation.to_string(), "POST /alerts/ingest: p95 < 200ms");
    }

    #[test]
    fn what_has_no_unit_or_no_meaning_is_refused() {
        for text in [
            "p95 < 100",
            "p100 < 1s",
            "failures < 1",
            "requests > 5",
            "latency < 1s",
            "since_due < 1s",
            "users >= ",
            "failures < 1% 2%",
            "GET /: load_held >= 98%",
            "",
        ] {
            assert!(text.parse::<Expectation>().is_err(), "{text}");
        }
    }
}
