//! What was offered, what succeeded and what failed, second by second.

use run_log::timeline::Second;

use super::error::DrawError;
use super::frame::{BLUE, GREY, Line, Look, OverTime, Panel, VERMILION};
use crate::summary::Summary;

pub(super) fn draw(title: &str, summary: &Summary) -> Result<Option<String>, DrawError> {
    if summary.timeline.is_empty() {
        return Ok(None);
    }
    let line = |name, color, pick: fn(&Second) -> u64| {
        let rows = summary.timeline.iter();
        Line::new(
            name,
            color,
            rows.map(|row| (row.second as f64 + 0.5, pick(row) as f64)).collect(),
        )
    };
    let panel = Panel {
        label: "Planned requests a second".to_owned(),
        lines: vec![
            line("offered (became ready)", GREY, |row| row.ready).look(Look::Wide),
            line("succeeded", BLUE, Second::ok),
            line("failed", VERMILION, Second::failed).look(Look::Filled),
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
