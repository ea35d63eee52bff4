//! How far behind the plan requests went out: the target's part, then the generator's.

use super::axis::LatencyUnit;
use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::over_time;
use super::palette::{BLUE, GREEN, VERMILION};
use super::panel::{Line, Panel};
use crate::summary::Summary;
use crate::units::micros;
use figures::Reading;

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    if summary.timeline.is_empty() {
        return Ok(None);
    }
    let delays: Vec<(f64, f64)> = summary
        .points
        .iter()
        .filter_map(|point| Some((point.second as f64 + 0.5, point.session_delay_p95_us?)))
        .collect();
    let lags = summary.timeline.iter();
    let lags = lags.map(|row| (row.second as f64 + 0.5, row.lag_p99_us as f64)).collect();
    let panel = |what: &str, name, color, points: Vec<(f64, f64)>| {
        let unit = LatencyUnit::for_most(points.iter().map(|point| point.1).fold(0.0, f64::max));
        let points = points.into_iter().map(|(at, us)| (at, unit.scale(us))).collect();
        Panel {
            label: format!("{what}, {}", unit.name()),
            lines: vec![Line::new(name, color, points)],
        }
    };
    let mut panels = Vec::new();
    // Where each request waits for the previous answer, none is ever late.
    if !delays.is_empty() {
        panels.push(panel("Session delay: earlier answers came late", "p95", GREEN, delays));
    }
    panels.push(panel("Generator share: its own fault", "p99", VERMILION, lags));
    let cpu = summary.timeline.iter();
    let cpu = cpu.map(|row| (row.second as f64 + 0.5, row.generator_cpu_percent)).collect();
    panels.push(Panel {
        label: "Generator's processor, % of one core".to_owned(),
        lines: vec![Line::new("generator", BLUE, cpu)],
    });
    let us = |us: u64| micros(Reading::exact(us as f64));
    let lag = &summary.run.lag;
    let title = format!(
        "{scenario}: the generator's own share, p99 {} and at most {}",
        us(lag.p99_us),
        us(lag.max_us)
    );
    over_time(&title, summary, panels).map(Some)
}
