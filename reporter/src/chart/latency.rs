//! Percentiles of the response time, second by second.

use super::axis::LatencyUnit;
use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::over_time;
use super::palette::{BLUE, GREEN, ORANGE};
use super::panel::{Line, Panel};
use crate::summary::{Point, Summary};
use crate::units::micros;
use figures::Reading;
use scenario::Percentile;

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
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
    let title = format!("{scenario}: {}", finding(summary));
    let panel = Panel {
        label: format!("Response time of the requests that ended in a second, {}", unit.name()),
        lines: vec![
            line("p99", ORANGE, |point| point.p99_us),
            line("p95", BLUE, |point| point.p95_us),
            line("p50", GREEN, |point| point.p50_us),
        ],
    };
    over_time(&title, summary, vec![panel]).map(Some)
}

/// The judged figure, and how far single seconds were from it.
fn finding(summary: &Summary) -> String {
    let p95 = summary.plateau.all.responses.percentile(Percentile::P95);
    let within = summary.points.iter().filter(|point| summary.window.contains(&point.second));
    let worst = within.filter_map(|point| point.p95_us).fold(0.0, f64::max);
    match p95.value {
        Some(_) => format!(
            "response time, p95 {} on the plateau, {} in its worst second",
            micros(p95),
            micros(Reading::exact(worst))
        ),
        None => "response time".to_owned(),
    }
}
