//! What was offered, what succeeded and what failed, second by second.

use run_log::timeline::Second;

use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::over_time;
use super::palette::{BLUE, GREEN, GREY, VERMILION};
use super::panel::{Line, Look, Panel};
use crate::summary::Summary;
use crate::units::{Figure, per_second, share};

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
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
            line("ready", GREY, |row| row.ready).look(Look::Wide),
            line("sent", GREEN, |row| row.sent),
            line("succeeded", BLUE, Second::ok),
            line("failed", VERMILION, Second::failed).look(Look::Filled),
        ],
    };
    let plateau = &summary.plateau;
    let title = format!(
        "{scenario}: {} of {} offered succeeded on the plateau, {} failed",
        per_second(plateau.throughput()),
        Figure::rate(plateau.within.ready, plateau.length_s()),
        share(plateau.counts.failures())
    );
    over_time(&title, summary, vec![panel]).map(Some)
}
