//! `search.json`: what a search is of, each of its probes, and its answer.

use std::path::Path;

use chrono::{DateTime, Utc};
use common::output::OutputError;
use serde::Serialize;

use super::bisect::{Answer, Bounds};
use super::level::Axis;
use super::probe::Outcome;
use crate::suite::figures::RunFigures;
use crate::suite::journal::write_json;
use scenario::Expectation;

pub const FILE: &str = "search.json";
const FORMAT: &str = "replayer-search";
const VERSION: u32 = 1;

/// The file.
#[derive(Clone, Debug, Serialize)]
pub struct Journal {
    format: &'static str,
    version: u32,
    /// Name and version of the writer, such as `replayer 0.1.0`.
    tool: &'static str,
    pub started: DateTime<Utc>,
    /// None while it goes on, and where it was cut off.
    pub ended: Option<DateTime<Utc>>,
    pub target: String,
    pub by: Axis,
    pub from: f64,
    pub to: f64,
    pub within: f64,
    pub expectations: Vec<String>,
    pub most_probes: usize,
    /// In their order.
    pub probes: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Told>,
}

/// A probe.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Of its run directory.
    pub name: String,
    /// In users, requests a second or times the recorded speed.
    pub level: f64,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub figures: RunFigures,
}

/// The answer, as an interval: what is between its ends is not known.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    #[serde(flatten)]
    pub answer: Answer,
    pub says: String,
}

impl Told {
    /// An answer, in words.
    pub fn of(answer: Answer, by: Axis, expectations: &str, unclear: Option<&str>) -> Self {
        let Answer { held, missed, is_confirmed } = answer;
        let shown = |level: f64| by.shown(level);
        let mut says = match (held, missed) {
            (Some(held), Some(missed)) => {
                let width = (missed / held - 1.0) * 100.0;
                format!(
                    "{expectations}: held up to {}, and no more at {} ({width:.1} % apart)",
                    shown(held),
                    shown(missed)
                )
            }
            (Some(held), None) => {
                format!("{expectations}: held up to {}, and maybe beyond", shown(held))
            }
            (None, Some(missed)) => format!("{expectations}: not held at {} either", shown(missed)),
            (None, None) => format!("{expectations}: nothing is known"),
        };
        if let Some(unclear) = unclear {
            says.push_str(&format!("; it ended where it could not be told: {unclear}"));
        } else if !is_confirmed {
            says.push_str("; there were no probes left to confirm it");
        }
        Self { answer, says }
    }
}

impl Journal {
    pub fn new(
        target: String,
        by: Axis,
        bounds: Bounds,
        expectations: &[Expectation],
        most_probes: usize,
    ) -> Self {
        Self {
            format: FORMAT,
            version: VERSION,
            tool: concat!("replayer ", env!("CARGO_PKG_VERSION")),
            started: Utc::now(),
            ended: None,
            target,
            by,
            from: bounds.from,
            to: bounds.to,
            within: bounds.within,
            expectations: expectations.iter().map(ToString::to_string).collect(),
            most_probes,
            probes: Vec::new(),
            answer: None,
        }
    }

    /// Writes it anew: the disk has the old one or this one, and nothing between.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn write(&self, dir: &Path) -> Result<(), OutputError> {
        write_json(&dir.join(FILE), self)
    }
}
