//! What was answered beside what is in the target's database.

use common::shown;
use run_log::audit::{Audit, AuditCounts};
use serde::Serialize;

use crate::summary::Summary;
use crate::units::{Figure, Unit};

/// Characters of a mark that are shown; a file may have any.
const MOST_SHOWN: usize = 100;

#[derive(Serialize)]
pub struct AuditReport {
    pub endpoint: String,
    /// Where the mark of a request stands, and where it stands in the database.
    pub mark: String,
    pub place: String,
    /// Why nothing was counted.
    pub not_done: Option<String>,
    pub settle: Figure,
    /// How long counting took.
    pub took: Figure,
    pub acknowledged: Figure,
    pub failed: Figure,
    pub unmarked: Figure,
    pub repeated: Figure,
    pub lost: Figure,
    pub duplicated: Figure,
    /// None where the mark is known of answered requests alone.
    pub unacknowledged: Figure,
    /// The first of each finding.
    pub rows: Vec<FindingRow>,
}

#[derive(Serialize)]
pub struct FindingRow {
    pub finding: String,
    pub second: u64,
    pub mark: String,
    pub rows: Figure,
}

impl AuditReport {
    /// Of a run that was to be audited.
    pub(super) fn of(summary: &Summary) -> Option<Self> {
        let Audit { endpoint, mark, place, settle_s, not_done, counts, .. } =
            summary.run.audit.as_ref()?;
        let count = |of: fn(&AuditCounts) -> u64| match counts {
            Some(counts) => Figure::count(of(counts)),
            None => Figure::none(Unit::Count),
        };
        let unacknowledged = counts.and_then(|counts| counts.unacknowledged);
        let took = counts.map_or(Figure::none(Unit::Seconds), |counts| {
            Figure::new(counts.took_s, Unit::Seconds)
        });
        let rows = summary.audit.iter().map(|row| FindingRow {
            finding: row.finding.to_string(),
            second: row.second,
            mark: shown::shortened(&row.mark, MOST_SHOWN).into_owned(),
            rows: Figure::count(row.rows),
        });
        Some(Self {
            endpoint: endpoint.clone(),
            mark: mark.clone(),
            place: place.clone(),
            not_done: not_done.clone(),
            settle: Figure::new(*settle_s, Unit::Seconds),
            took,
            acknowledged: count(|counts| counts.acknowledged),
            failed: count(|counts| counts.failed),
            unmarked: count(|counts| counts.unmarked),
            repeated: count(|counts| counts.repeated),
            lost: count(|counts| counts.lost),
            duplicated: count(|counts| counts.duplicated),
            unacknowledged: unacknowledged.map_or(Figure::none(Unit::Count), Figure::count),
            rows: rows.collect(),
        })
    }
}
