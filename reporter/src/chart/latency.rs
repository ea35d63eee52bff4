//! Percentiles of the response time, second by second.

use super::axis::LatencyUnit;
use super::error::DrawError;
use super::frame::{BLUE, GREEN, Line, ORANGE, OverTime, Panel};
use crate::summary::{Point, Summary};

pub(super) fn draw(title: &str, summary: &Summary) -> Result<Option<String>, DrawError> {
    let most = summary.points.iter().filter_map(|point| point.p99_us).fold(0.0, f64::max);
    if most == 0.0 {
        return Ok(None);
    }
    let unit = LatencyUnit::for_most(most);
    let line = |name, color, pick: fn(&Point) -> Option<f64>| {
        let points = summary.points.iter();
        let points =
            points.filter_map(|point| Some((point.second as f64 + 0.5, unit.scale(pick(point)?))));
        Line::new(name, color, points.collect())
    };
    let panel = Panel {
        label: format!("Response time of the requests that ended in a second, {}", unit.name()),
        lines: vec![
            line("p99", ORANGE, |point| point.p99_us),
            line("p95", BLUE, |point| point.p95_us),
            line("p50", GREEN, |point| point.p50_us),
        ],
    };
    OverTime {
        title,
        length_s: summary.timeline.len() as f64,
        plateau: summary.window.clone(),
        panels: vec![panel],
    }
    .draw()
    .map(Some)
}
