//! The figures of one run, from one pass over its directory.
//!
//! `FIGURES.md` says for each figure how it is recomputed. Kept in memory: a
//! row a second (250 bytes), a few histograms an endpoint and a step, a few numbers a series, at most 200
//! endpoints, and bounded tables; the log itself and the samples of what is not drawn are streamed.

mod ahead;
mod bounds;
mod heat;
mod samples;
mod series;
mod symptoms;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::thread;

use figures::recovery::Watch;
use figures::steps::Ladder;
use figures::{Names, Plateau, Reading, UnknownTag};
use hdrhistogram::Histogram;
use run_log::audit::AuditRow;
use run_log::format::{
    ErrorSample, FAILURES_CSV, FIDELITY_CSV, FailureRow, FidelityRow, LatencyKind, Run, Scope,
    TARGET_CSV, Tag, Window, endpoint,
};
use run_log::phase::phases_seen;
use run_log::reader::{Agreement, Interval, PackedInterval, ReadError, RunReader};
use run_log::recovery::Recovery;
use run_log::stats::StatsRow;
use run_log::timeline::Second;
use scenario::Expectation;

use ahead::ahead;
use bounds::Unbounded;

pub use heat::Heat;
pub use samples::{
    BLOCKED, CONNECTIONS, CPU, DATABASE, MACHINE, Metric, MetricKind, PROCESSES, Samples,
    Statement, TARGET, WAITS,
};
pub use series::Point;
pub use symptoms::Symptom;
use symptoms::Symptoms;

/// Of each of an audit's findings.
const MAX_FINDINGS_SHOWN: usize = 12;

#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{}: tag {tag} is of an endpoint or persona that run.json does not name", dir.display())]
    Unknown { dir: PathBuf, tag: Tag },
    #[error("the run in {} cannot be used: {message}; run it again", dir.display())]
    Disagree { dir: PathBuf, message: String },
}

/// What was measured in one run.
pub struct Summary {
    pub run: Run,
    /// The plateau as far as the run got; empty when it ended before it.
    pub window: Range<u64>,
    pub plateau: Plateau,
    pub peak_users: u64,
    pub timeline: Vec<Second>,
    pub points: Vec<Point>,
    pub heat: Heat,
    /// What is asked of the steps of a load in stages; the plateau has their figures.
    pub ladder: Option<Ladder>,
    /// What became of the target once the load was taken away.
    pub recovery: Option<Recovery>,
    pub samples: Samples,
    /// What changed, the first first; none where the run is too short to tell.
    pub symptoms: Option<Vec<Symptom>>,
    pub failures: Vec<FailureRow>,
    pub fidelity: Vec<FidelityRow>,
    /// The first sample of each cause of failure.
    pub samples_of_failures: Vec<ErrorSample>,
    /// Response times of answers that failed by their status or a check, from the plateau on.
    pub failed_answers: Histogram<u64>,
    /// Mean size of the bodies that an endpoint answered, in bytes, by its index; whole run.
    pub body_bytes: BTreeMap<usize, f64>,
    /// The first of each of an audit's findings.
    pub audit: Vec<AuditRow>,
}

impl Summary {
    /// Reads all of a run directory. `stop_on` is the scenario's condition to stop, and
    /// `expectations` what it will be held against.
    ///
    /// # Errors
    /// When a file is missing or damaged, with file and line.
    pub fn read(
        reader: &RunReader,
        stop_on: Option<&Expectation>,
        expectations: &[Expectation],
    ) -> Result<Self, SummaryError> {
        let run = reader.run().clone();
        let disagree = |message| SummaryError::Disagree { dir: reader.dir().to_owned(), message };
        let held = |file: &'static str| {
            move |why| match why {
                Unbounded::Read(error) => SummaryError::Read(error),
                Unbounded::TooMuch => disagree(format!("{file}: {why}")),
            }
        };
        let mut agreement = Agreement::default();
        let mut timeline = Vec::new();
        for row in reader.seconds()? {
            let row = row?;
            agreement.row(&row).map_err(disagree)?;
            timeline.push(row);
        }
        let window = window(&run, &timeline);
        let seconds = window.start_s..window.end_s;
        let names = Names {
            endpoints: run.endpoints.clone(),
            personas: run.personas.iter().map(|persona| persona.name.clone()).collect(),
        };
        let mut pass = Pass {
            plateau: Plateau::new(&names),
            failed_answers: figures::histogram(),
            points: series::Points::default(),
            heat: Heat::new(timeline.len() as u64),
            symptoms: Symptoms::of(&run, &timeline, &seconds),
            agreement,
        };
        pass.plateau.watch(&run.phases, expectations);
        let ladder = Ladder::of(&run, stop_on);
        if let Some(ladder) = &ladder {
            pass.plateau.watch_steps(&run.phases, ladder.criterion.expectations());
        }
        for row in &timeline {
            pass.plateau.add_row(window, row);
        }
        pass.plateau.load_held = run.load_held;
        pass.plateau.fidelity = run.fidelity;
        pass.plateau.audit = run.audit.as_ref().and_then(|audit| audit.counts);
        pass.read(reader, window)?;
        let points = pass.points.finish();
        let recovery = recovery(&run, &timeline, &points);
        pass.agreement.check(&run).map_err(disagree)?;
        let mut symptoms = pass.symptoms;
        let watched = reader.target()?.inspect(|row| {
            if let (Ok(sample), Some(symptoms)) = (row, &mut symptoms) {
                symptoms.sample(sample);
            }
        });
        let samples = Samples::read(watched, &seconds).map_err(held(TARGET_CSV))?;
        let failures = bounds::all(reader.failures()?, |row| {
            row.method.len() + row.name.len() + row.error.len()
        })
        .map_err(held(FAILURES_CSV))?;
        Ok(Self {
            window: seconds.clone(),
            plateau: pass.plateau,
            peak_users: timeline.iter().map(|row| row.users).max().unwrap_or(0),
            points,
            heat: pass.heat,
            ladder,
            recovery,
            samples,
            symptoms: symptoms.map(Symptoms::finish),
            samples_of_failures: samples_of(&failures, reader.errors()?)?,
            failures,
            failed_answers: pass.failed_answers,
            body_bytes: body_bytes(&run, reader.stats()?)?,
            fidelity: bounds::all(reader.fidelity()?, |row| row.endpoint.len())
                .map_err(held(FIDELITY_CSV))?,
            audit: match run.audit.as_ref().and_then(|audit| audit.counts) {
                Some(_) => {
                    bounds::first_of_each(reader.audit()?, |row| row.finding, MAX_FINDINGS_SHOWN)?
                }
                None => Vec::new(),
            },
            timeline,
            run,
        })
    }
}

fn window(run: &Run, timeline: &[Second]) -> Window {
    let seen = timeline.last().map_or(0, |row| row.second + 1);
    run.plateau.until(seen.max(run.plateau.start_s) as f64)
}

/// The first sample of each cause of failure; the others are read, as they may be damaged.
fn samples_of(
    failures: &[FailureRow],
    samples: impl Iterator<Item = Result<ErrorSample, ReadError>>,
) -> Result<Vec<ErrorSample>, ReadError> {
    let mut wanted: BTreeSet<(String, String)> =
        failures.iter().map(|row| (row.endpoint(), row.error.clone())).collect();
    let mut found = Vec::new();
    for sample in samples {
        let sample = sample?;
        if wanted.remove(&(sample.endpoint.clone(), sample.error())) {
            found.push(sample);
        }
    }
    Ok(found)
}

fn body_bytes(
    run: &Run,
    rows: impl Iterator<Item = Result<StatsRow, ReadError>>,
) -> Result<BTreeMap<usize, f64>, ReadError> {
    let mut of_endpoints = BTreeMap::new();
    for row in rows {
        let row = row?;
        let name = endpoint(&row.method, &row.name);
        if let Some(index) = run.endpoints.iter().position(|known| *known == name) {
            of_endpoints.insert(index, row.average_bytes);
        }
    }
    Ok(of_endpoints)
}

/// As the replayer had it, from the files alone.
fn recovery(run: &Run, timeline: &[Second], points: &[Point]) -> Option<Recovery> {
    run.config.recovery_s?;
    let seen = timeline.last().map_or(0, |row| row.second + 1);
    let mut watch = Watch::of(&phases_seen(&run.phases, seen))?;
    let mut points = points.iter().peekable();
    for row in timeline {
        while points.next_if(|point| point.second < row.second).is_some() {}
        let p95_us = points.next_if(|point| point.second == row.second).and_then(|at| at.p95_us);
        watch.second(row, p95_us.map_or(Reading::NONE, Reading::exact));
    }
    watch.result(run)
}

/// What one pass over the interval log fills.
struct Pass {
    plateau: Plateau,
    failed_answers: Histogram<u64>,
    points: series::Points,
    heat: Heat,
    symptoms: Option<Symptoms>,
    agreement: Agreement,
}

impl Pass {
    fn read(&mut self, reader: &RunReader, window: Window) -> Result<(), SummaryError> {
        let (packed, mut unpack) = reader.intervals()?.split();
        thread::scope(|scope| {
            // Reading, unpacking and adding up take about as long each.
            let packed = ahead(scope, packed, |packed| size(packed, PackedInterval::bytes));
            let intervals = packed.map(move |packed| unpack.interval(packed?));
            let bytes = |interval: &Interval| interval.recorded.bytes();
            for interval in ahead(scope, intervals, move |interval| size(interval, bytes)) {
                let interval = interval?;
                self.interval(window, &interval).map_err(|UnknownTag(tag)| {
                    SummaryError::Unknown { dir: reader.dir().to_owned(), tag }
                })?;
            }
            Ok(())
        })
    }

    fn interval(&mut self, window: Window, interval: &Interval) -> Result<(), UnknownTag> {
        let Interval { second, tag, ref recorded } = *interval;
        self.agreement.interval(second, tag, recorded.count());
        self.plateau.add(window, second, tag, recorded)?;
        // Personas hold the same requests as the endpoints.
        if let Scope::Endpoint(index) = tag.scope {
            if let Some(symptoms) = &mut self.symptoms {
                symptoms.endpoint(second, index, tag.kind, recorded);
            }
            self.points.add(second, tag.kind, recorded);
            if tag.kind.is_judged() {
                self.heat.add(second, recorded);
            }
            if tag.kind == LatencyKind::ResponseFailed && second >= window.start_s {
                recorded.add_to(&mut self.failed_answers);
            }
        }
        Ok(())
    }
}

/// Of what was read; an error takes nothing.
fn size<T>(read: &Result<T, ReadError>, bytes: impl Fn(&T) -> usize) -> usize {
    read.as_ref().map_or(0, bytes)
}
