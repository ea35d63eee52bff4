//! Where the parts of a run are, and how they are reached: on this machine by pipes, elsewhere by
//! whatever else.

use super::message::{Order, Report};

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

    /// Tells all of them; who is gone is not told.
    fn tell(&mut self, order: &Order) -> impl Future<Output = ()>;
}
