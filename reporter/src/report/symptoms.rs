//! What changed first in a run, as rows and in a sentence.

use serde::Serialize;

use crate::summary::{Summary, Symptom};
use crate::units::{Figure, Unit};

/// So many are shown; the others are counted.
const MOST_SHOWN: usize = 8;

#[derive(Serialize)]
pub struct SymptomsReport {
    pub rows: Vec<SymptomRow>,
    /// How many more there were.
    pub more: usize,
}

/// A series that left what it was at first.
#[derive(Serialize)]
pub struct SymptomRow {
    pub series: String,
    /// When it began, from the start of the run.
    pub began: Figure,
    /// The most that it was at first.
    pub usual: Figure,
    pub then: Figure,
    /// Name of the chart that shows it; none where none does.
    pub chart: Option<&'static str>,
}

impl SymptomsReport {
    /// None where the run is too short to tell, or nothing changed.
    pub(super) fn of(summary: &Summary) -> Option<Self> {
        let all = summary.symptoms.as_ref().filter(|all| !all.is_empty())?;
        let rows = all.iter().take(MOST_SHOWN).map(row).collect();
        Some(Self { rows, more: all.len().saturating_sub(MOST_SHOWN) })
    }
}

fn row(symptom: &Symptom) -> SymptomRow {
    SymptomRow {
        series: symptom.series.clone(),
        began: Figure::new(symptom.second as f64, Unit::Seconds),
        usual: symptom.usual,
        then: symptom.then,
        chart: symptom.chart(),
    }
}

/// The first of them, in a sentence; none where nothing changed.
pub(super) fn first(summary: &Summary) -> Option<String> {
    let first = summary.symptoms.as_ref()?.first()?;
    let SymptomRow { series, began, usual, then, .. } = row(first);
    Some(format!(
        "the first to change was `{series}`, from {began} on: {then}, where it had been {usual} at most"
    ))
}
