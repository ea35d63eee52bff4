//! Expectations: figures that a run is judged by.
//!
//! `p95 < 100ms`, `failures < 0.1%`, `requests >= 1000/s`, `users >= 10000`, `service p95 < 80ms`,
//! `since_due p99 < 2s`, `lag p99 < 5ms`, each with an endpoint or a persona before it where it is
//! about that alone: `POST /alerts/ingest: p95 < 200ms`. Of all requests alone are `unbound < 1%`,
//! `fidelity >= 99%` and `load_held >= 98%`, which is expected by open pacing where nothing else is
//! said of it; and `lost <= 0`, `duplicated <= 0` and `unacknowledged <= 0`, which the audit counts. Of a phase is what has it before it: `phase ramp: p95 < 1s`, `phase step 3: failures <
//! 1%`. k6's words are understood, too: `p(95)<200ms`, `avg`, `med`, `rate`, `failed`.

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
    /// In the metric's [`unit`](Metric::unit).
    pub bound: f64,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    /// An endpoint's or a persona's name.
    Named(String),
    /// A phase's name: all requests that ended in its seconds.
    Phase(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Response time at this percentile of the successes.
    Percentile(Percentile),
    Mean,
    Max,
    /// Time since due at this percentile of the successes: response time and session delay.
    SinceDue(Percentile),
    /// Service time at this percentile of the completed requests.
    Service(Percentile),
    /// The generator share at this percentile of all requests.
    Lag(Percentile),
    /// Failed of all planned requests that ended, a share.
    Failures,
    /// Not sent for lack of a value, of all planned requests that ended, a share.
    Unbound,
    /// Answers as recorded in status, and in shape where shapes were compared, a share of those
    /// that were compared.
    Fidelity,
    /// Successes a second.
    Requests,
    /// Users at once, the fewest of any second of the plateau.
    Users,
    /// Requests that became ready on the plateau, of those planned for it, a share.
    LoadHeld,
    /// By the audit: marks that the target acknowledged and that are not in its database.
    Lost,
    /// By the audit: marks that are in it more than once.
    Duplicated,
    /// By the audit: marks that are in it though the client saw a failure, or no answer.
    Unacknowledged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricUnit {
    Microseconds,
    /// From 0 to 1.
    Share,
    PerSecond,
    Users,
    /// Of the whole run.
    Count,
}

impl Comparison {
    /// What begins before what begins with it.
    const SIGNS: [(&'static str, Self); 4] =
        [("<=", Self::AtMost), ("<", Self::Less), (">=", Self::AtLeast), (">", Self::More)];

    /// The comparison with which a text begins, and the rest.
    pub(crate) fn beginning(text: &str) -> Option<(Self, &str)> {
        Self::SIGNS
            .iter()
            .find_map(|(sign, comparison)| Some((*comparison, text.strip_prefix(sign)?)))
    }

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

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Self::SIGNS.iter().find(|(_, comparison)| comparison == self);
        f.write_str(sign.map_or("", |(sign, _)| sign))
    }
}

const EXPECTED: &str =
    "an expectation such as \"p95 < 200ms\", \"failures < 1%\" or \"requests >= 1000/s\"";

impl Expectation {
    /// The phase that it is about.
    pub fn phase(&self) -> Option<&str> {
        match &self.scope {
            Scope::Phase(name) => Some(name),
            Scope::All | Scope::Named(_) => None,
        }
    }

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
        Some((name, rest)) => (scope_of(name.trim()), rest),
        None => (Scope::All, text),
    };
    let (words, rest) = rest.split_at(rest.find(['<', '>'])?);
    let metric = metric(words.split_whitespace())?;
    let (comparison, rest) = Comparison::beginning(rest)?;
    // A unit may stand apart from its number: `98 %`.
    let bound = bound(metric, &rest.split_whitespace().collect::<String>())?;
    let is_measured = match scope {
        Scope::All => true,
        Scope::Named(_) => !metric.is_of_all(),
        Scope::Phase(_) => metric.is_of_a_phase(),
    };
    let valid = is_measured && bound.is_finite() && bound >= 0.0;
    valid.then(|| Expectation { scope, metric, comparison, bound, text: text.trim().to_owned() })
}

fn scope_of(name: &str) -> Scope {
    match name.strip_prefix("phase ") {
        Some(phase) => Scope::Phase(phase.trim().to_owned()),
        None => Scope::Named(name.to_owned()),
    }
}

fn metric<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Metric> {
    let metric = match words.next()? {
        "since_due" => Metric::SinceDue(percentile(words.next()?)?),
        "service" => Metric::Service(percentile(words.next()?)?),
        "lag" => Metric::Lag(percentile(words.next()?)?),
        "mean" | "avg" => Metric::Mean,
        "max" => Metric::Max,
        "failures" | "failed" => Metric::Failures,
        "requests" | "rate" => Metric::Requests,
        "users" => Metric::Users,
        "unbound" => Metric::Unbound,
        "fidelity" => Metric::Fidelity,
        "load_held" => Metric::LoadHeld,
        "lost" => Metric::Lost,
        "duplicated" => Metric::Duplicated,
        "unacknowledged" => Metric::Unacknowledged,
        word => Metric::Percentile(percentile(word)?),
    };
    words.next().is_none().then_some(metric)
}

/// `p95`, or k6's `p(95)` and `med`.
fn percentile(word: &str) -> Option<Percentile> {
    if word == "med" {
        return Some(Percentile::P50);
    }
    let number = word.strip_prefix('p')?;
    let inner = number.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    inner.unwrap_or(number).parse().ok()
}

impl Metric {
    pub const fn unit(self) -> MetricUnit {
        match self {
            Self::Percentile(_)
            | Self::Mean
            | Self::Max
            | Self::SinceDue(_)
            | Self::Service(_)
            | Self::Lag(_) => MetricUnit::Microseconds,
            Self::Failures | Self::LoadHeld | Self::Unbound | Self::Fidelity => MetricUnit::Share,
            Self::Requests => MetricUnit::PerSecond,
            Self::Users => MetricUnit::Users,
            Self::Lost | Self::Duplicated | Self::Unacknowledged => MetricUnit::Count,
        }
    }

    /// Whether it is about when requests are due, which by closed pacing none is.
    pub const fn needs_schedule(self) -> bool {
        matches!(self, Self::LoadHeld | Self::SinceDue(_))
    }

    /// Whether it is a figure of all requests together, which no endpoint and no persona has.
    const fn is_of_all(self) -> bool {
        matches!(self, Self::LoadHeld | Self::Unbound | Self::Fidelity) || self.is_of_audit()
    }

    /// Whether it is measured of a phase, too: answers are compared, and marks counted, of the whole
    /// run alone.
    pub const fn is_of_a_phase(self) -> bool {
        !matches!(self, Self::Fidelity) && !self.is_of_audit()
    }

    /// Whether the audit counts it, once the run is over.
    pub const fn is_of_audit(self) -> bool {
        matches!(self, Self::Lost | Self::Duplicated | Self::Unacknowledged)
    }

    /// Whether it is a time of the target's, which says nothing where too many requests fail.
    pub const fn is_latency(self) -> bool {
        matches!(
            self,
            Self::Percentile(_) | Self::Mean | Self::Max | Self::SinceDue(_) | Self::Service(_)
        )
    }
}

fn bound(metric: Metric, word: &str) -> Option<f64> {
    match metric.unit() {
        MetricUnit::Microseconds => {
            let duration: Duration = humantime::parse_duration(word).ok()?;
            Some(duration.as_secs_f64() * 1e6)
        }
        MetricUnit::Share => Some(word.strip_suffix('%')?.parse::<f64>().ok()? / 100.0),
        MetricUnit::PerSecond => {
            word.contains('/').then(|| word.parse::<Rate>().ok())?.map(Rate::per_second)
        }
        MetricUnit::Users => word.parse().ok(),
        // Half a mark is none.
        MetricUnit::Count => word.parse::<u32>().ok().map(f64::from),
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
        assert_eq!(bound("service p95 < 80ms"), 80_000.0);
        assert_eq!(bound("lag p99 < 5 ms"), 5000.0);
        assert_eq!(bound("unbound < 1%"), 0.01);
        assert_eq!(bound("fidelity>=99.5%"), 0.995);
        assert_eq!(bound("lost <= 0"), 0.0);
        assert_eq!(bound("duplicated < 3"), 3.0);
        assert_eq!(bound("unacknowledged<=12"), 12.0);
    }

    #[test]
    fn the_words_of_k6_mean_the_same() {
        for (of_k6, ours) in [
            ("p(95)<200ms", "p95 < 200ms"),
            ("p(99.9) <= 1s", "p99.9 <= 1s"),
            ("med<1s", "p50 < 1s"),
            ("avg < 1s", "mean < 1s"),
            ("rate>=1000/s", "requests >= 1000/s"),
            ("failed<1%", "failures < 1%"),
            ("GET /: service p(90)<1s", "GET /: service p90 < 1s"),
        ] {
            let [one, other] = [of_k6, ours].map(|text| text.parse::<Expectation>().unwrap());
            let told = |it: &Expectation| (it.scope.clone(), it.metric, it.comparison, it.bound);
            assert_eq!(told(&one), told(&other), "{of_k6}");
        }
    }

    #[test]
    fn a_name_before_the_colon_is_the_scope() {
        let expectation: Expectation = "POST /alerts/ingest: p95 < 200ms".parse().unwrap();
        assert_eq!(expectation.scope, Scope::Named("POST /alerts/ingest".to_owned()));
        assert_eq!(expectation.to_string(), "POST /alerts/ingest: p95 < 200ms");
        for text in ["phase step 3: p95 < 1s", "phase  step 3 : load_held >= 98 %"] {
            let expectation: Expectation = text.parse().unwrap();
            assert_eq!(expectation.scope, Scope::Phase("step 3".to_owned()), "{text}");
        }
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
            "GET /: unbound < 1%",
            "phase ramp: fidelity >= 99%",
            "POST /a: lost <= 0",
            "phase plateau: lost <= 0",
            "lost <= 0.5",
            "lost < 1%",
            "duplicated = 0",
            "unacknowledged < 1/s",
            "fidelity > 99",
            "p95 p99 < 1s",
            "p(95 < 1s",
            "p95 = 1s",
            "p95 <> 1s",
            "mean mean < 1s",
            "service < 1s",
            "",
        ] {
            assert!(text.parse::<Expectation>().is_err(), "{text}");
        }
    }
}
