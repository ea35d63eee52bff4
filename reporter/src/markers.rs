//! Parts of the report in a Markdown file that somebody wrote by hand.
//!
//! ```markdown
//! <!-- report:results:baseline -->
//! whatever stands here is replaced
//! <!-- /report -->
//! ```
//!
//! Every byte outside of the markers stays. Markers in a fenced block are an example, not a place.

use std::io;
use std::path::{Path, PathBuf};

use crate::render::{Template, TemplateError};
use crate::report::Report;

/// The blocks of the template that stand for themselves.
const PARTS: [&str; 12] = [
    "verdict",
    "summary",
    "infrastructure",
    "scenarios",
    "results",
    "targets",
    "bottlenecks",
    "scalability",
    "recommendations",
    "metrics",
    "limitations",
    "evidence",
];

const OPEN: &str = "<!-- report:";
const SHUT: &str = " -->";
const END: &str = "<!-- /report -->";

#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} line {line}: {message}", path.display())]
    At { path: PathBuf, line: usize, message: String },
    #[error("{} has no place for a part of the report, such as: {OPEN}summary{SHUT} and then {END}", path.display())]
    None { path: PathBuf },
}

/// A file with its places, which were found to be in order.
pub struct Marked {
    pub path: PathBuf,
    text: String,
    places: Vec<Place>,
}

/// Between two markers.
struct Place {
    /// Bytes of the text that are replaced.
    from: usize,
    to: usize,
    line: usize,
    part: String,
    /// Name or number of the one scenario that it is of.
    scenario: Option<String>,
}

impl Marked {
    /// # Errors
    /// When it cannot be read, has no markers, or one that is unknown or has no end.
    pub fn read(path: &Path) -> Result<Self, MarkerError> {
        let text = common::input::text(path)
            .map_err(|source| MarkerError::Read { path: path.to_owned(), source })?;
        let at = |(line, message)| MarkerError::At { path: path.to_owned(), line, message };
        let places = places(&text).map_err(at)?;
        if places.is_empty() {
            return Err(MarkerError::None { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), text, places })
    }

    /// The scenario of each place has to be one of the report's.
    ///
    /// # Errors
    /// With the line of the one that is not.
    pub fn check(&self, report: &Report) -> Result<(), MarkerError> {
        for place in &self.places {
            let Some(name) = &place.scenario else { continue };
            if position(report, name).is_none() {
                let known: Vec<&str> = report.scenarios.iter().map(|of| of.name.as_str()).collect();
                let message = format!("no scenario {name:?}; there are: {}", known.join(", "));
                return Err(MarkerError::At { path: self.path.clone(), line: place.line, message });
            }
        }
        Ok(())
    }

    /// The text with all its places filled.
    ///
    /// # Errors
    /// When the template has an error.
    pub fn filled(&self, template: &Template, report: &Report) -> Result<String, TemplateError> {
        let mut rendered = template.render(report)?;
        let mut out = String::with_capacity(self.text.len());
        let mut done = 0;
        for place in &self.places {
            let scenario = place.scenario.as_ref().and_then(|name| position(report, name));
            let part = match scenario {
                Some(index) if report.scenarios[index].run.is_some() => rendered.results(index)?,
                Some(index) => format!("Status: **{}**", report.scenarios[index].outcome),
                None => rendered.block(&place.part)?,
            };
            out.push_str(&self.text[done..place.from]);
            out.push('\n');
            out.push_str(part.trim());
            out.push('\n');
            done = place.to;
        }
        out.push_str(&self.text[done..]);
        Ok(out)
    }
}

fn position(report: &Report, scenario: &str) -> Option<usize> {
    report.scenarios.iter().position(|of| of.name == scenario || of.number.to_string() == scenario)
}

/// With line and message where a marker is not in order.
fn places(text: &str) -> Result<Vec<Place>, (usize, String)> {
    let mut places: Vec<Place> = Vec::new();
    let mut open: Option<Place> = None;
    let (mut at, mut is_fenced) = (0, false);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let trimmed = line.trim();
        let start = at;
        at += line.len();
        if open.is_none() && (trimmed.starts_with("```") || trimmed.starts_with("~~~")) {
            is_fenced = !is_fenced;
        }
        if is_fenced {
            continue;
        }
        let name = trimmed.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(SHUT));
        match (name, open.take()) {
            (Some(name), None) => {
                let (part, scenario) = named(name).map_err(|message| (number, message))?;
                let from = start + line.trim_end().len();
                open = Some(Place { from, to: from, line: number, part, scenario });
            }
            (Some(_), Some(before)) => {
                return Err((before.line, format!("no {END} before line {number}")));
            }
            (None, Some(mut place)) if trimmed == END => {
                place.to = start;
                places.push(place);
            }
            (None, before) if trimmed == END => {
                debug_assert!(before.is_none(), "the case before has it");
                return Err((number, format!("{END} without a marker before it")));
            }
            (None, before) => open = before,
        }
    }
    match open {
        Some(place) => Err((place.line, format!("no {END} after it"))),
        None => Ok(places),
    }
}

/// The part, and the scenario that it is of.
fn named(name: &str) -> Result<(String, Option<String>), String> {
    let (part, scenario) = match name.split_once(':') {
        Some((part, scenario)) => (part, Some(scenario.to_owned())),
        None => (name, None),
    };
    if !PARTS.contains(&part) {
        return Err(format!("no part {part:?} of a report; there are: {}", PARTS.join(", ")));
    }
    if scenario.is_some() && part != "results" {
        return Err(format!("{part} is of all scenarios: write {OPEN}{part}{SHUT}"));
    }
    Ok((part.to_owned(), scenario))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Part, scenario, and what stands there.
    type Found = (String, Option<String>, String);

    fn found(text: &str) -> Result<Vec<Found>, (usize, String)> {
        let of = |place: Place| (place.part, place.scenario, text[place.from..place.to].to_owned());
        Ok(places(text)?.into_iter().map(of).collect())
    }

    #[test]
    fn places_are_between_markers_and_not_in_examples() {
        let text = "# Mine\n```\n<!-- report:summary -->\n```\n<!-- report:summary -->\nold\n\
                    ```\ncode\n```\n<!-- /report -->\n  <!-- report:results:one -->\r\n<!-- /report -->";
        let expected = [
            ("summary".to_owned(), None, "\nold\n```\ncode\n```\n".to_owned()),
            ("results".to_owned(), Some("one".to_owned()), "\r\n".to_owned()),
        ];
        assert_eq!(found(text).unwrap(), expected);
    }

    #[test]
    fn a_marker_that_is_not_in_order_is_told_with_its_line() {
        for (text, line, expected) in [
            ("a\n<!-- report:summary -->\n", 2, "no <!-- /report --> after it"),
            ("<!-- report:sum -->\n<!-- /report -->", 1, "no part \"sum\""),
            ("<!-- report:targets:one -->\n<!-- /report -->", 1, "is of all scenarios"),
            ("\n<!-- /report -->", 2, "without a marker"),
            ("<!-- report:summary -->\n<!-- report:targets -->\n", 1, "before line 2"),
        ] {
            let (at, message) = found(text).unwrap_err();
            assert!(at == line && message.contains(expected), "{at}: {message}");
        }
    }
}
