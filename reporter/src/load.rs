//! Finds the runs to report: for each scenario the newest one, and without scenarios all of them.

use std::io;
use std::path::{Path, PathBuf};

use common::exit::one_line;
use run_log::format::{Fidelity, FidelityRow, RUN_JSON, State};
use run_log::reader::{ReadError, RunReader};
use scenario::{Profile, Scenario, ScenarioError};

use crate::alone;
use crate::evidence::{self, Evidence};
use crate::summary::{Summary, SummaryError};
use figures::conclusion::{Conclusion, profile};
use figures::judge::Verdict;
use figures::judged::Judged;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Run(#[from] ReadError),
    #[error(transparent)]
    Summary(#[from] SummaryError),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "no run directory in {}; make one with: replayer run … --out {}",
        path.display(),
        path.join("first").display()
    )]
    NoRun { path: PathBuf },
}

/// A scenario with its run and the conclusion.
pub struct Entry {
    pub scenario: Scenario,
    /// Its file; none where the run alone tells of it.
    pub path: Option<PathBuf>,
    pub run: Option<MeasuredRun>,
    pub conclusion: Conclusion,
    /// Why it came to that, where there is more to say than its name.
    pub reason: Option<String>,
    /// What has to be seen before any other figure.
    pub marks: Vec<String>,
}

/// A run, summed up and judged.
pub struct MeasuredRun {
    /// Name of the run directory.
    pub name: String,
    pub profile: Profile,
    pub summary: Summary,
    pub verdicts: Vec<Verdict>,
    pub evidence: Evidence,
}

/// Answers compared with the recorded ones.
pub struct Comparison {
    /// Name of the run directory.
    pub run: String,
    pub all: Fidelity,
    pub endpoints: Vec<FidelityRow>,
}

/// All scenarios, by number, and what else was found among the runs.
pub struct Loaded {
    pub entries: Vec<Entry>,
    /// The newest run without a scenario that compared answers with the recording.
    pub fidelity: Option<Comparison>,
    /// Run directories left out of the report, a line each with the reason.
    pub unused: Vec<String>,
    /// Run directories that are damaged, of a newer version, or not what they say: a line each.
    pub unusable: Vec<String>,
}

/// The run directories that there are.
#[derive(Default)]
struct Found {
    readers: Vec<RunReader>,
    unusable: Vec<String>,
}

/// Reads scenarios and runs. Without a folder of runs, or with an empty one, all scenarios stay
/// pending; without scenarios each run stands for itself, the oldest first.
///
/// A run that cannot be used makes no figure: the report says so, and tells of the others.
///
/// # Errors
/// When a scenario is damaged or the folder cannot be read, and when there is neither.
pub fn load(scenarios: Option<&Path>, runs: &Path) -> Result<Loaded, LoadError> {
    let found = open_all(runs)?;
    match scenarios {
        Some(scenarios) => by_scenario(scenarios, found),
        None if found.readers.is_empty() && found.unusable.is_empty() => {
            Err(LoadError::NoRun { path: runs.to_owned() })
        }
        None => Ok(each_alone(found)),
    }
}

fn each_alone(found: Found) -> Loaded {
    let Found { mut readers, mut unusable } = found;
    readers.sort_by_key(|reader| reader.run().started);
    let entries = (1..).zip(readers).map(|(number, reader)| {
        let scenario = alone::scenario_of(number, &dir_name(&reader), reader.run());
        entry(scenario, None, Some(reader), &mut unusable)
    });
    Loaded { entries: entries.collect(), fidelity: None, unused: Vec::new(), unusable }
}

fn by_scenario(scenarios: &Path, found: Found) -> Result<Loaded, LoadError> {
    let Found { readers: mut found, mut unusable } = found;
    let mut unused = Vec::new();
    let mut entries = Vec::new();
    for (path, scenario) in Scenario::read_all(&[scenarios])? {
        let of_it = |reader: &RunReader| name_of(reader) == Some(&scenario.name);
        let (mine, others): (Vec<_>, Vec<_>) = found.into_iter().partition(of_it);
        found = others;
        let newest = newest(&scenario, mine, &mut unused);
        entries.push(entry(scenario, Some(path), newest, &mut unusable));
    }
    let compares = |reader: &RunReader| {
        let run = reader.run();
        run.scenario.is_none() && run.state == State::Finished && run.fidelity.shapes_compared > 0
    };
    let (comparing, others): (Vec<_>, Vec<_>) = found.into_iter().partition(compares);
    let fidelity = newest_of(comparing, &mut unused);
    for reader in others {
        let reason = match name_of(&reader) {
            Some(name) => format!("its scenario {name:?} is not in {}", scenarios.display()),
            None => "it was run without a scenario".to_owned(),
        };
        unused.push(format!("{}: {reason}", dir_name(&reader)));
    }
    unused.sort();
    let fidelity = fidelity.and_then(|reader| {
        let of = comparison(&reader);
        of.map_err(|error| unusable.push(one_line(&dir_name(&reader), &error))).ok()
    });
    Ok(Loaded { entries, fidelity, unused, unusable })
}

fn open_all(runs: &Path) -> Result<Found, LoadError> {
    let read = |source| LoadError::Read { path: runs.to_owned(), source };
    let entries = match std::fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
        Err(error) => return Err(read(error)),
    };
    let mut dirs = Vec::new();
    for entry in entries {
        let path = entry.map_err(read)?.path();
        if path.join(RUN_JSON).is_file() {
            dirs.push(path);
        }
    }
    dirs.sort();
    let mut found = Found::default();
    for dir in &dirs {
        match RunReader::open(dir) {
            Ok(reader) => found.readers.push(reader),
            Err(error) => found.unusable.push(one_line(&name_of_dir(dir), &error)),
        }
    }
    Ok(found)
}

/// The newest run of exactly this version of the scenario, and why the others are not used.
fn newest(
    scenario: &Scenario,
    readers: Vec<RunReader>,
    unused: &mut Vec<String>,
) -> Option<RunReader> {
    let (same, others): (Vec<_>, Vec<_>) = readers.into_iter().partition(|reader| {
        reader.run().scenario.as_ref().is_some_and(|of| of.digest == scenario.digest)
    });
    for reader in others {
        let (dir, name) = (dir_name(&reader), &scenario.name);
        unused
            .push(format!("{dir}: it ran another version of the scenario {name}; run that again"));
    }
    // A look at another load does not stand before a run of the scenario's own.
    let (own, others): (Vec<_>, Vec<_>) = same.into_iter().partition(has_its_load);
    if own.is_empty() {
        return newest_of(others, unused);
    }
    for reader in others {
        unused.push(format!("{}: it had another load than the scenario's", dir_name(&reader)));
    }
    newest_of(own, unused)
}

/// Whether a run had all of the load that its scenario asks for, and no other.
fn has_its_load(reader: &RunReader) -> bool {
    let run = reader.run();
    run.shard.is_none() && run.scenario.as_ref().is_none_or(|of| of.changed.is_empty())
}

fn newest_of(mut readers: Vec<RunReader>, unused: &mut Vec<String>) -> Option<RunReader> {
    readers.sort_by_key(|reader| reader.run().started);
    let newest = readers.pop();
    for reader in readers {
        unused.push(format!("{}: there is a newer run of it", dir_name(&reader)));
    }
    newest
}

fn comparison(reader: &RunReader) -> Result<Comparison, LoadError> {
    let endpoints = reader.fidelity()?.collect::<Result<_, _>>()?;
    Ok(Comparison { run: dir_name(reader), all: reader.run().fidelity, endpoints })
}

/// A scenario with its run, where that can be used.
fn entry(
    scenario: Scenario,
    path: Option<PathBuf>,
    reader: Option<RunReader>,
    unusable: &mut Vec<String>,
) -> Entry {
    let Some(reader) = reader else {
        let (conclusion, reason, marks) = (Conclusion::Pending, None, Vec::new());
        return Entry { scenario, path, run: None, conclusion, reason, marks };
    };
    let name = dir_name(&reader);
    match measured(&scenario, &reader) {
        Ok((summary, evidence)) => {
            let Judged { conclusion, reason, marks, verdicts } =
                Judged::of(&summary.run, &summary.plateau, &scenario.expect);
            let profile = profile(&summary.run);
            let run = Some(MeasuredRun { name, profile, summary, verdicts, evidence });
            Entry { scenario, path, run, conclusion, reason, marks }
        }
        Err(error) => {
            let reason = one_line(&name, &error);
            unusable.push(reason.clone());
            let (conclusion, reason) = (Conclusion::Unusable, Some(reason));
            Entry { scenario, path, run: None, conclusion, reason, marks: Vec::new() }
        }
    }
}

fn measured(scenario: &Scenario, reader: &RunReader) -> Result<(Summary, Evidence), LoadError> {
    let stop_on = scenario.load(profile(reader.run())).stop_on.as_ref();
    let summary = Summary::read(reader, stop_on, &scenario.expect)?;
    let evidence = evidence::of_run(reader.dir())
        .map_err(|(path, source)| LoadError::Read { path, source })?;
    Ok((summary, evidence))
}

fn name_of(reader: &RunReader) -> Option<&String> {
    reader.run().scenario.as_ref().map(|scenario| &scenario.name)
}

fn dir_name(reader: &RunReader) -> String {
    name_of_dir(reader.dir())
}

fn name_of_dir(dir: &Path) -> String {
    dir.file_name().map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into())
}
