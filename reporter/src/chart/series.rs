//! The values of a chart over time, for who looks at one with a pointer.

use std::collections::BTreeSet;
use std::ops::Range;

use plotters::style::RGBColor;
use run_log::format::Mark;
use serde::Serialize;

use super::panel::{Look, Panel};

/// A chart's values. Times are seconds of the run.
#[derive(Serialize)]
pub struct Series {
    pub title: String,
    pub length_s: f64,
    pub plateau: [u64; 2],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    pub panels: Vec<PanelSeries>,
}

#[derive(Serialize)]
pub struct PanelSeries {
    pub label: String,
    pub x: Vec<f64>,
    pub lines: Vec<LineSeries>,
}

#[derive(Serialize)]
pub struct LineSeries {
    pub name: String,
    pub color: String,
    pub look: &'static str,
    /// One for each `x`; none where the line has a gap.
    pub y: Vec<Option<f64>>,
}

/// So many digits of a value are kept.
const DIGITS: i32 = 5;

impl Series {
    pub(super) fn of(
        title: &str,
        length_s: f64,
        plateau: &Range<u64>,
        marks: &[Mark],
        panels: &[Panel],
    ) -> Self {
        Self {
            title: title.to_owned(),
            length_s,
            plateau: [plateau.start, plateau.end],
            marks: marks.to_vec(),
            panels: panels.iter().map(panel).collect(),
        }
    }
}

fn panel(panel: &Panel) -> PanelSeries {
    // Times are whole or half seconds, so that as many tenths tell them apart.
    let tenth = |at: f64| (at * 10.0).round() as i64;
    let times = panel.lines.iter().flat_map(|line| line.points.iter().map(|(at, _)| tenth(*at)));
    let mut times: BTreeSet<i64> = times.collect();
    // A second without a value is a gap, and not to be drawn through.
    if let Some((first, last)) = times.first().copied().zip(times.last().copied()) {
        times.extend((first..last).step_by(10));
    }
    let lines = panel.lines.iter().map(|line| {
        let mut points = line.points.iter().peekable();
        let mut at = |time: i64| {
            while points.next_if(|(at, _)| tenth(*at) < time).is_some() {}
            points.next_if(|(at, _)| tenth(*at) == time).map(|(_, value)| rounded(*value))
        };
        LineSeries {
            name: line.name.clone(),
            color: hex(line.color),
            look: match line.look {
                Look::Thin => "thin",
                Look::Wide => "wide",
                Look::Filled => "filled",
            },
            y: times.iter().map(|time| at(*time)).collect(),
        }
    });
    PanelSeries {
        label: panel.label.clone(),
        lines: lines.collect(),
        x: times.iter().map(|tenths| *tenths as f64 / 10.0).collect(),
    }
}

fn hex(color: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2)
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let whole = value.abs().log10().floor() as i32 + 1;
    let factor = 10_f64.powi(DIGITS - whole);
    // Above that many digits it is whole, and stays as it is.
    if factor < 1.0 { value.round() } else { (value * factor).round() / factor }
}

#[cfg(test)]
mod tests {
    use super::super::palette::{BLUE, GREY};
    use super::super::panel::Line;
    use super::*;

    #[test]
    fn lines_of_a_panel_share_their_times_and_keep_their_gaps() {
        let lines = vec![
            Line::new("one", BLUE, vec![(0.5, 1.0), (3.5, 1.234_567)]),
            Line::new("two", GREY, vec![(1.5, 123_456.7)]).look(Look::Wide),
        ];
        let panel = panel(&Panel { label: "Time, ms".to_owned(), lines });
        assert_eq!(panel.x, [0.5, 1.5, 2.5, 3.5]);
        assert_eq!(panel.lines[0].y, [Some(1.0), None, None, Some(1.2346)]);
        assert_eq!(panel.lines[1].y, [None, Some(123_457.0), None, None]);
        assert_eq!((panel.lines[1].color.as_str(), panel.lines[1].look), ("#787E86", "wide"));
    }
}
