//! What `apply` is asked for.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::progress::Progress;
use crate::database::Database;

/// What to do.
#[derive(Debug)]
pub struct Config {
    pub plan: PathBuf,
    pub database: Database,
    pub manifest: PathBuf,
    /// None for the plan's own.
    pub seed: Option<u64>,
    /// What `now()` is; none for the plan's own.
    pub now: Option<DateTime<Utc>>,
    pub scale: u32,
    pub before: Before,
    pub present: Present,
    /// Whether rows may be removed on another machine.
    pub confirmed: bool,
    pub progress: Progress,
}

/// What to do about an earlier apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Its rows stay; it is an error if the plan has changed.
    Keep,
    /// If the plan has changed, its rows are removed first.
    Replace,
    /// Its rows and the load's are removed first.
    Reset,
}

impl Before {
    /// Whether its rows go first, with these changes of the plan since.
    pub(super) fn removes(self, changes: &[String]) -> bool {
        match self {
            Self::Keep => false,
            Self::Replace => !changes.is_empty(),
            Self::Reset => true,
        }
    }
}

/// What to do about existing rows that others have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    Keep,
    Repair,
}
