//! Which tasks did not come to their end, since a value was missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Of a task that did not always run to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskEnds {
    pub persona: String,
    pub task: String,
    pub begun: u64,
    /// Those of which every step was sent.
    pub ran: u64,
    /// What was missing first.
    pub why: String,
}

impl std::fmt::Display for TaskEnds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { persona, task, begun, ran, why } = self;
        write!(f, "{persona}, {task}: {ran} of {begun} ran: {why}")
    }
}

/// By persona and task; users count in it. It holds a few numbers a task.
#[derive(Debug, Default)]
pub(super) struct TaskCounts(Mutex<BTreeMap<(String, String), Counts>>);

#[derive(Debug, Default)]
struct Counts {
    begun: u64,
    early: u64,
    why: Option<String>,
}

impl TaskCounts {
    /// Notes a task that was over; what was missing, where it did not come to its end.
    pub(super) fn over(&self, persona: &str, task: &str, missing: Option<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = all.entry((persona.to_owned(), task.to_owned())).or_default();
        counts.begun += 1;
        counts.early += u64::from(missing.is_some());
        counts.why = counts.why.take().or(missing);
    }

    pub(super) fn ended_early(&self) -> Vec<TaskEnds> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = all.iter().filter_map(|((persona, task), counts)| {
            Some(TaskEnds {
                persona: persona.clone(),
                task: task.clone(),
                begun: counts.begun,
                ran: counts.begun - counts.early,
                why: counts.why.clone()?,
            })
        });
        ends.collect()
    }
}
