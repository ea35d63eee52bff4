//! The frame that all charts share, and lines over time in it.

use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBAColor, RGBColor, TextStyle, WHITE};

use common::shown;
use run_log::format::Mark;

use super::axis::{TimeUnit, tick, top};
use super::drawn::Drawn;
use super::error::DrawError;
use super::palette::BLUE;
use super::panel::{Line, Look, Panel};
use super::series::Series;
use super::style;
use crate::summary::Summary;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) const INK: RGBColor = RGBColor(31, 35, 40);
pub(super) const SOFT_INK: RGBColor = RGBColor(89, 99, 110);
pub(super) const AXIS: RGBColor = RGBColor(160, 167, 175);
pub(super) const GRID: RGBColor = RGBColor(229, 232, 236);
const SHADE: RGBAColor = RGBAColor(0, 114, 178, 0.07);

const WIDTH: u32 = 900;
pub(super) const TITLE: u32 = 40;
const PANEL_HEAD: u32 = 27;
pub(super) const X_LABELS: u32 = 28;
const Y_LABELS: u32 = 66;
pub(super) const RIGHT: u32 = 24;
/// Characters.
const MOST_OF_A_LABEL: usize = 24;
const FONT: &str = "Helvetica, Arial, sans-serif";
/// Of the mean glyph, as a share of the font size: SVG has no fonts to measure.
const GLYPH: f64 = 0.54;

/// A chart over the seconds of a run, all of them with the same axis of time.
pub(super) fn over_time(
    title: &str,
    summary: &Summary,
    panels: Vec<Panel>,
) -> Result<Drawn, DrawError> {
    let length_s = summary.timeline.len() as f64;
    let (plateau, marks) = (summary.window.clone(), &summary.run.marks);
    OverTime { title, length_s, plateau, marks, panels }.draw()
}

struct OverTime<'a> {
    title: &'a str,
    /// Seconds that the timeline covers.
    length_s: f64,
    plateau: Range<u64>,
    /// What somebody noted while the run went on.
    marks: &'a [Mark],
    panels: Vec<Panel>,
}

impl OverTime<'_> {
    /// The picture, and the values in it.
    fn draw(&self) -> Result<Drawn, DrawError> {
        let series =
            Some(Series::of(self.title, self.length_s, &self.plateau, self.marks, &self.panels));
        Ok(Drawn { title: self.title.to_owned(), svg: self.svg()?, series })
    }

    fn svg(&self) -> Result<String, DrawError> {
        let panel_height = if self.panels.len() == 1 { 276 } else { 150 };
        let height = TITLE + panel_height * self.panels.len() as u32 + X_LABELS;
        svg(height, self.title, |area| {
            let (_, mut rest) = area.split_vertically(TITLE);
            let last = self.panels.len().saturating_sub(1);
            for (index, panel) in self.panels.iter().enumerate() {
                let x_labels = if index == last { X_LABELS } else { 0 };
                let (this, below) = rest.split_vertically(panel_height + x_labels);
                let legend = head(&this, panel)?;
                if index == 0 && !self.plateau.is_empty() {
                    shade_entry(&this, legend)?;
                }
                self.draw_panel(panel, &this, x_labels)?;
                rest = below;
            }
            Ok(())
        })
    }

    fn draw_panel(&self, panel: &Panel, area: &Area<'_>, x_labels: u32) -> Result<(), DrawError> {
        let time = TimeUnit::for_length(self.length_s);
        let (x, y) = (time.scale(self.length_s), top(panel.lines.iter().map(Line::max)));
        let mut chart =
            plot(area, x_labels).build_cartesian_2d(0.0..x, 0.0..y).map_err(DrawError::of)?;
        let plateau = [self.plateau.start, self.plateau.end].map(|at| time.scale(at as f64).min(x));
        if plateau[0] < plateau[1] {
            chart
                .draw_series([Rectangle::new([(plateau[0], 0.0), (plateau[1], y)], SHADE.filled())])
                .map_err(DrawError::of)?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(AXIS)
            .x_labels(12)
            .y_labels(if x_labels > 0 && self.panels.len() == 1 { 6 } else { 4 })
            .label_style(text(12.0, SOFT_INK))
            .x_label_formatter(&|at| time.label(*at))
            .y_label_formatter(&|value| tick(*value))
            .draw()
            .map_err(DrawError::of)?;
        for mark in self.marks.iter().filter(|mark| (mark.second as f64) <= self.length_s) {
            let at = time.scale(mark.second as f64);
            let (line, label) = (vec![(at, 0.0), (at, y)], marked(mark));
            // Within the panel, whichever side of its line has the room.
            let side = if at > x * 0.7 { HPos::Right } else { HPos::Left };
            let style = text(11.0, SOFT_INK).pos(Pos::new(side, VPos::Top));
            let line = PathElement::new(line, SOFT_INK.stroke_width(1));
            chart.draw_series([line]).map_err(DrawError::of)?;
            let label = Text::new(label, (at, y), style);
            chart.draw_series([label]).map_err(DrawError::of)?;
        }
        for line in &panel.lines {
            for stretch in stretches(&line.points) {
                let points: Vec<_> =
                    stretch.iter().map(|(at, value)| (time.scale(*at), *value)).collect();
                if line.look == Look::Filled {
                    let mut outline = points.clone();
                    outline.extend(points.last().map(|last| (last.0, 0.0)));
                    outline.extend(points.first().map(|first| (first.0, 0.0)));
                    let fill = line.color.mix(0.2).filled();
                    chart.draw_series([Polygon::new(outline, fill)]).map_err(DrawError::of)?;
                }
                match points[..] {
                    [alone] => {
                        chart.draw_series([Circle::new(alone, 2, line.color.filled())]).map(|_| ())
                    }
                    _ => chart.draw_series([PathElement::new(points, line.stroke())]).map(|_| ()),
                }
                .map_err(DrawError::of)?;
            }
        }
        Ok(())
    }
}

/// As much of a mark's label as has room beside its line.
fn marked(Mark { label, .. }: &Mark) -> String {
    let label = shown::line(label);
    let kept: String = label.chars().take(MOST_OF_A_LABEL).collect();
    let rest = if kept.len() < label.len() { "…" } else { "" };
    format!(" {kept}{rest} ")
}

/// Where a panel's values are drawn, below its head; `x_labels` is the room of those of its axis.
pub(super) fn plot<'a, 'b>(
    area: &'a Area<'b>,
    x_labels: u32,
) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut plot = ChartBuilder::on(area);
    plot.margin_top(PANEL_HEAD)
        .margin_right(RIGHT)
        .margin_bottom(10)
        .y_label_area_size(Y_LABELS)
        .x_label_area_size(x_labels);
    plot
}

/// The axis's label on the left, the legend on the right; returns where the
/// legend begins.
pub(super) fn head(area: &Area<'_>, panel: &Panel) -> Result<i32, DrawError> {
    let label = text(12.0, INK).pos(Pos::new(HPos::Left, VPos::Center));
    let middle = 10;
    area.draw_text(&panel.label, &label, (16, middle)).map_err(DrawError::of)?;
    let mut right = (WIDTH - RIGHT) as i32;
    let style = text(12.0, SOFT_INK).pos(Pos::new(HPos::Left, VPos::Center));
    for line in panel.lines.iter().rev() {
        let start = right - width(&line.name, 12.0);
        area.draw_text(&line.name, &style, (start, middle)).map_err(DrawError::of)?;
        let swatch = vec![(start - 24, middle), (start - 6, middle)];
        let thick = line.stroke().stroke_width.max(3);
        area.draw(&PathElement::new(swatch, line.stroke().stroke_width(thick)))
            .map_err(DrawError::of)?;
        right = start - 42;
    }
    Ok(right)
}

/// The shade's entry in the legend, to the left of `right`.
fn shade_entry(area: &Area<'_>, right: i32) -> Result<(), DrawError> {
    let name = "plateau";
    let start = right - width(name, 12.0);
    let style = text(12.0, SOFT_INK).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw_text(name, &style, (start, 10)).map_err(DrawError::of)?;
    let swatch = [(start - 24, 4), (start - 6, 16)];
    area.draw(&Rectangle::new(swatch, BLUE.mix(0.14).filled())).map_err(DrawError::of)
}

/// A picture with its title, as SVG.
pub(super) fn svg(
    height: u32,
    title: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut picture = String::new();
    {
        let area = SVGBackend::with_string(&mut picture, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE).map_err(DrawError::of)?;
        let style = TextStyle::from((FONT, px(15.0), FontStyle::Bold).into_font())
            .color(&INK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(title, &style, (16, 21)).map_err(DrawError::of)?;
        draw(&area)?;
        area.present().map_err(DrawError::of)?;
    }
    // plotters escapes what means something in XML; controls may not stand in it at all.
    Ok(style::dressed(&shown::lines(&picture), title))
}

pub(super) fn text(size: f64, color: RGBColor) -> TextStyle<'static> {
    let color = color.to_backend_color();
    TextStyle { color, ..TextStyle::from((FONT, px(size)).into_font()) }
}

/// plotters writes sizes to SVG divided by this.
fn px(size: f64) -> f64 {
    size * 1.24
}

fn width(text: &str, size: f64) -> i32 {
    (text.chars().count() as f64 * size * GLYPH).ceil() as i32
}

/// Points without a gap of more than a second between them.
fn stretches(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points.chunk_by(|a, b| b.0 - a.0 <= 1.5)
}
