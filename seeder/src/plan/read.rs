//! From a file to a plan.

use std::path::Path;

use super::model::{Plan, PlanError};
use super::{resolve, typed};

impl Plan {
    /// Reads and checks a plan file.
    ///
    /// # Errors
    /// With file, line and what would be right.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = common::input::text(path)
            .map_err(|source| PlanError::Read { path: path.into(), source })?;
        let plan = Self::parse(path, &text)?;
        match plan.load.iter().find(|load| load.may_be_older() && !load.older) {
            None => Ok(plan),
            Some(load) => Err(PlanError::Unsafe {
                path: path.into(),
                line: load.line,
                message: format!(
                    "rows of {} that others made before the first apply may look like these, too; \
                     say since = \"…\", the column with the time that a row was made at, or \
                     also = \"older\" if they are meant",
                    load.table
                ),
            }),
        }
    }

    /// Checks a plan's text; the path is for what is said of it.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, PlanError> {
        typed::Plan::parse(text)
            .and_then(|typed| resolve::plan(path, text, typed))
            .map_err(|(line, message)| PlanError::At { path: path.into(), line, message })
    }
}
