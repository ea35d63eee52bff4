//! What the thread that runs tells the one that serves: copies, so that neither waits for the other.

use std::path::{Path, PathBuf};

use figures::judged::{Judged, so_far};
use figures::validity::validity;
use figures::{Histograms, Recorded, is_endpoint};
use run_log::format::{ErrorSample, Run, Tag, TargetSample, Validity, Verdict};
use run_log::timeline;
use scenario::Expectation;

use crate::engine::{Tick, WorkerSeen};
use crate::measure::{Collector, OF_THE_RUN, Occurrences};
use crate::time::At;

/// Kinds of failures that are told of at most, the most frequent ones.
const MOST_FAILURES: usize = 100;

pub(super) enum Told {
    Begun(Box<Begun>),
    Second(Box<Second>),
    Ended(Box<Ended>),
}

/// A run that begins.
pub(super) struct Begun {
    /// As it is known before the start.
    pub run: Run,
    /// Requests that are due, by second; nothing by closed pacing.
    pub due: Vec<u64>,
    /// Its run directory, where it is written while the run goes on.
    pub dir: Option<PathBuf>,
}

/// A second that is over.
pub(super) struct Second {
    pub row: timeline::Second,
    pub planned_s: Option<u64>,
    pub recorded: Vec<(Tag, Recorded)>,
    pub validity: Validity,
    pub verdicts: Vec<Verdict>,
    pub failures: Vec<Failure>,
    pub errors: Vec<ErrorSample>,
    pub observed: Vec<TargetSample>,
    pub workers: Vec<WorkerSeen>,
    /// By a signal, or by a viewer.
    pub is_stopping: bool,
}

impl Second {
    /// With how a run stands that is to meet these expectations.
    pub(super) fn of(
        tick: &Tick<'_>,
        run: &Run,
        expectations: &[Expectation],
        is_stopping: bool,
    ) -> Self {
        let Tick { row, collector, planned_end, errors, observed, workers } = tick;
        let plateau = &collector.plateau;
        let verdicts = so_far(run, plateau, expectations);
        Self {
            row: **row,
            planned_s: planned_end.map(At::second),
            recorded: recorded(&collector.second),
            validity: validity(plateau, expectations, collector.generator(collector.taken)),
            verdicts: verdicts.iter().map(figures::judge::Verdict::record).collect(),
            failures: failures(collector),
            errors: errors.to_vec(),
            observed: observed.to_vec(),
            workers: workers.to_vec(),
            is_stopping,
        }
    }
}

/// A run that is over, judged and written.
pub(super) struct Ended {
    /// As its `run.json` has it.
    pub run: Run,
    /// Its run directory.
    pub dir: PathBuf,
    pub conclusion: String,
    pub reason: Option<String>,
    pub notes: Vec<String>,
    /// Of the whole run: what was told of its seconds may lack what came late.
    pub recorded: Vec<(Tag, Recorded)>,
    pub failures: Vec<Failure>,
}

impl Ended {
    pub(super) fn of(run: &Run, dir: &Path, judged: &Judged, collector: &Collector) -> Self {
        Self {
            run: run.clone(),
            dir: dir.to_owned(),
            conclusion: judged.conclusion.name().to_owned(),
            reason: judged.reason.clone(),
            notes: judged.marks.clone(),
            recorded: recorded(&collector.run),
            failures: failures(collector),
        }
    }
}

/// How often something went wrong at an endpoint.
pub(super) struct Failure {
    pub endpoint: usize,
    pub error: String,
    pub of_it: Occurrences,
}

fn recorded(histograms: &Histograms) -> Vec<(Tag, Recorded)> {
    let shown = |tag: &Tag| is_endpoint(tag.scope) && OF_THE_RUN.contains(&tag.kind);
    let all = histograms.iter().filter(|(tag, _)| shown(tag));
    all.map(|(tag, histogram)| (tag, Recorded::of(histogram))).collect()
}

fn failures(collector: &Collector) -> Vec<Failure> {
    let mut all: Vec<_> = collector.failures.iter().collect();
    all.sort_by_key(|(_, of_it)| std::cmp::Reverse(of_it.count));
    all.truncate(MOST_FAILURES);
    let told = |((endpoint, error), of_it): (&(usize, String), &Occurrences)| Failure {
        endpoint: *endpoint,
        error: error.clone(),
        of_it: of_it.clone(),
    };
    all.into_iter().map(told).collect()
}
