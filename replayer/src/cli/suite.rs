//! `replayer suite`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use clap::Args as ClapArgs;
use common::exit::{Exit, one_line};
use common::say::{print, print_json};
use common_net::runtime;
use common_net::signals::Interrupt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::asked::Asked;
use super::finish::exit_of;
use super::fire::fire;
use super::initial_record::profile_of;
use super::input::Input;
use super::load::{LoadArgs, ProfileArg};
use super::one_run::{Ended, Fired, ReadyRun};
use super::run::WatchSignals;
use super::run_args::Conduct;
use super::summary::{print_summary, say_refusal};
use crate::config::ConfigError;
use crate::error::Error;
use crate::suite::before::{BeforeError, Command, CommandError};
use crate::suite::calm::Calm;
use crate::suite::figures::RunFigures;
use crate::suite::journal::{Entry, Journal, State, Subject};
use crate::suite::table::table;
use http1::Destination;
use run_log::writer::{RunWriter, remove};
use scenario::{Scenario, ScenarioError};

/// A wait that nobody asks about.
const SHORT: Duration = Duration::from_secs(3);

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
    /// What puts the data back before each scenario that does not say put_back = false: a command
    /// with its arguments, run without a shell; what it says goes to before.log
    #[arg(long, value_name = "COMMAND")]
    before: Option<String>,
    /// How long to wait between scenarios until the target is as calm as before the first: until it
    /// answers as fast, and where it is on this machine, until that is as idle
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    calm_within: Duration,
    /// Replace a suite that came to its end, or another one that was cut off
    #[arg(long)]
    force: bool,
    /// Print what became of each scenario as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    let before = match args.before.as_deref().map(str::parse) {
        None => None,
        Some(Ok(command)) => Some(command),
        Some(Err(CommandError)) => {
            let message = CommandError.to_string();
            return Err(ConfigError::Option { option: "--before", message }.into());
        }
    };
    let members = members(args)?;
    let Checked { subject, destination, is_local } = check(args, &members)?;
    let journal = begin(args, subject, &members)?;
    let interrupts = on_a_thread(watch).map_err(Error::Runtime)?;
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let calm = runtime.block_on(Calm::of(destination, is_local, !args.conduct.no_observe));
    let mut suite = Suite { args, before, runtime, interrupts, calm, journal };
    let signal = suite.run(&members)?;
    let entries = &suite.journal.scenarios;
    if args.json {
        let json = serde_json::to_string_pretty(&suite.journal).map_err(std::io::Error::from);
        json.and_then(|text| print_json(&(text + "\n")))
    } else {
        print(&format!("\n{}", table(entries)))
    }
    .map_err(Error::stdout)?;
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

/// What is known when every scenario was looked at.
struct Checked {
    subject: Subject,
    destination: Arc<Destination>,
    is_local: bool,
}

/// Makes sure that every scenario can be run, before data are put back or anything is sent.
fn check(args: &Args, members: &[Member]) -> Result<Checked, Error> {
    let mut of_scenarios = BTreeMap::new();
    let mut traces = BTreeMap::new();
    let mut last = None;
    for one in members {
        let asked = one.asked(args);
        let ready = ReadyRun::new(&asked)?.ready;
        of_scenarios.insert(one.name.clone(), one.scenario.digest.clone());
        traces.insert(one.name.clone(), ready.plan.file.digest.clone());
        last = Some((ready.target, ready.http.destination, ready.is_local));
    }
    let (target, destination, is_local) =
        last.ok_or_else(|| ScenarioError::Empty { path: args.scenarios[0].clone() })?;
    let subject = Subject {
        target,
        profile: profile_of(args.profile.into()),
        seed: args.input.seed,
        scenarios: of_scenarios,
        traces,
    };
    Ok(Checked { subject, destination, is_local })
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

/// Signals are watched as long as the process lives, and not only while a runtime of a run does.
fn on_a_thread(watch: WatchSignals) -> std::io::Result<watch::Receiver<Interrupt>> {
    let runtime = runtime::build(Builder::new_current_thread())?;
    let interrupts = runtime.block_on(async { watch() })?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(interrupts)
}

struct Suite<'a> {
    args: &'a Args,
    before: Option<Command>,
    runtime: Runtime,
    interrupts: watch::Receiver<Interrupt>,
    calm: Calm,
    journal: Journal,
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
            let signal = self.interrupts.borrow().exit();
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
        self.wait(index)?;
        if let Some(command) = self.before.as_ref().filter(|_| one.scenario.put_back) {
            let shown = command.shown();
            common::say!("replayer: before: {shown}");
            let log = self.args.runs.join("before.log");
            let took = self.runtime.block_on(command.run(&log, &mut self.interrupts.clone()))?;
            common::say!("replayer: before: done in {:.1} s", took.as_secs_f64());
            self.wait(index)?;
        }
        let dir = self.args.runs.join(&one.name);
        let asked = one.asked(self.args);
        let ready = ReadyRun::new(&asked)?;
        ready.say_notices();
        let interrupts = self.interrupts.clone();
        // What is there is of this suite, and was cut off.
        let Ended { collector, run, judged } = match fire(ready, &dir, true, || Ok(interrupts))? {
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

    /// Waits until the target is calm; where it does not become so, that is noted.
    fn wait(&mut self, index: usize) -> Result<(), Error> {
        let bound = self.args.calm_within;
        let mut interrupts = self.interrupts.clone();
        let waited = self.runtime.block_on(async {
            tokio::select! {
                biased;
                Ok(()) = interrupts.changed() => None,
                waited = self.calm.again(bound) => Some(waited),
            }
        });
        match waited {
            None => Err(BeforeError::Interrupted.into()),
            Some(Ok(waited)) if waited < SHORT => Ok(()),
            Some(Ok(waited)) => {
                let seconds = waited.as_secs_f64();
                common::say!("replayer: waited {seconds:.0} s for the target to be calm again");
                Ok(())
            }
            Some(Err(why)) => {
                let note = format!("begun though the target was not calm as before: {why}");
                common::say!("replayer: {note}");
                self.note(index, |entry| entry.notes = vec![note])
            }
        }
    }

    fn note(&mut self, index: usize, change: impl FnOnce(&mut Entry)) -> Result<(), Error> {
        change(&mut self.journal.scenarios[index]);
        Ok(self.journal.write(&self.args.runs)?)
    }
}
