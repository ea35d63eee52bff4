//! Where the parts of a run are, and how they are reached: on this machine by pipes, elsewhere by
//! whatever else.

use chrono::{DateTime, Utc};

use super::message::{Order, Report};
use crate::engine::WorkerSeen;

/// Something that a part said, or that became of it.
#[derive(Debug)]
pub enum Said {
    Report(Report),
    /// It says nothing more; how it ended, in words.
    Gone(String),
}

/// All parts of a run, by their numbers from 0.
pub trait Parts {
    fn count(&self) -> usize;

    /// The next that one of them says. After every part is gone there is nothing more to ask for.
    fn next(&mut self) -> impl Future<Output = (usize, Said)>;

    /// Gives all of them their second 0, which is far enough ahead.
    ///
    /// # Errors
    /// In words, when one of them will not begin then: none of them may.
    fn arm(&mut self, at: DateTime<Utc>) -> impl Future<Output = Result<(), String>>;

    /// Those on other machines, as they are known, without what they measure.
    fn workers(&self) -> Vec<WorkerSeen> {
        Vec::new()
    }

    /// Tells all of them; who is gone is not told.
    fn tell(&mut self, order: &Order) -> impl Future<Output = ()>;
}
