//! When a percentile passed the limit that was missed, and what had changed by then.

use run_log::format::Judgement;
use scenario::{Metric, Percentile, Scope};

use crate::summary::{CPU, Point, Summary};
use crate::units::{Figure, Unit, of_metric, seconds};
use figures::Reading;
use figures::judge::Verdict;

/// So many seconds in a row are over the limit before it counts as passed.
const IN_A_ROW: usize = 3;

/// A sentence for each percentile of all requests that missed its limit and did so for seconds on end.
pub(super) fn crossings(summary: &Summary, verdicts: &[Verdict]) -> Vec<String> {
    verdicts.iter().filter_map(|verdict| crossing(summary, verdict)).collect()
}

fn crossing(summary: &Summary, verdict: &Verdict) -> Option<String> {
    let expectation = &verdict.expectation;
    let Metric::Percentile(percentile) = expectation.metric else { return None };
    let is_of_all = expectation.scope == Scope::All && expectation.comparison.is_upper_bound();
    if verdict.result != Judgement::Missed || !is_of_all {
        return None;
    }
    let at = passed(summary, value_of(percentile)?, expectation.bound)?;
    let limit = of_metric(expectation.metric, Reading::exact(expectation.bound));
    let mut text = format!("p{percentile} passed {limit} at {}", seconds(at as f64));
    let of_another = |series: &str| !series.starts_with("p95 of ");
    let mut symptoms = summary.symptoms.iter().flatten();
    if let Some(first) = symptoms.find(|of| of.second <= at && of_another(&of.series)) {
        let before = seconds((at - first.second) as f64);
        text.push_str(&format!(
            "; {before} before, `{}` was {}, where it had been {} at most",
            first.series, first.then, first.usual
        ));
    }
    if let Some(cpu) = sampled(summary, at) {
        text.push_str(&format!("; the target's processor was at {cpu} of one core"));
    }
    Some(text)
}

/// The percentile of a second that is kept for charts.
fn value_of(percentile: Percentile) -> Option<fn(&Point) -> Option<f64>> {
    match percentile {
        Percentile::P50 => Some(|point| point.p50_us),
        Percentile::P95 => Some(|point| point.p95_us),
        Percentile::P99 => Some(|point| point.p99_us),
        _ => None,
    }
}

/// The first of the seconds in a row that are over the limit.
fn passed(summary: &Summary, value: impl Fn(&Point) -> Option<f64>, limit_us: f64) -> Option<u64> {
    let within = summary.points.iter().filter(|point| summary.window.contains(&point.second));
    let over: Vec<(u64, bool)> =
        within.filter_map(|point| Some((point.second, value(point)? > limit_us))).collect();
    let row = over.windows(IN_A_ROW).find(|row| row.iter().all(|(_, is_over)| *is_over))?;
    Some(row[0].0)
}

/// The target's processor by then.
fn sampled(summary: &Summary, at: u64) -> Option<Figure> {
    let points = summary.samples.points(CPU)?;
    let (_, value) = points.iter().rev().find(|(second, _)| *second <= at)?;
    Some(Figure::new(*value, Unit::Percent))
}
