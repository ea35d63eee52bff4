//! Numbers with their units, as people read them.

use std::fmt;

use common::shown;
use figures::Reading;
use scenario::{Metric, MetricUnit};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Count,
    /// Events a second.
    PerSecond,
    /// From 0 to 1, shown in percent.
    Share,
    /// Percent of one processor core; 200 is two cores busy.
    Percent,
    Microseconds,
    Seconds,
    Bytes,
    /// As it was sampled; its unit is not known here.
    Plain,
}

/// A number of the report: raw for programs, written out for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// None where nothing was measured.
    pub value: Option<f64>,
    pub unit: Unit,
    /// The true value is this or more.
    pub at_least: bool,
}

impl Figure {
    pub fn new(value: f64, unit: Unit) -> Self {
        Self { value: value.is_finite().then_some(value), unit, at_least: false }
    }

    pub fn count(count: u64) -> Self {
        // Exact below 2^53, which no run reaches.
        Self::new(count as f64, Unit::Count)
    }

    /// `part` of `whole`; nothing where there is no whole.
    pub fn share(part: u64, whole: u64) -> Self {
        share(Reading::share(part, whole))
    }

    /// `count` over `seconds`; nothing where no time passed.
    pub fn rate(count: u64, seconds: f64) -> Self {
        per_second(Reading::rate(count, seconds))
    }

    pub const fn of(reading: Reading, unit: Unit) -> Self {
        Self { value: reading.value, unit, at_least: reading.at_least }
    }

    pub const fn none(unit: Unit) -> Self {
        Self { value: None, unit, at_least: false }
    }
}

/// What an expectation is about.
pub fn of_metric(metric: Metric, reading: Reading) -> Figure {
    let unit = match metric.unit() {
        MetricUnit::Microseconds => Unit::Microseconds,
        MetricUnit::Share => Unit::Share,
        MetricUnit::PerSecond => Unit::PerSecond,
        MetricUnit::Users | MetricUnit::Count => Unit::Count,
    };
    Figure::of(reading, unit)
}

/// A time in microseconds.
pub fn micros(reading: Reading) -> Figure {
    Figure::of(reading, Unit::Microseconds)
}

/// A share from 0 to 1.
pub fn share(reading: Reading) -> Figure {
    Figure::of(reading, Unit::Share)
}

/// Events a second.
pub fn per_second(reading: Reading) -> Figure {
    Figure::of(reading, Unit::PerSecond)
}

/// A count.
pub fn count(reading: Reading) -> Figure {
    Figure::of(reading, Unit::Count)
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(value) = self.value else {
            return f.write_str("–");
        };
        if self.at_least {
            f.write_str("≥ ")?;
        }
        f.write_str(&match self.unit {
            Unit::Count => grouped(value, 0),
            Unit::PerSecond => format!("{}/s", three_digits(value)),
            Unit::Share => percent(value),
            Unit::Percent => format!("{} %", three_digits(value)),
            Unit::Microseconds => microseconds(value),
            Unit::Seconds => seconds(value),
            Unit::Bytes => bytes(value),
            Unit::Plain => three_digits(value),
        })
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut figure = serializer.serialize_struct("Figure", 4)?;
        figure.serialize_field("value", &self.value)?;
        figure.serialize_field("unit", &self.unit)?;
        figure.serialize_field("at_least", &self.at_least)?;
        figure.serialize_field("shown", &self.to_string())?;
        figure.end()
    }
}

/// `1,234,567.8`: thousands separated by commas. Ties round away from zero, even where
/// the order of summation left the last bit of a mean just below one.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs() * (1.0 + 1e-12));
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(w, f)| (w, f));
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    // A minus before a rounded zero would say nothing.
    if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        out.push('-');
    }
    out.push_str(&shown::thousands(whole));
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// About three digits: `0`, `4.21`, `42.1`, `421`, `4,210`.
fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size == 0.0 || size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    grouped(value, decimals)
}

fn percent(value: f64) -> String {
    let percent = value * 100.0;
    if percent == 0.0 || percent == 100.0 {
        format!("{percent:.0} %")
    } else if percent < 0.01 {
        "< 0.01 %".to_owned()
    } else if percent < 100.0 && percent > 99.99 {
        // Rounding up would claim that nothing is missing.
        "> 99.99 %".to_owned()
    } else {
        format!("{} %", grouped(percent, 2))
    }
}

fn microseconds(value: f64) -> String {
    if value >= 999_500.0 {
        format!("{} s", grouped(value / 1e6, 2))
    } else {
        format!("{} ms", three_digits(value / 1e3))
    }
}

/// `45 s`, `5 min`, `1 h 30 min`; tenths only below ten seconds.
pub fn seconds(value: f64) -> String {
    if value < 9.95 && value.fract() != 0.0 {
        return format!("{} s", grouped(value, 1));
    }
    let whole = value.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    let parts = [(hours, "h"), (minutes, "min"), (seconds, "s")];
    let shown: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

fn bytes(value: f64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if value < 1024.0 {
        return format!("{} B", grouped(value, 0));
    }
    let mut scaled = value / 1024.0;
    let mut unit = 0;
    while scaled >= 1023.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(scaled), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How figures are written, for this program and for the one that recomputes its reports.
    const TABLE: &str = include_str!("../../fixtures/checks/recompute/shown.csv");

    fn unit(name: &str) -> Unit {
        use Unit::{Bytes, Count, Microseconds, PerSecond, Percent, Plain, Seconds, Share};
        [Count, PerSecond, Share, Percent, Microseconds, Seconds, Bytes, Plain]
            .into_iter()
            .find(|unit| serde_json::to_value(unit).unwrap() == name)
            .unwrap()
    }

    #[test]
    fn figures_are_written_as_in_the_table_that_both_programs_share() {
        let mut rows = 0;
        for row in csv::Reader::from_reader(TABLE.as_bytes()).deserialize() {
            let (name, value, expected): (String, f64, String) = row.unwrap();
            assert_eq!(Figure::new(value, unit(&name)).to_string(), expected, "{value} {name}");
            rows += 1;
        }
        assert!(rows > 30);
    }

    #[test]
    fn what_was_not_measured_is_a_dash_and_never_nan() {
        assert_eq!(Figure::share(0, 0).to_string(), "–");
        assert_eq!(Figure::new(f64::NAN, Unit::Bytes).to_string(), "–");
    }
}
