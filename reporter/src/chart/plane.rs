//! Points and lines over something else than time, with panels above each other.

use std::ops::Range;

use plotters::element::{Circle, PathElement};
use plotters::style::{Color, WHITE};

use super::axis::{tick, top};
use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::{self, Area};
use super::palette::GREY;
use super::panel::Panel;

const HEIGHT: u32 = 190;

pub(super) struct Plane<'a> {
    pub title: String,
    /// What lies on the axis below.
    pub x_label: &'a str,
    pub x: Range<f64>,
    pub panels: Vec<Panel>,
    /// Where a line stands upright.
    pub upright: Option<f64>,
    pub draws: Draws,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Draws {
    Dots,
    /// With a dot at each of their points.
    Lines,
}

impl Plane<'_> {
    pub(super) fn draw(self) -> Result<Drawn, DrawError> {
        let height = frame::TITLE + HEIGHT * self.panels.len() as u32 + 2 * frame::X_LABELS;
        let svg = frame::svg(height, &self.title, |area| {
            let (_, mut rest) = area.split_vertically(frame::TITLE);
            let last = self.panels.len().saturating_sub(1);
            for (index, panel) in self.panels.iter().enumerate() {
                let labels = if index == last { 2 * frame::X_LABELS } else { 0 };
                let (this, below) = rest.split_vertically(HEIGHT + labels);
                frame::head(&this, panel)?;
                self.draw_panel(panel, &this, labels)?;
                rest = below;
            }
            Ok(())
        })?;
        Ok(Drawn { title: self.title, svg, series: None })
    }

    fn draw_panel(&self, panel: &Panel, area: &Area<'_>, x_labels: u32) -> Result<(), DrawError> {
        let values = panel.lines.iter().flat_map(|line| line.points.iter().map(|at| at.1));
        let y = top(values);
        let mut chart = frame::plot(area, x_labels)
            .build_cartesian_2d(self.x.clone(), 0.0..y)
            .map_err(DrawError::of)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE.mix(0.0))
            .bold_line_style(frame::GRID)
            .axis_style(frame::AXIS)
            .x_desc(if x_labels > 0 { self.x_label } else { "" })
            .x_labels(10)
            .y_labels(5)
            .label_style(frame::text(12.0, frame::SOFT_INK))
            .axis_desc_style(frame::text(12.0, frame::INK))
            .x_label_formatter(&|at| tick(*at))
            .y_label_formatter(&|value| tick(*value))
            .draw()
            .map_err(DrawError::of)?;
        if let Some(at) = self.upright {
            let line = PathElement::new(vec![(at, 0.0), (at, y)], GREY.stroke_width(2));
            chart.draw_series([line]).map_err(DrawError::of)?;
        }
        for line in &panel.lines {
            if self.draws == Draws::Lines {
                let path = PathElement::new(line.points.clone(), line.stroke());
                chart.draw_series([path]).map_err(DrawError::of)?;
            }
            let (size, style) = match self.draws {
                Draws::Dots => (2, line.color.mix(0.5).filled()),
                Draws::Lines => (4, line.color.filled()),
            };
            let dots = line.points.iter().map(|at| Circle::new(*at, size, style));
            chart.draw_series(dots).map_err(DrawError::of)?;
        }
        Ok(())
    }
}
