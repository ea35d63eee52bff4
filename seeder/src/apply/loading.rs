//! What sending a table's rows needs to know beside them.

use super::config::Present;
use super::ownership::Ours;
use super::progress::Progress;
use crate::plan::Plan;
use crate::schema::Schema;

/// How rows are sent, and what becomes of those that are there.
pub(super) struct Loading<'a> {
    pub(super) plan: &'a Plan,
    pub(super) schema: &'a Schema,
    pub(super) ours: &'a Ours,
    pub(super) present: Present,
    pub(super) progress: Progress,
}
