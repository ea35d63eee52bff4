//! The marks of a run, as its directory has them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use run_log::audit::{MarkRow, Stored};
use run_log::reader::{ReadError, Rows, RunReader};

/// Why nothing goes by marks.
#[derive(Debug, thiserror::Error)]
pub enum MarksError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the run in {} has no marks: its scenario has no [audit]", dir.display())]
    NoAudit { dir: PathBuf },
    #[error(
        "the run in {} does not say where its marks are stored, as those of earlier versions; run it again",
        dir.display()
    )]
    NoPlace { dir: PathBuf },
    #[error(
        "nothing is removed: the marks of {} are in {place}, and plan {plan} does not say that a load makes such rows; if it does, put at the plan's end: [[load]] table = {table:?}, marked = {marked:?}",
        dir.display()
    )]
    NotNamed { dir: PathBuf, place: String, plan: String, table: String, marked: String },
    #[error(
        "nothing is removed: the marks of {} are what the target answered, which may be of rows that were there before; add since = \"COLUMN\", the time that a row was made at, to the [[load]] rule on line {line} of plan {plan}",
        dir.display()
    )]
    MayBeOlder { dir: PathBuf, plan: String, line: usize },
}

/// A run with marks.
pub(crate) struct MarkedRun {
    pub(super) dir: PathBuf,
    pub(super) marks: Rows<MarkRow>,
    /// Where they are, in words.
    pub(super) place: String,
    pub(super) stored: Stored,
    pub(super) started: DateTime<Utc>,
}

impl MarkedRun {
    /// # Errors
    /// When it is no run, or has no marks.
    pub(crate) fn open(dir: &Path) -> Result<Self, MarksError> {
        let reader = RunReader::open(dir)?;
        let (dir, run) = (dir.to_owned(), reader.run());
        let Some(audit) = &run.audit else { return Err(MarksError::NoAudit { dir }) };
        let Some(stored) = audit.stored.clone() else { return Err(MarksError::NoPlace { dir }) };
        let (place, started) = (audit.place.clone(), run.started);
        Ok(Self { dir, marks: reader.marks()?, place, stored, started })
    }
}
