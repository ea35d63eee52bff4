//! What a run directory has of an audit: the marks of the audited requests, and what became of
//! them in the target's database.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::count::count;

/// In `run.json`: what was audited, and what came of it. Either `not_done` or `counts` is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    pub endpoint: String,
    /// Where the mark of a request stands, such as `/id of the answer`.
    pub mark: String,
    /// Where it stands in the database, such as `alerts.id`.
    pub place: String,
    /// The same for a program; none where an earlier version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
    /// From the end of the run to the count, in seconds.
    pub settle_s: f64,
    /// Why nothing was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_done: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<AuditCounts>,
}

impl Audit {
    /// The same, of which nothing was counted.
    #[must_use]
    pub fn not_done(self, why: &str) -> Self {
        Self { not_done: Some(why.to_owned()), counts: None, ..self }
    }

    /// The same, of which this was counted.
    #[must_use]
    pub fn counted(self, counts: AuditCounts) -> Self {
        Self { not_done: None, counts: Some(counts), ..self }
    }
}

/// Which rows have a mark of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// As it was typed: a name, or a schema's and a name.
    pub table: String,
    pub column: String,
    /// Keys, and places in lists, within a column of JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    pub made_by: MadeBy,
}

/// Who makes the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MadeBy {
    /// The run: no row of anybody else has one.
    Run,
    /// The target, which may answer one of a row that was there before.
    #[serde(other)]
    Target,
}

/// Of the whole run, ramp and drain included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditCounts {
    /// Requests that were answered 2xx, and are no failure by the scenario's statuses and checks.
    #[serde(deserialize_with = "count")]
    pub acknowledged: u64,
    /// All others that were begun: a failure, or no answer.
    #[serde(deserialize_with = "count")]
    pub failed: u64,
    /// Of the acknowledged ones, those whose mark is not known: they cannot be looked for.
    #[serde(deserialize_with = "count")]
    pub unmarked: u64,
    /// Of the acknowledged ones, those whose mark an earlier one has, too: the target took them for
    /// the same.
    #[serde(deserialize_with = "count")]
    pub repeated: u64,
    /// Marks that were looked for, each once.
    #[serde(deserialize_with = "count")]
    pub marks: u64,
    /// Acknowledged, and not there.
    #[serde(deserialize_with = "count")]
    pub lost: u64,
    /// There more than once.
    #[serde(deserialize_with = "count")]
    pub duplicated: u64,
    /// There, and never acknowledged; none where the mark is known of answered requests alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unacknowledged: Option<u64>,
    /// How long counting took, in seconds.
    pub took_s: f64,
}

/// A row of `marks.csv`: a request to the audited endpoint that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRow {
    /// In which it ended.
    pub second: u64,
    /// Empty where it is not known.
    pub mark: String,
    pub outcome: MarkOutcome,
}

/// What the client saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkOutcome {
    /// Answered 2xx, and no failure.
    Acknowledged,
    /// A failure, or no answer.
    #[serde(other)]
    Failed,
}

/// A row of `audit.csv`: all that is lost, by time; then what is duplicated, then unacknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    pub finding: Finding,
    /// In which the first request with the mark ended.
    pub second: u64,
    pub endpoint: String,
    pub mark: String,
    /// How often the mark is in the database.
    #[serde(deserialize_with = "count")]
    pub rows: u64,
}

/// What is not as the answers said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    Lost,
    Duplicated,
    Unacknowledged,
    /// Of a later minor version.
    #[serde(other)]
    Other,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Unacknowledged => "unacknowledged",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_claims_least() {
        let outcome = |text: &str| serde_json::from_str::<MarkOutcome>(text).unwrap();
        assert_eq!(outcome("\"acknowledged\""), MarkOutcome::Acknowledged);
        assert_eq!(outcome("\"half\""), MarkOutcome::Failed);
        assert_eq!(serde_json::from_str::<MadeBy>("\"both\"").unwrap(), MadeBy::Target);
        for finding in [Finding::Lost, Finding::Duplicated, Finding::Unacknowledged] {
            let text = serde_json::to_string(&finding).unwrap();
            assert_eq!(text, format!("\"{finding}\""));
            assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
        }
        assert_eq!(serde_json::from_str::<Finding>("\"moved\"").unwrap(), Finding::Other);
    }

    #[test]
    fn an_audit_has_counts_or_says_why_not() {
        let audit = Audit {
            endpoint: "POST /a".into(),
            mark: "/id of the answer".into(),
            place: "a.id".into(),
            stored: None,
            settle_s: 5.0,
            not_done: None,
            counts: None,
        };
        let not_done = audit.clone().not_done("no database");
        let counted = not_done.clone().counted(AuditCounts { lost: 3, ..AuditCounts::default() });
        for audit in [not_done, counted] {
            let text = serde_json::to_string(&audit).unwrap();
            assert_eq!(text.contains("not_done"), !text.contains("counts"), "{text}");
            // What is not known is not there, and not 0.
            assert!(!text.contains("unacknowledged"), "{text}");
            assert_eq!(serde_json::from_str::<Audit>(&text).unwrap(), audit);
        }
    }
}
