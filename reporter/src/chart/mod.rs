//! Charts as SVG, one file a chart.
//!
//! All share one frame: a title that states what is to be seen, panels above each other, in each the
//! label of its axis and a legend; the judged plateau shaded. A unit is chosen once a panel. Text is
//! left to the viewer's fonts. Those over time have one time axis, and their values besides.

mod axis;
mod database;
mod distribution;
mod drawn;
mod error;
mod failures;
mod frame;
mod heat;
mod in_flight;
mod lag;
mod latency;
mod palette;
mod panel;
mod plane;
mod scatter;
mod series;
mod stress;
mod style;
mod target;
mod throughput;

pub use error::DrawError;
pub use series::Series;

use drawn::Drawn;

use crate::load::Entry;
use crate::summary::Summary;

/// A drawn chart.
pub struct Chart {
    /// Such as `latency`.
    pub name: &'static str,
    pub title: String,
    /// Such as `01-baseline-latency.svg`.
    pub file: String,
    pub svg: String,
    /// Of a chart over time.
    pub series: Option<Series>,
}

/// Draws a run whose scenario has this title; none where there is nothing to draw.
type Draw = fn(&str, &Summary) -> Result<Option<Drawn>, DrawError>;

/// Name and drawing of every chart of a run, in the order of the report.
const CHARTS: [(&str, Draw); 11] = [
    ("latency", latency::draw),
    ("throughput", throughput::draw),
    ("failures", failures::draw),
    ("distribution", distribution::draw),
    ("heat", heat::draw),
    ("stress", stress::draw),
    ("load", scatter::draw),
    ("users", in_flight::draw),
    ("lag", lag::draw),
    ("target", target::draw),
    ("database", database::draw),
];

/// Draws all charts of a scenario's run; those without data are left out.
///
/// # Errors
/// When plotters refuses a coordinate, which would be a bug in this crate.
pub fn draw(entry: &Entry) -> Result<Vec<Chart>, DrawError> {
    let Some(run) = &entry.run else {
        return Ok(Vec::new());
    };
    let stem = format!("{:02}-{}", entry.scenario.number, entry.scenario.name);
    let mut charts = Vec::new();
    for (name, draw) in CHARTS {
        if let Some(Drawn { title, svg, series }) = draw(&entry.scenario.title, &run.summary)? {
            charts.push(Chart { name, title, file: format!("{stem}-{name}.svg"), svg, series });
        }
    }
    Ok(charts)
}
