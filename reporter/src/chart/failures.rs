//! What failed, by its outcome, second by second.

use plotters::style::RGBColor;
use run_log::outcome::Outcome;
use run_log::timeline::Second;

use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::over_time;
use super::palette::{BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION};
use super::panel::{Line, Look, Panel};
use crate::summary::Summary;
use crate::units::{Figure, Unit, share};

/// Of the outcomes that happened most often.
const COLORS: [RGBColor; 5] = [ORANGE, BLUE, PURPLE, GREEN, GREY];

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    let failed = |row: &&Second| row.failed() > 0;
    let (first, last) =
        (summary.timeline.iter().find(failed), summary.timeline.iter().rev().find(failed));
    let Some((first, last)) = first.zip(last) else {
        return Ok(None);
    };
    let line = |name: &str, color, pick: &dyn Fn(&Second) -> u64| {
        let rows = summary.timeline.iter();
        let points = rows.map(|row| (row.second as f64 + 0.5, pick(row) as f64));
        Line::new(name, color, points.collect())
    };
    let mut lines = Vec::new();
    if summary.timeline.iter().any(|row| row.failed_status > 0) {
        lines.push(line("failed answers", VERMILION, &|row| row.failed_status).look(Look::Filled));
    }
    let count = |outcome: Outcome| -> u64 {
        summary.timeline.iter().map(|row| row.outcomes[outcome]).sum()
    };
    let mut outcomes: Vec<Outcome> =
        Outcome::without_answer().filter(|outcome| count(*outcome) > 0).collect();
    outcomes.sort_by_key(|outcome| std::cmp::Reverse(count(*outcome)));
    lines.extend(
        outcomes
            .into_iter()
            .zip(COLORS)
            .map(|(outcome, color)| line(outcome.label(), color, &|row| row.outcomes[outcome])),
    );
    let at = |row: &Second| Figure::new(row.second as f64, Unit::Seconds);
    let title = format!(
        "{scenario}: {} failed from the plateau on; the first of all at {}, the last at {}",
        share(summary.plateau.counts.failures()),
        at(first),
        at(last)
    );
    over_time(&title, summary, vec![Panel { label: "Failures a second".to_owned(), lines }])
        .map(Some)
}
