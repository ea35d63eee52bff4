//! The figures of one run, from one pass over its directory.
//!
//! `FIGURES.md` says for each figure how it is recomputed. Kept in memory: a
//! row a second, and a few histograms an endpoint and a step, at most 200
//! endpoints; the log itself is streamed.

mod endpoint;
mod samples;
mod series;
mod steps;
pub mod times;

use std::ops::Range;
use std::path::PathBuf;

use replayer::run_log::format::{
    ErrorSample, FailureRow, FidelityRow, Outcomes, Run, Scope, Second, Tag,
};
use replayer::run_log::reader::{Interval, ReadError, RunReader};
use replayer::scenario::Load;

pub use endpoint::Endpoint;
pub use samples::{Metric, MetricKind, Samples};
pub use series::Point;
pub use steps::{Held, Step};
pub use times::{Recorded, ResponseTimes};

use crate::units::Figure;

#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{}: tag {tag} is of an endpoint or persona that run.json does not name", dir.display())]
    Unknown { dir: PathBuf, tag: Tag },
}

/// What was measured in one run.
pub struct Summary {
    pub run: Run,
    /// Seconds that rates are over.
    pub plateau: Range<u64>,
    /// From the plateau's start to the end of the run, the drain included.
    pub counts: Counts,
    /// Within the plateau alone.
    pub plateau_counts: Counts,
    pub peak_users: u64,
    /// The fewest users of any second of the plateau.
    pub sustained_users: u64,
    /// Of all endpoints, from the plateau's start on.
    pub all: Endpoint,
    pub endpoints: Vec<Endpoint>,
    /// The same requests by persona.
    pub personas: Vec<Endpoint>,
    pub timeline: Vec<Second>,
    pub points: Vec<Point>,
    /// Of a scenario with stages; else empty.
    pub steps: Vec<Step>,
    pub samples: Samples,
    pub failures: Vec<FailureRow>,
    pub fidelity: Vec<FidelityRow>,
    pub errors: Vec<ErrorSample>,
}

/// Planned requests of a span of seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub ready: u64,
    pub sent: u64,
    pub ok: u64,
    pub failed_status: u64,
    pub status_4xx: u64,
    pub status_5xx: u64,
    /// By outcome; `completed` is `ok + failed_status`.
    pub outcomes: Outcomes,
}

impl Counts {
    fn of(rows: &[Second], seconds: impl Fn(u64) -> bool) -> Self {
        let mut counts = Self::default();
        for row in rows.iter().filter(|row| seconds(row.second)) {
            counts.ready += row.ready;
            counts.sent += row.sent;
            counts.ok += row.ok;
            counts.failed_status += row.failed_status;
            counts.status_4xx += row.status_4xx;
            counts.status_5xx += row.status_5xx;
            let outcomes = &mut counts.outcomes;
            outcomes.completed += row.ok + row.failed_status;
            outcomes.timed_out += row.timed_out;
            outcomes.connect_failed += row.connect_failed;
            outcomes.reset += row.reset;
            outcomes.tls_failed += row.tls_failed;
            outcomes.unbound += row.unbound;
            outcomes.shed += row.shed;
            outcomes.cut_off += row.cut_off;
            outcomes.local_limit += row.local_limit;
        }
        counts
    }

    /// Planned requests that ended.
    pub fn ended(&self) -> u64 {
        self.outcomes.sum()
    }

    pub fn failed(&self) -> u64 {
        self.failed_status + self.outcomes.not_completed()
    }

    pub fn failures(&self) -> Figure {
        Figure::share(self.failed(), self.ended())
    }

    /// What failed most, in words, and how often.
    pub fn main_cause(&self) -> Option<(&'static str, u64)> {
        let o = &self.outcomes;
        let status = if self.status_5xx >= self.status_4xx { "5xx answers" } else { "4xx answers" };
        [
            (status, self.failed_status),
            ("time-outs", o.timed_out),
            ("refused connections", o.connect_failed),
            ("reset connections", o.reset),
            ("failed TLS handshakes", o.tls_failed),
            ("requests without the value that they need", o.unbound),
            ("shed requests", o.shed),
            ("requests cut off at the end", o.cut_off),
            ("limits of the generator", o.local_limit),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .max_by_key(|(_, count)| *count)
    }
}

impl Summary {
    /// Reads all of a run directory. `load` is what the scenario asked for.
    ///
    /// # Errors
    /// When a file is missing or damaged, with file and line.
    pub fn read(reader: &RunReader, load: Option<&Load>) -> Result<Self, SummaryError> {
        let run = reader.run().clone();
        let timeline = reader.seconds()?.collect::<Result<Vec<_>, _>>()?;
        let plateau = plateau(&run, &timeline);
        let within = |second| plateau.contains(&second);
        let users = || timeline.iter().filter(|row| within(row.second)).map(|row| row.users);
        let mut passes = Pass {
            all: Endpoint::named("All"),
            endpoints: run.endpoints.iter().map(|name| Endpoint::named(name)).collect(),
            personas: run.personas.iter().map(|persona| Endpoint::named(&persona.name)).collect(),
            points: series::Points::default(),
            steps: load.map_or_else(Vec::new, |load| steps::steps(load, &timeline)),
        };
        passes.read(reader, &plateau)?;
        Ok(Self {
            counts: Counts::of(&timeline, |second| second >= plateau.start),
            plateau_counts: Counts::of(&timeline, within),
            peak_users: timeline.iter().map(|row| row.users).max().unwrap_or(0),
            sustained_users: users().min().unwrap_or(0),
            all: passes.all,
            endpoints: passes.endpoints,
            personas: passes.personas,
            points: passes.points.finish(),
            steps: passes.steps,
            samples: Samples::read(reader.target()?)?,
            failures: reader.failures()?.collect::<Result<_, _>>()?,
            fidelity: reader.fidelity()?.collect::<Result<_, _>>()?,
            errors: reader.errors()?.collect::<Result<_, _>>()?,
            plateau,
            timeline,
            run,
        })
    }

    /// Length of the plateau in seconds.
    pub fn plateau_s(&self) -> u64 {
        self.plateau.end - self.plateau.start
    }

    /// Successes a second on the plateau.
    pub fn throughput(&self) -> Figure {
        Figure::rate(self.plateau_counts.ok, self.plateau_s())
    }

    /// An endpoint, or a persona, by its name.
    pub fn named(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.iter().chain(&self.personas).find(|group| group.name == name)
    }
}

/// The plateau as far as the run came; empty when it ended before.
fn plateau(run: &Run, timeline: &[Second]) -> Range<u64> {
    let start = run.plateau.start_s;
    let seen = timeline.last().map_or(0, |row| row.second + 1);
    start..run.plateau.end_s.min(seen).max(start)
}

/// What one pass over the interval log fills.
struct Pass {
    all: Endpoint,
    endpoints: Vec<Endpoint>,
    personas: Vec<Endpoint>,
    points: series::Points,
    steps: Vec<Step>,
}

impl Pass {
    fn read(&mut self, reader: &RunReader, plateau: &Range<u64>) -> Result<(), SummaryError> {
        for interval in reader.intervals()? {
            let Interval { second, tag, histogram } = interval?;
            let group = match tag.scope {
                Scope::Endpoint(index) => self.endpoints.get_mut(index),
                Scope::Persona(index) => self.personas.get_mut(index),
            };
            let Some(group) = group else {
                return Err(SummaryError::Unknown { dir: reader.dir().to_owned(), tag });
            };
            let recorded = Recorded::of(&histogram);
            let judged = second >= plateau.start;
            let in_plateau = plateau.contains(&second);
            if judged {
                group.add(tag.kind, &recorded, in_plateau);
            }
            // Personas hold the same requests as the endpoints.
            if let Scope::Endpoint(_) = tag.scope {
                if judged {
                    self.all.add(tag.kind, &recorded, in_plateau);
                }
                self.points.add(second, tag.kind, &recorded);
                for step in self.steps.iter_mut().filter(|step| step.window.contains(&second)) {
                    step.times.add(tag.kind, &recorded);
                }
            }
        }
        Ok(())
    }
}
