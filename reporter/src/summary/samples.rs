//! How the target and its database behaved under load.

use std::collections::BTreeMap;
use std::ops::Range;

use run_log::format::TargetSample;
use run_log::reader::ReadError;

use super::bounds::{Held, Unbounded};
use crate::units::{Figure, Unit};

/// Requests that the target itself counted.
const REQUESTS_TOTAL: &str = "target.requests_total";

/// Samples by metric.
#[derive(Default)]
pub struct Samples(BTreeMap<String, Vec<(u64, f64)>>);

/// A metric over the plateau.
pub struct Metric<'a> {
    pub name: &'a str,
    pub kind: MetricKind,
}

pub enum MetricKind {
    /// Goes up and down.
    Level { least: Figure, mean: Figure, most: Figure },
    /// Only ever grows: by how much, and how fast.
    Counter { grown: Figure, rate: Figure },
}

impl Samples {
    pub(super) fn read(
        rows: impl Iterator<Item = Result<TargetSample, ReadError>>,
    ) -> Result<Self, Unbounded> {
        let mut samples = Self::default();
        let mut held = Held::default();
        for row in rows {
            let row = row?;
            // A name is held once.
            let name = if samples.0.contains_key(&row.metric) { 0 } else { row.metric.len() };
            held.add(name + size_of::<(u64, f64)>())?;
            samples.0.entry(row.metric).or_default().push((row.second, row.value));
        }
        Ok(samples)
    }

    pub fn get(&self, metric: &str) -> Option<&[(u64, f64)]> {
        self.0.get(metric).map(Vec::as_slice)
    }

    /// Names with this prefix, in order.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }

    /// Requests that the target counted from the first sample to the last.
    pub fn requests_counted(&self) -> Option<u64> {
        let samples = self.get(REQUESTS_TOTAL)?;
        let (first, last) = (samples.first()?.1, samples.last()?.1);
        // Negative when the target was restarted meanwhile: there is nothing to compare.
        (last >= first).then_some((last - first) as u64)
    }

    /// Each metric over the plateau; those without a sample in it are left out.
    pub fn over<'a>(&'a self, plateau: &'a Range<u64>) -> impl Iterator<Item = Metric<'a>> {
        self.0.iter().filter_map(|(name, samples)| {
            let within = || samples.iter().filter(|(second, _)| plateau.contains(second));
            let values = || within().map(|(_, value)| *value);
            let (first, last) = (within().next()?, within().next_back()?);
            let unit = unit(name);
            let kind = if name.ends_with("_total") {
                let grown = last.1 - first.1;
                let seconds = (last.0 - first.0) as f64;
                MetricKind::Counter {
                    grown: Figure::new(grown, unit),
                    rate: Figure::new(grown / seconds, Unit::PerSecond),
                }
            } else {
                MetricKind::Level {
                    least: Figure::new(values().fold(f64::INFINITY, f64::min), unit),
                    mean: Figure::new(values().sum::<f64>() / values().count() as f64, unit),
                    most: Figure::new(values().fold(f64::NEG_INFINITY, f64::max), unit),
                }
            };
            Some(Metric { name, kind })
        })
    }
}

/// By the naming convention of metrics.
fn unit(metric: &str) -> Unit {
    let metric = metric.strip_suffix("_total").unwrap_or(metric);
    match metric.rsplit('_').next() {
        Some("percent") => Unit::Percent,
        Some("bytes") => Unit::Bytes,
        Some("us") => Unit::Microseconds,
        Some("seconds") => Unit::Seconds,
        _ => Unit::Plain,
    }
}
