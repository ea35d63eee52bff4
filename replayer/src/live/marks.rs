//! What viewers note while a run goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use common::shown;
use run_log::format::Mark;

/// Of a run at most.
const MOST: usize = 200;

/// Characters of a label at most.
const LONGEST: usize = 120;

#[derive(Debug, thiserror::Error)]
pub(super) enum MarkError {
    #[error("no run is under way")]
    NoRun,
    #[error("a mark has a label of 1 to {LONGEST} characters")]
    Label,
    #[error("a run has at most {MOST} marks")]
    TooMany,
}

/// Those of the run that is under way, of which both threads know. Neither holds it for longer than a
/// push takes.
#[derive(Clone, Default)]
pub(super) struct Marks(Arc<Mutex<Option<Open>>>);

struct Open {
    start: Instant,
    marks: Vec<Mark>,
}

impl Marks {
    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        // A push leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins, whose second 0 is then.
    pub(super) fn begin(&self, start: Instant) {
        *self.open() = Some(Open { start, marks: Vec::new() });
    }

    /// Notes a label in the second that it is now; before second 0 in that.
    ///
    /// # Errors
    /// When there is no run, the label is none, or there are too many.
    pub(super) fn note(&self, label: &str) -> Result<Mark, MarkError> {
        let label = shown::line(label.trim()).into_owned();
        if !(1..=LONGEST).contains(&label.chars().count()) {
            return Err(MarkError::Label);
        }
        let mut open = self.open();
        let Open { start, marks } = open.as_mut().ok_or(MarkError::NoRun)?;
        if marks.len() == MOST {
            return Err(MarkError::TooMany);
        }
        let mark = Mark { second: start.elapsed().as_secs(), label };
        marks.push(mark.clone());
        Ok(mark)
    }

    pub(super) fn so_far(&self) -> Vec<Mark> {
        self.open().as_ref().map_or_else(Vec::new, |open| open.marks.clone())
    }

    /// The run is over: its marks, and no further ones.
    pub(super) fn end(&self) -> Vec<Mark> {
        self.open().take().map_or_else(Vec::new, |open| open.marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_one_line_and_marks_are_of_a_run() {
        let marks = Marks::default();
        assert!(matches!(marks.note("early"), Err(MarkError::NoRun)));
        marks.begin(Instant::now());
        assert_eq!(marks.note(" a\nb ").unwrap(), Mark { second: 0, label: "a b".to_owned() });
        for label in ["", "  ", &"x".repeat(LONGEST + 1)] {
            assert!(matches!(marks.note(label), Err(MarkError::Label)), "{label:?}");
        }
        (1..MOST).for_each(|_| drop(marks.note("x").unwrap()));
        assert!(matches!(marks.note("x"), Err(MarkError::TooMany)));
        assert_eq!(
            (marks.so_far().len(), marks.end().len(), marks.so_far().len()),
            (MOST, MOST, 0)
        );
    }
}
