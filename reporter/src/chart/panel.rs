//! What is drawn in a panel of a chart.

use plotters::style::{Color, RGBColor, ShapeStyle};

pub(super) struct Panel {
    /// What the axis measures, with its unit.
    pub label: String,
    pub lines: Vec<Line>,
}

pub(super) struct Line {
    pub name: String,
    pub color: RGBColor,
    pub look: Look,
    /// (second, value); a second without a value is a gap.
    pub points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Thin,
    /// Wide and pale, to be seen below another line on the same values.
    Wide,
    /// With the area below it.
    Filled,
}

impl Line {
    pub(super) fn new(name: &str, color: RGBColor, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), color, look: Look::Thin, points }
    }

    pub(super) fn look(self, look: Look) -> Self {
        Self { look, ..self }
    }

    pub(super) fn stroke(&self) -> ShapeStyle {
        match self.look {
            Look::Wide => self.color.mix(0.35).stroke_width(6),
            Look::Thin | Look::Filled => self.color.stroke_width(2),
        }
    }

    pub(super) fn max(&self) -> f64 {
        self.points.iter().map(|point| point.1).fold(0.0, f64::max)
    }
}
