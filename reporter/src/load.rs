//! Finds the runs to report: for each scenario the newest one, and without scenarios all of them.

use std::io;
use std::path::{Path, PathBuf};

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
}

/// Reads scenarios and runs. Without a folder of runs, or with an empty one, all scenarios stay
/// pending; without scenarios each run stands for itself, the oldest first.
///
/// # Errors
/// When a scenario or a run that is used is damaged, and when there is neither.
pub fn load(scenarios: Option<&Path>, runs: &Path) -> Result<Loaded, LoadError> {
    let found = open_all(runs)?;
    match scenarios {
        Some(scenarios) => by_scenario(scenarios, found),
        None if found.is_empty() => Err(LoadError::NoRun { path: runs.to_owned() }),
        None => each_alone(found),
    }
}

fn each_alone(mut found: Vec<RunReader>) -> Result<Loaded, LoadError> {
    found.sort_by_key(|reader| reader.run().started);
    let entries = (1..).zip(found).map(|(number, reader)| {
        let scenario = alone::scenario_of(number, &dir_name(&reader), reader.run());
        entry(scenario, None, Some(reader))
    });
    Ok(Loaded { entries: entries.collect::<Result<_, _>>()?, fidelity: None, unused: Vec::new() })
}

fn by_scenario(scenarios: &Path, mut found: Vec<RunReader>) -> Result<Loaded, LoadError> {
    let mut unused = Vec::new();
    let mut entries = Vec::new();
    for (path, scenario) in Scenario::read_all(&[scenarios])? {
        let of_it = |reader: &RunReader| name_of(reader) == Some(&scenario.name);
        let (mine, others): (Vec<_>, Vec<_>) = found.into_iter().partition(of_it);
        found = others;
        let newest = newest(&scenario, mine, &mut unused);
        entries.push(entry(scenario, Some(path), newest)?);
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
    Ok(Loaded { entries, fidelity: fidelity.as_ref().map(comparison).transpose()?, unused })
}

fn open_all(runs: &Path) -> Result<Vec<RunReader>, LoadError> {
    let read = |source| LoadError::Read { path: runs.to_owned(), source };
    let entries = match std::fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
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
    dirs.iter().map(|dir| RunReader::open(dir).map_err(LoadError::from)).collect()
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

fn entry(
    scenario: Scenario,
    path: Option<PathBuf>,
    reader: Option<RunReader>,
) -> Result<Entry, LoadError> {
    let Some(reader) = reader else {
        let (conclusion, reason, marks) = (Conclusion::Pending, None, Vec::new());
        return Ok(Entry { scenario, path, run: None, conclusion, reason, marks });
    };
    let profile = profile(reader.run());
    let stop_on = scenario.load(profile).stop_on.as_ref();
    let summary = Summary::read(&reader, stop_on, &scenario.expect)?;
    let evidence = evidence::of_run(reader.dir())
        .map_err(|(path, source)| LoadError::Read { path, source })?;
    let Judged { conclusion, reason, marks, verdicts } =
        Judged::of(&summary.run, &summary.plateau, &scenario.expect);
    let name = dir_name(&reader);
    let run = Some(MeasuredRun { name, profile, summary, verdicts, evidence });
    Ok(Entry { scenario, path, run, conclusion, reason, marks })
}

fn name_of(reader: &RunReader) -> Option<&String> {
    reader.run().scenario.as_ref().map(|scenario| &scenario.name)
}

fn dir_name(reader: &RunReader) -> String {
    let dir = reader.dir();
    dir.file_name().map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into())
}
