//! How many responses took how long, over time: what a percentile hides, such as two kinds of answers.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::element::Rectangle;
use plotters::style::{Color, WHITE};

use super::axis::TimeUnit;
use super::drawn::Drawn;
use super::error::DrawError;
use super::frame;
use super::palette::BLUE;
use super::panel::Panel;
use crate::summary::{Heat, Summary};
use crate::units::micros;
use figures::Reading;

const HEIGHT: u32 = 330;
/// Rows between two labels: whole powers of ten, or where there are few a third of one.
const APART: [usize; 2] = [Heat::A_DECADE, 2];
/// The palest that is drawn, so that a single request is seen.
const PALEST: f64 = 0.08;

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    let heat = &summary.heat;
    let Some((lowest, highest)) = heat.rows_used() else {
        return Ok(None);
    };
    let most = heat.columns.iter().flatten().copied().max().unwrap_or(1) as f64;
    let (usual, of_all) = heat.most_frequent();
    let us = |row: usize| micros(Reading::exact(Heat::from_us(row)));
    let title = format!(
        "{scenario}: most often, {of_all} of all, a response took {} to {}",
        us(usual),
        us(usual + 1)
    );
    let length_s = summary.timeline.len() as f64;
    let time = TimeUnit::for_length(length_s);
    let panel = Panel {
        label: "Response time; the stronger the colour, the more requests ended at that time"
            .to_owned(),
        lines: Vec::new(),
    };
    let svg = frame::svg(HEIGHT, &title, |area| {
        let (_, area) = area.split_vertically(frame::TITLE);
        frame::head(&area, &panel)?;
        let rows = Rows { lowest: lowest as f64, end: (highest + 1) as f64 };
        let mut chart = frame::plot(&area, frame::X_LABELS)
            .build_cartesian_2d(0.0..time.scale(length_s), rows)
            .map_err(DrawError::of)?;
        let column_s = heat.column_s as f64;
        for (column, counts) in heat.columns.iter().enumerate() {
            let from = time.scale((column as f64 * column_s).min(length_s));
            let to = time.scale(((column + 1) as f64 * column_s).min(length_s));
            let cells = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let cells = cells.map(|(row, count)| {
                // By the logarithm: the few slow ones are what is looked for.
                let share = (*count as f64).ln_1p() / most.ln_1p();
                let color = BLUE.mix(PALEST + (1.0 - PALEST) * share).filled();
                Rectangle::new([(from, row as f64), (to, (row + 1) as f64)], color)
            });
            chart.draw_series(cells).map_err(DrawError::of)?;
        }
        chart
            .configure_mesh()
            .disable_mesh()
            .light_line_style(WHITE.mix(0.0))
            .axis_style(frame::AXIS)
            .x_labels(12)
            .label_style(frame::text(12.0, frame::SOFT_INK))
            .x_label_formatter(&|at| time.label(*at))
            .y_label_formatter(&|row| us(row.round() as usize).to_string())
            .draw()
            .map_err(DrawError::of)
    })?;
    Ok(Some(Drawn { title, svg, series: None }))
}

/// The axis of rows, each a sixth of a power of ten.
struct Rows {
    lowest: f64,
    end: f64,
}

impl Ranged for Rows {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, row: &f64, limit: (i32, i32)) -> i32 {
        let share = (row - self.lowest) / (self.end - self.lowest);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let (lowest, end) = (self.lowest as usize, self.end as usize);
        let apart = if end - lowest > 2 * APART[0] { APART[0] } else { APART[1] };
        (lowest..=end).filter(|row| row % apart == 0).map(|row| row as f64).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.lowest..self.end
    }
}
