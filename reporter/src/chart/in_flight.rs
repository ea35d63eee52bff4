//! Users, and the requests that they wait for.

use run_log::timeline::Second;

use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::over_time;
use super::palette::{BLUE, ORANGE, PURPLE};
use super::panel::{Line, Panel};
use crate::summary::Summary;
use crate::units::Figure;

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    if summary.timeline.is_empty() {
        return Ok(None);
    }
    let line = |name, color, pick: fn(&Second) -> u64| {
        let rows = summary.timeline.iter();
        // States at the end of the second.
        Line::new(
            name,
            color,
            rows.map(|row| (row.second as f64 + 1.0, pick(row) as f64)).collect(),
        )
    };
    let users = Panel {
        label: "Users".to_owned(),
        lines: vec![line("users at once", BLUE, |row| row.users)],
    };
    let requests = Panel {
        label: "Requests".to_owned(),
        lines: vec![
            line("in flight", ORANGE, |row| row.in_flight),
            line("waiting for a connection", PURPLE, |row| row.queued),
        ],
    };
    let most = |pick: fn(&Second) -> u64| {
        Figure::count(summary.timeline.iter().map(pick).max().unwrap_or(0))
    };
    let title = format!(
        "{scenario}: up to {} users at once, {} requests in flight, {} waiting",
        most(|row| row.users),
        most(|row| row.in_flight),
        most(|row| row.queued)
    );
    over_time(&title, summary, vec![users, requests]).map(Some)
}
