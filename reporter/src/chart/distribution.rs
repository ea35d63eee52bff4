//! Latency by percentile, on the axis that HdrHistogram's plots use: each
//! further nine takes the same room.

use hdrhistogram::Histogram;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::element::PathElement;
use plotters::style::{Color, WHITE};

use super::axis::{self, LatencyUnit};
use super::drawn::Drawn;
use super::error::DrawError;
use super::frame;
use super::palette::{BLUE, GREY};
use super::panel::{Line, Panel};
use crate::summary::Summary;
use crate::units::micros;
use scenario::Percentile;

const HEIGHT: u32 = 360;
/// Labelled percentiles, as shares of the requests that are slower.
const SLOWER: [(f64, &str); 9] = [
    (1.0, "0 %"),
    (0.5, "50 %"),
    (0.25, "75 %"),
    (0.1, "90 %"),
    (0.05, "95 %"),
    (0.01, "99 %"),
    (0.001, "99.9 %"),
    (0.0001, "99.99 %"),
    (0.00001, "99.999 %"),
];
const POINTS: usize = 400;

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    let response = summary.plateau.all.responses.judged();
    if response.len() < 2 {
        return Ok(None);
    }
    let service = &summary.plateau.all.service;
    let most = response.max().max(service.max()) as f64;
    let unit = LatencyUnit::for_most(most);
    // The largest of n requests stands for 1/n of them.
    let x = (response.len() as f64).log10();
    let line = |name, color, histogram| Line::new(name, color, curve(histogram, x, unit));
    let lines = vec![line("service time", GREY, service), line("response time", BLUE, &response)];
    let panel = Panel { label: format!("Latency at a percentile, {}", unit.name()), lines };
    let y = axis::top([unit.scale(most)].into_iter());
    let responses = &summary.plateau.all.responses;
    let at = |percentile| micros(responses.percentile(percentile));
    let title = format!(
        "{scenario}: half within {}, 99 % within {}, the slowest {}",
        at(Percentile::P50),
        at(Percentile::P99),
        micros(responses.max())
    );
    let svg = frame::svg(HEIGHT, &title, |area| {
        let (_, area) = area.split_vertically(frame::TITLE);
        frame::head(&area, &panel)?;
        let mut chart = frame::plot(&area, frame::X_LABELS)
            .build_cartesian_2d(Nines { end: x }, 0.0..y)
            .map_err(DrawError::of)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE.mix(0.0))
            .bold_line_style(frame::GRID)
            .axis_style(frame::AXIS)
            .y_labels(6)
            .label_style(frame::text(12.0, frame::SOFT_INK))
            .x_label_formatter(&|at| percentile(*at).to_owned())
            .y_label_formatter(&|value| axis::tick(*value))
            .draw()
            .map_err(DrawError::of)?;
        for line in &panel.lines {
            chart
                .draw_series([PathElement::new(line.points.clone(), line.stroke())])
                .map_err(DrawError::of)?;
        }
        Ok(())
    })?;
    Ok(Some(Drawn { title, svg, series: None }))
}

/// The axis of percentiles, from 0 % to that of the slowest request.
struct Nines {
    end: f64,
}

impl Ranged for Nines {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, at: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (at / self.end * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        SLOWER.iter().map(|(share, _)| place(*share)).filter(|at| *at <= self.end).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.end
    }
}

/// The position on the axis for a share of slower requests.
fn place(slower: f64) -> f64 {
    -slower.log10()
}

fn percentile(at: f64) -> &'static str {
    let known = SLOWER.iter().find(|(share, _)| (place(*share) - at).abs() < 1e-9);
    known.map_or("", |(_, label)| label)
}

fn curve(histogram: &Histogram<u64>, end: f64, unit: LatencyUnit) -> Vec<(f64, f64)> {
    (0..=POINTS)
        .map(|step| end * step as f64 / POINTS as f64)
        .map(|at| {
            let quantile = 1.0 - 10_f64.powf(-at);
            (at, unit.scale(histogram.value_at_quantile(quantile) as f64))
        })
        .collect()
}
