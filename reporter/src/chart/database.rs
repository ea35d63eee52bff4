//! The database's connections, and what they wait for.

use plotters::style::RGBColor;

use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::over_time;
use super::palette::{BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION};
use super::panel::{Line, Panel};
use super::target::sampled;
use crate::summary::{BLOCKED, CONNECTIONS, Summary, WAITS};
use crate::units::{Figure, Unit};

const COLORS: [RGBColor; 6] = [BLUE, ORANGE, GREEN, PURPLE, GREY, VERMILION];

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    let samples = &summary.samples;
    let state = |metric: &str, prefix: &str| metric.trim_start_matches(prefix).replace('_', " ");
    let by = |label: &str, prefix: &'static str| {
        let lines: Vec<Line> = samples
            .names(prefix)
            .zip(COLORS)
            .filter_map(|(name, color)| sampled(summary, name, &state(name, prefix), color, 1.0))
            .collect();
        (!lines.is_empty()).then(|| Panel { label: label.to_owned(), lines })
    };
    let connections = by("Connections of the database, by state", CONNECTIONS);
    let mut waits = by("Connections that wait, by what for", WAITS);
    if let (Some(waits), Some(line)) =
        (&mut waits, sampled(summary, BLOCKED, "blocked by another", VERMILION, 1.0))
    {
        waits.lines.push(line);
    }
    let panels: Vec<Panel> = [connections, waits].into_iter().flatten().collect();
    if panels.is_empty() {
        return Ok(None);
    }
    let most = |prefix: &'static str| {
        let points = samples.names(prefix).filter_map(|name| {
            let points = samples.points(name)?.iter().map(|(_, value)| *value);
            Some((points.fold(0.0, f64::max), state(name, prefix)))
        });
        points.max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let told = [("", CONNECTIONS), (", waiting for ", WAITS)].map(|(joint, prefix)| {
        let most = most(prefix).filter(|(most, _)| *most > 0.0);
        most.map(|(most, state)| {
            let most = Figure::new(most, Unit::Count);
            if joint.is_empty() {
                format!("{most} {state}")
            } else {
                format!("{joint}{state} up to {most}")
            }
        })
    });
    let told: String = told.into_iter().flatten().collect();
    let finding = if told.is_empty() { "idle".to_owned() } else { format!("up to {told}") };
    over_time(&format!("{scenario}: connections of the database, {finding}"), summary, panels)
        .map(Some)
}
