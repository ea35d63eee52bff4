//! How the target and its database behaved under load.

use std::collections::BTreeMap;
use std::ops::Range;

use run_log::format::TargetSample;
use run_log::reader::ReadError;

use super::bounds::{Held, Unbounded};
use crate::units::{Figure, Unit};

/// Requests that the target itself counted.
const REQUESTS_TOTAL: &str = "target.requests_total";

/// What is drawn over time. Of everything else sums are kept: a run may have hundreds of metrics, and
/// last for days.
pub const CPU: &str = "target.cpu_percent";
pub const CONNECTIONS: &str = "postgres.connections.";
pub const WAITS: &str = "postgres.waits.";
pub const BLOCKED: &str = "postgres.blocked";
const DRAWN: [&str; 2] = [".cpu_percent", ".rss_bytes"];

/// What the names begin with of what the target shows itself, of the processes that were watched,
/// and of the database.
pub const TARGET: &str = "target.";
pub const PROCESSES: &str = "process.";
pub const DATABASE: &str = "postgres.";

/// What the machine is called that the load came from.
pub const MACHINE: &str = "machine.";

/// What stands between a database and a figure of one of its statements.
const STATEMENT: &str = ".statement.";

/// Samples by metric.
#[derive(Default)]
pub struct Samples(BTreeMap<String, Series>);

/// What is kept of a metric.
#[derive(Default)]
struct Series {
    first: Option<(u64, f64)>,
    last: Option<(u64, f64)>,
    /// On the plateau; none without a sample on it.
    within: Option<Within>,
    /// All of them, of what is drawn.
    points: Vec<(u64, f64)>,
}

/// Of the plateau.
struct Within {
    first: (u64, f64),
    last: (u64, f64),
    least: f64,
    most: f64,
    sum: f64,
    count: u64,
}

impl Within {
    fn of(second: u64, value: f64) -> Self {
        let at = (second, value);
        Self { first: at, last: at, least: value, most: value, sum: value, count: 1 }
    }

    fn add(&mut self, second: u64, value: f64) {
        self.last = (second, value);
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        self.sum += value;
        self.count += 1;
    }
}

/// A statement of a database over the plateau.
pub struct Statement<'a> {
    pub database: &'a str,
    pub text: String,
    pub calls: f64,
    pub total_us: f64,
    pub mean_us: f64,
    pub rows: f64,
}

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
        plateau: &Range<u64>,
    ) -> Result<Self, Unbounded> {
        let mut samples = Self::default();
        let mut held = Held::default();
        for row in rows {
            let TargetSample { second, metric, value } = row?;
            if !samples.0.contains_key(&metric) {
                held.add(metric.len() + size_of::<Series>())?;
            }
            let is_drawn = is_drawn(&metric);
            let of = samples.0.entry(metric).or_default();
            of.first.get_or_insert((second, value));
            of.last = Some((second, value));
            if is_drawn {
                held.add(size_of::<(u64, f64)>())?;
                of.points.push((second, value));
            }
            if plateau.contains(&second) {
                match &mut of.within {
                    Some(within) => within.add(second, value),
                    None => of.within = Some(Within::of(second, value)),
                }
            }
        }
        Ok(samples)
    }

    /// All samples of a metric that is drawn.
    pub fn points(&self, metric: &str) -> Option<&[(u64, f64)]> {
        self.0.get(metric).map(|of| of.points.as_slice())
    }

    /// The mean of a metric over the plateau.
    pub fn mean(&self, metric: &str) -> Option<f64> {
        let within = self.0.get(metric)?.within.as_ref()?;
        Some(within.sum / within.count as f64)
    }

    /// Whether anything is known of the target or of what is behind it.
    pub fn are_of_target(&self) -> bool {
        let is_of_target =
            |(name, of): (&String, &Series)| of.within.is_some() && !name.starts_with(MACHINE);
        self.0.iter().any(is_of_target)
    }

    /// Names with this prefix, in order.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }

    /// Requests that the target counted from the first sample to the last.
    pub fn requests_counted(&self) -> Option<u64> {
        let samples = self.0.get(REQUESTS_TOTAL)?;
        let (first, last) = (samples.first?.1, samples.last?.1);
        // Negative when the target was restarted meanwhile: there is nothing to compare.
        (last >= first).then_some((last - first) as u64)
    }

    /// Each metric over the plateau; those without a sample in it, and those of statements, are
    /// left out.
    pub fn over(&self) -> impl Iterator<Item = Metric<'_>> {
        let others = self.0.iter().filter(|(name, _)| of_statement(name).is_none());
        others.filter_map(|(name, of)| {
            let Within { first, last, least, most, sum, count } = of.within.as_ref()?;
            let unit = unit(name);
            let kind = if of_labels(name).0.ends_with("_total") {
                let grown = last.1 - first.1;
                // Somebody may have written them in another order.
                let seconds = last.0.abs_diff(first.0) as f64;
                MetricKind::Counter {
                    grown: Figure::new(grown, unit),
                    rate: Figure::new(grown / seconds, Unit::PerSecond),
                }
            } else {
                MetricKind::Level {
                    least: Figure::new(*least, unit),
                    mean: Figure::new(sum / *count as f64, unit),
                    most: Figure::new(*most, unit),
                }
            };
            Some(Metric { name, kind })
        })
    }

    /// The statements of databases over the plateau, those first that took the most time.
    pub fn statements(&self) -> Vec<Statement<'_>> {
        let mut by_text: BTreeMap<(&str, String), BTreeMap<&str, f64>> = BTreeMap::new();
        for (name, of) in &self.0 {
            if let Some((database, figure, text)) = of_statement(name)
                && let Some(within) = &of.within
            {
                by_text.entry((database, text)).or_default().insert(figure, within.last.1);
            }
        }
        let mut statements: Vec<Statement<'_>> = by_text
            .into_iter()
            .map(|((database, text), figures)| {
                let of = |figure| figures.get(figure).copied().unwrap_or(f64::NAN);
                let (calls, rows) = (of("calls"), of("rows"));
                let (total_us, mean_us) = (of("total_us"), of("mean_us"));
                Statement { database, text, calls, total_us, mean_us, rows }
            })
            .collect();
        statements.sort_by(|a, b| b.total_us.total_cmp(&a.total_us));
        statements
    }
}

/// Whether all samples of a metric are kept.
pub(super) fn is_drawn(metric: &str) -> bool {
    let is_of_process = [TARGET, PROCESSES, MACHINE].iter().any(|of| metric.starts_with(of))
        && DRAWN.iter().any(|figure| metric.ends_with(figure));
    is_of_process
        || metric == BLOCKED
        || [CONNECTIONS, WAITS].iter().any(|of| metric.starts_with(of))
}

/// The name of a metric and its labels, which a name need not have.
fn of_labels(metric: &str) -> (&str, Option<&str>) {
    match metric.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')),
        None => (metric, None),
    }
}

/// The database, the figure and the text of a metric that is of a statement:
/// `postgres.statement.calls{statement="SELECT …"}`.
fn of_statement(metric: &str) -> Option<(&str, &str, String)> {
    let (name, labels) = of_labels(metric);
    let (database, figure) = name.split_once(STATEMENT)?;
    let text = labels?.strip_prefix("statement=\"")?.strip_suffix('"')?;
    let text = text.replace("\\\"", "\"").replace("\\\\", "\\");
    Some((database, figure, text))
}

/// By the naming convention of metrics.
pub(super) fn unit(metric: &str) -> Unit {
    let (metric, _) = of_labels(metric);
    let metric = metric.strip_suffix("_total").unwrap_or(metric);
    match metric.rsplit('_').next() {
        Some("percent") => Unit::Percent,
        Some("bytes") => Unit::Bytes,
        Some("us") => Unit::Microseconds,
        Some("seconds") => Unit::Seconds,
        _ => Unit::Plain,
    }
}
