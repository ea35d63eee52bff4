//! Processor and memory of the target, and of whatever else was watched on its machine.

use plotters::style::RGBColor;

use super::drawn::Drawn;
use super::error::DrawError;
use super::frame::over_time;
use super::palette::{BLUE, GREEN, GREY, ORANGE, PURPLE};
use super::panel::{Line, Panel};
use crate::summary::{MACHINE, PROCESSES, Summary, TARGET};
use crate::units::{Figure, Unit};

const COLORS: [RGBColor; 5] = [BLUE, ORANGE, GREEN, PURPLE, GREY];
const CPU: &str = "cpu_percent";
const MEMORY: &str = "rss_bytes";

pub(super) fn draw(scenario: &str, summary: &Summary) -> Result<Option<Drawn>, DrawError> {
    let panel = |label: &str, figure: &str, scale: f64| {
        let lines: Vec<Line> = names(summary, figure)
            .zip(COLORS)
            .filter_map(|(metric, color)| sampled(summary, metric, &who(metric), color, scale))
            .collect();
        (!lines.is_empty()).then(|| Panel { label: label.to_owned(), lines })
    };
    let panels: Vec<Panel> = [
        panel("Processor, % of one core", CPU, 1.0),
        panel("Memory, MiB", MEMORY, 1.0 / f64::from(1 << 20)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if panels.is_empty() {
        return Ok(None);
    }
    let first = names(summary, CPU).find_map(|name| Some((who(name), summary.samples.mean(name)?)));
    let finding = first.map_or_else(
        || "memory of the target".to_owned(),
        |(who, mean)| {
            let mean = Figure::new(mean, Unit::Percent);
            format!("{who} took {mean} of one core on average, of {}", summary.run.host.cores)
        },
    );
    over_time(&format!("{scenario}: {finding}"), summary, panels).map(Some)
}

/// All samples of a metric as a line; none where it was not sampled.
pub(super) fn sampled(
    summary: &Summary,
    metric: &str,
    name: &str,
    color: RGBColor,
    scale: f64,
) -> Option<Line> {
    let length_s = summary.timeline.len() as f64;
    let points = summary.samples.points(metric)?.iter();
    let points = points.map(|(second, value)| (*second as f64, value * scale));
    Some(Line::new(name, color, points.filter(|(second, _)| *second <= length_s).collect()))
}

/// The target's own, then those of processes, then the machine's.
fn names<'a>(summary: &'a Summary, figure: &'a str) -> impl Iterator<Item = &'a str> {
    [TARGET, PROCESSES, MACHINE].into_iter().flat_map(move |prefix| {
        let names = summary.samples.names(prefix);
        names.filter(move |name| name.rsplit('.').next() == Some(figure))
    })
}

fn who(metric: &str) -> String {
    match metric.rsplit_once('.').map_or(metric, |(who, _)| who) {
        "target" => "the target's process".to_owned(),
        "machine" => "the generator's machine".to_owned(),
        of => of.replace("process.pid_", "process ").replace("process.", "port "),
    }
}
