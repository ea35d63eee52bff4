//! The target's processor and memory, and the database's connections.

use plotters::style::RGBColor;

use super::error::DrawError;
use super::frame::{BLUE, GREEN, GREY, Line, ORANGE, OverTime, PURPLE, Panel};
use crate::summary::{CONNECTIONS, CPU, MEMORY, Summary};

const CONNECTION_COLORS: [RGBColor; 4] = [BLUE, ORANGE, GREEN, GREY];

pub(super) fn draw(title: &str, summary: &Summary) -> Result<Option<String>, DrawError> {
    let samples = &summary.samples;
    let length_s = summary.timeline.len() as f64;
    let line = |metric: &str, name: &str, color, scale: f64| {
        let points = samples.points(metric)?.iter();
        let points = points.map(|(second, value)| (*second as f64, value * scale));
        Some(Line::new(name, color, points.filter(|(second, _)| *second <= length_s).collect()))
    };
    let mut panels = Vec::new();
    if let Some(line) = line(CPU, "target's process", BLUE, 1.0) {
        panels.push(Panel { label: "Processor, % of one core".to_owned(), lines: vec![line] });
    }
    if let Some(line) = line(MEMORY, "target's process", PURPLE, 1.0 / f64::from(1 << 20)) {
        panels.push(Panel { label: "Memory, MiB".to_owned(), lines: vec![line] });
    }
    let connections: Vec<Line> = samples
        .names(CONNECTIONS)
        .zip(CONNECTION_COLORS)
        .filter_map(|(metric, color)| {
            let state = metric.trim_start_matches(CONNECTIONS).replace('_', " ");
            line(metric, &state, color, 1.0)
        })
        .collect();
    if !connections.is_empty() {
        panels.push(Panel { label: "Postgres connections".to_owned(), lines: connections });
    }
    if panels.is_empty() {
        return Ok(None);
    }
    OverTime { title, length_s, plateau: summary.window.clone(), panels }.draw().map(Some)
}
