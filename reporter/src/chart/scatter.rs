//! Response time against load, a dot a second.

use super::axis::LatencyUnit;
use super::drawn::Drawn;
use super::error::DrawError;
use super::palette::BLUE;
use super::panel::{Line, Panel};
use super::plane::{Draws, Plane};
use crate::summary::Summary;
use crate::units::{Figure, Unit, micros};
use figures::Reading;

/// Fewer seconds, or a load that hardly varies, show nothing.
const LEAST_SECONDS: usize = 20;
const VARIES: f64 = 1.2;

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    // (requests that ended in the second, p95 of these), by load.
    let mut seconds: Vec<(f64, f64)> = summary
        .points
        .iter()
        .filter(|point| summary.window.contains(&point.second))
        .filter_map(|point| {
            let row = summary.timeline.get(usize::try_from(point.second).ok()?)?;
            Some((row.done() as f64, point.p95_us?))
        })
        .collect();
    seconds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let quarter = seconds.len() / 4;
    let mean = |part: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
        part.iter().map(pick).sum::<f64>() / part.len() as f64
    };
    if seconds.len() < LEAST_SECONDS {
        return Ok(None);
    }
    let (least, most) = (&seconds[..quarter], &seconds[seconds.len() - quarter..]);
    let [low, high] = [least, most].map(|part| mean(part, |at| at.0));
    if high < VARIES * low.max(1.0) {
        return Ok(None);
    }
    let [before, after] = [least, most].map(|part| micros(Reading::exact(mean(part, |at| at.1))));
    let [low, high] = [low, high].map(|rate| Figure::new(rate, Unit::PerSecond));
    let unit = LatencyUnit::for_most(seconds.iter().map(|at| at.1).fold(0.0, f64::max));
    let end = super::axis::top(seconds.iter().map(|at| at.0));
    let points = seconds.into_iter().map(|(load, us)| (load, unit.scale(us))).collect();
    Plane {
        title: format!("{scenario}: p95 of a second {before} at {low}, {after} at {high}"),
        x_label: "Requests that ended in the second",
        x: 0.0..end,
        panels: vec![Panel {
            label: format!("Response time, {}", unit.name()),
            lines: vec![Line::new("p95 of a second", BLUE, points)],
        }],
        upright: None,
        draws: Draws::Dots,
    }
    .draw()
    .map(Some)
}
