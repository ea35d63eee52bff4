//! `replayer suite`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::Utc;
use clap::Args as ClapArgs;
use common::exit::{Exit, one_line};
use common::say::print;

use super::asked::Asked;
use super::between::{Between, BetweenArgs};
use super::finish::exit_of;
use super::fire::fire;
use super::initial_record::profile_of;
use super::input::{Input, Ready};
use super::live::shown;
use super::load::{LoadArgs, ProfileArg};
use super::one_run::{Ended, Fired, ReadyRun};
use super::run_args::Conduct;
use super::signals::{WatchSignals, interrupts};
use super::summary::{print_as_json, print_summary, say_refusal};
use crate::config::ConfigError;
use crate::error::Error;
use crate::live::View;
use crate::suite::before::BeforeError;
use crate::suite::figures::RunFigures;
use crate::suite::journal::{Entry, Journal, State, Subject};
use crate::suite::table::table;
use run_log::writer::{RunWriter, remove};
use scenario::{Scenario, ScenarioError};

const EXAMPLES: &str = "\
Examples:
  All scenarios of a folder, the data put back before each:
    replayer suite scenarios --trace day.trace.jsonl.zst --manifest manifest.json \\
      --target http://127.0.0.1:8080 --runs runs --before 'seeder apply --plan plan.toml --reset'
  Two of them, scaled down:
    replayer suite scenarios/01-baseline.toml scenarios/04-stress.toml … --profile quick
  Go on where it was cut off: the same command again.";

#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Scenario files, and folders of them; they run in the order of their numbers
    #[arg(value_name = "SCENARIO", required = true)]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    conduct: Conduct,
    /// Folder for the run directories, each of the name of its scenario's file
    #[arg(long, value_name = "DIR")]
    runs: PathBuf,
    /// Which load of the scenarios: full, or scaled down
    #[arg(long, value_enum, default_value_t = ProfileArg::Full)]
    profile: ProfileArg,
    #[command(flatten)]
    between: BetweenArgs,
    /// Replace a suite that came to its end, or another one that was cut off
    #[arg(long)]
    force: bool,
    /// Print what became of each scenario as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    let command = args.between.command()?;
    let members = members(args)?;
    let (subject, ready) = check(args, &members)?;
    let journal = begin(args, subject, &members)?;
    let asks = !args.conduct.no_observe;
    shown(&args.conduct, watch, |view| {
        let watch = || interrupts(view, watch);
        let between = Between::new(&args.between, command, &args.runs, &ready, asks, watch)?;
        drop(ready);
        let mut suite = Suite { args, between, journal, view };
        finish(&mut suite, &members)
    })
}

/// Runs them, and says what became of each.
fn finish(suite: &mut Suite<'_>, members: &[Member]) -> Result<Exit, Error> {
    let args = suite.args;
    let signal = suite.run(members)?;
    let entries = &suite.journal.scenarios;
    if args.json {
        print_as_json(&suite.journal)?;
    } else {
        print(&format!("\n{}", table(entries))).map_err(Error::stdout)?;
    }
    let exits = entries.iter().filter_map(|entry| Exit::of_code(entry.exit?));
    Ok(exits.fold(signal, Exit::or))
}

/// A scenario of the suite.
struct Member {
    /// Of its file, and so of its run directory.
    name: String,
    scenario: Scenario,
    load: LoadArgs,
}

impl Member {
    fn asked<'a>(&'a self, args: &'a Args) -> Asked<'a> {
        let Args { input, conduct, .. } = args;
        Asked {
            input,
            load: &self.load,
            conduct,
            verify: false,
            shard: None,
            start_at: None,
            led: false,
        }
    }
}

/// The scenarios by their numbers.
fn members(args: &Args) -> Result<Vec<Member>, Error> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut members = Vec::new();
    for (path, scenario) in Scenario::read_all(&args.scenarios)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = files.insert(name.clone(), path.clone()) {
            let (one, other) = (other.display(), path.display());
            let message = format!("{one} and {other} have one name, that of the run directory");
            return Err(ConfigError::Option { option: "SCENARIO", message }.into());
        }
        members.push(Member { name, scenario, load: LoadArgs::of_scenario(path, args.profile) });
    }
    Ok(members)
}

/// Makes sure that every scenario can be run, before data are put back or anything is sent.
fn check(args: &Args, members: &[Member]) -> Result<(Subject, Ready), Error> {
    let mut of_scenarios = BTreeMap::new();
    let mut traces = BTreeMap::new();
    let mut last = None;
    for one in members {
        // One trace at a time is held.
        drop(last.take());
        let asked = one.asked(args);
        let ready = ReadyRun::new(&asked)?.ready;
        of_scenarios.insert(one.name.clone(), one.scenario.digest.clone());
        traces.insert(one.name.clone(), ready.plan.file.digest.clone());
        last = Some(ready);
    }
    let last = last.ok_or_else(|| ScenarioError::Empty { path: args.scenarios[0].clone() })?;
    let subject = Subject {
        target: last.target.clone(),
        profile: profile_of(args.profile.into()),
        seed: args.input.seed,
        scenarios: of_scenarios,
        traces,
    };
    Ok((subject, last))
}

/// The journal of a suite that was cut off, or a new one in a folder without runs of these
/// scenarios.
fn begin(args: &Args, subject: Subject, members: &[Member]) -> Result<Journal, Error> {
    if let Some(found) = Journal::cut_off(&args.runs, &subject, args.force)? {
        let done = found.scenarios.iter().filter(|entry| entry.state == State::Done).count();
        common::say!(
            "replayer: going on with the suite that was cut off: {done} of {} scenarios are done",
            found.scenarios.len()
        );
        return Ok(found);
    }
    let dirs: Vec<PathBuf> = members.iter().map(|one| args.runs.join(&one.name)).collect();
    for dir in &dirs {
        RunWriter::check(dir, args.force)?;
    }
    for dir in &dirs {
        remove(dir)?;
    }
    let journal = Journal::new(subject, members.iter().map(|one| one.name.clone()));
    journal.write(&args.runs)?;
    Ok(journal)
}

struct Suite<'a> {
    args: &'a Args,
    between: Between,
    journal: Journal,
    view: Option<&'a View>,
}

impl Suite<'_> {
    /// Runs what is not done yet; the exit code of the signal that ended it, good if none did.
    fn run(&mut self, members: &[Member]) -> Result<Exit, Error> {
        for (index, one) in members.iter().enumerate() {
            let of = format!(
                "{}: {} ({} of {})",
                one.name,
                one.scenario.title,
                index + 1,
                members.len()
            );
            if self.journal.scenarios[index].state == State::Done {
                common::say!("replayer: == {of}: done before");
                continue;
            }
            common::say!("replayer: == {of}");
            self.note(index, |entry| *entry = Entry::begun(one.name.clone()))?;
            let ended = self.one(index, one);
            let signal = self.between.signal();
            if signal != Exit::Good {
                return Ok(signal);
            }
            self.note(index, |entry| {
                entry.state = State::Done;
                match ended {
                    Ok((exit, figures)) => {
                        entry.exit = Some(exit.code());
                        entry.figures = Some(figures);
                    }
                    Err(error) => {
                        let said = one_line("replayer", &error);
                        common::say!("{said}");
                        entry.exit = Some(error.exit().code());
                        entry.error = Some(said);
                    }
                }
            })?;
        }
        self.journal.ended = Some(Utc::now());
        self.journal.write(&self.args.runs)?;
        Ok(Exit::Good)
    }

    /// Puts the data back, waits, and runs a scenario. Where a signal ended it, what is returned
    /// means nothing.
    fn one(&mut self, index: usize, one: &Member) -> Result<(Exit, RunFigures), Error> {
        let notes = self.between.ready_for_the_next(one.scenario.put_back)?;
        if !notes.is_empty() {
            self.note(index, |entry| entry.notes = notes)?;
        }
        let dir = self.args.runs.join(&one.name);
        let asked = one.asked(self.args);
        let ready = ReadyRun::new(&asked)?;
        ready.say_notices();
        let interrupts = self.between.interrupts();
        // What is there is of this suite, and was cut off.
        let fired = fire(ready, &dir, true, self.view, || Ok(interrupts))?;
        let Ended { collector, run, judged } = match fired {
            Fired::Ended(ended) => *ended,
            Fired::NotBegun(_) => return Err(BeforeError::Interrupted.into()),
        };
        if !self.args.json {
            print_summary(&run, &judged, &dir, false)?;
        }
        say_refusal(&run, collector.refusal.as_ref());
        let figures = RunFigures::of(&run, &judged, &collector.plateau);
        Ok((exit_of(&run, &judged.conclusion, None), figures))
    }

    fn note(&mut self, index: usize, change: impl FnOnce(&mut Entry)) -> Result<(), Error> {
        change(&mut self.journal.scenarios[index]);
        Ok(self.journal.write(&self.args.runs)?)
    }
}
