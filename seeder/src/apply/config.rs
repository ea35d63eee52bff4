//! What `apply` is asked for.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::progress::Progress;
use crate::database::Database;

/// What is to be done.
#[derive(Debug)]
pub struct Config {
    pub plan: PathBuf,
    pub database: Database,
    pub manifest: PathBuf,
    /// The plan's own where none is given.
    pub seed: Option<u64>,
    /// What `now()` is; the plan's own where none is given.
    pub now: Option<DateTime<Utc>>,
    pub scale: u32,
    pub before: Before,
    pub present: Present,
    /// Whether rows may be removed on another machine.
    pub confirmed: bool,
    pub progress: Progress,
}

/// What becomes of an earlier apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Its rows stay; that the plan is another now is an error.
    Keep,
    /// Where the plan is another now, its rows go first.
    Replace,
    /// What it and the load put there goes first.
    Reset,
}

/// What becomes of rows that are there and that others have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    Keep,
    Repair,
}
