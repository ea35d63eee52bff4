//! Charts as SVG, one file a chart.
//!
//! All share one frame: a title, panels above each other, in each the label of
//! its axis and a legend; the judged plateau shaded. A unit is chosen once a
//! panel. Text is left to the viewer's fonts.

mod axis;
mod distribution;
mod error;
mod frame;
mod in_flight;
mod lag;
mod latency;
mod target;
mod throughput;

pub use error::DrawError;

use crate::load::Entry;
use crate::summary::Summary;

/// A drawn chart.
pub struct Chart {
    pub title: String,
    /// Such as `01-baseline-latency.svg`.
    pub file: String,
    pub svg: String,
}

type Draw = fn(&str, &Summary) -> Result<Option<String>, DrawError>;

/// Name and drawing of every chart of a run, in the order of the report.
const CHARTS: [(&str, &str, Draw); 6] = [
    ("latency", "response time", latency::draw),
    ("throughput", "throughput and failures", throughput::draw),
    ("distribution", "latency distribution by percentile", distribution::draw),
    ("users", "users and requests in flight", in_flight::draw),
    ("lag", "session delay and generator share", lag::draw),
    ("target", "target and database", target::draw),
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
    for (name, what, draw) in CHARTS {
        let title = format!("{}: {what}", entry.scenario.title);
        if let Some(svg) = draw(&title, &run.summary)? {
            charts.push(Chart { title, file: format!("{stem}-{name}.svg"), svg });
        }
    }
    Ok(charts)
}
