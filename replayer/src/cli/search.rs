//! `replayer search`.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use clap::Args as ClapArgs;
use common::exit::Exit;
use common::say::print;
use run_log::format::Run;
use run_log::reader::RunReader;
use run_log::writer::{RunWriter, remove};
use scenario::{Expectation, Pacing, RateGoal, Scenario, Speed, with_defaults};

use super::asked::Asked;
use super::between::{Between, BetweenArgs};
use super::fire::fire;
use super::input::Input;
use super::live::shown;
use super::load::LoadArgs;
use super::names::check_expectation;
use super::one_run::{Ended, Fired, ReadyRun};
use super::run_args::Conduct;
use super::signals::{WatchSignals, interrupts};
use super::summary::{print_as_json, say_refusal};
use crate::config::ConfigError;
use crate::error::Error;
use crate::live::View;
use crate::search::bisect::{Bounds, Next, Search};
use crate::search::journal::{self, Entry, Journal, Told};
use crate::search::level::Axis;
use crate::search::probe::{Found, Outcome, Series, found};
use crate::suite::before::BeforeError;
use crate::suite::figures::RunFigures;
use crate::suite::journal::JournalError;

/// How long a probe is, and how much of it after the ramp is not judged, where nothing is said.
const LENGTH: Duration = Duration::from_secs(40);
const WARMUP: Duration = Duration::from_secs(5);

/// Of a probe so many seconds at least are judged: fewer show no trend.
const LEAST_JUDGED_S: f64 = 10.0;

const EXAMPLES: &str = "\
Examples:
  The most users at whom it holds, the data put back before each probe:
    replayer search 'p95 < 200ms, failed < 1%' --by users --from 100 --to 20000 --pacing closed \\
      --trace day.trace.jsonl.zst --manifest manifest.json --target http://127.0.0.1:8080 \\
      --runs search --before 'seeder apply --plan plan.toml --reset'
  The highest rate of an endpoint, by a scenario's expectations:
    replayer search --scenario scenarios/02-alert-throughput.toml --by rate \\
      --of 'POST /alerts/ingest' --from 100 --to 5000 … --runs search";

#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What has to hold, such as 'p95 < 200ms, failed < 1%'; what the scenario expects, if not given
    #[arg(value_name = "EXPECTATIONS", required_unless_present = "scenario")]
    expect: Option<String>,
    /// What grows
    #[arg(long, value_enum)]
    by: Axis,
    /// The persona or endpoint whose rate grows; of all requests, if not given
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// The lowest level: users, requests a second, or times the recorded speed
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    from: f64,
    /// The highest level
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    to: f64,
    /// How far the ends of the answer may be apart, in percent of the lower
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    within: f64,
    /// The most probes; as many as it takes, and a few for what contradicts itself, if not given
    #[arg(long, value_name = "N")]
    probes: Option<usize>,
    /// Folder for the run directories of the probes, and search.json
    #[arg(long, value_name = "DIR")]
    runs: PathBuf,
    #[command(flatten)]
    input: Input,
    /// A probe is 40 s long and its warm-up 5 s, if --duration and --warmup say nothing else
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    conduct: Conduct,
    #[command(flatten)]
    between: BetweenArgs,
    /// Replace the search that is in the folder
    #[arg(long)]
    force: bool,
    /// Print the search as JSON
    #[arg(long)]
    json: bool,
}

fn level(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above zero".to_owned())
}

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    let command = args.between.command()?;
    let expectations = args.expectations()?;
    let bounds = args.bounds()?;
    let most = args.probes.unwrap_or_else(|| bounds.most_probes());
    let ready = args.check(&bounds, &expectations)?;
    args.clear()?;
    let journal = Journal::new(ready.target.clone(), args.by, bounds, &expectations, most);
    let asks = !args.conduct.no_observe;
    shown(&args.conduct, watch, |view| {
        let watch = || interrupts(view, watch);
        let between = Between::new(&args.between, command, &args.runs, &ready, asks, watch)?;
        drop(ready);
        let searching = Searching { args, expectations, between, journal, view };
        searching.search(bounds, most)
    })
}

impl Args {
    /// What a probe has to hold, defaults among it.
    fn expectations(&self) -> Result<Vec<Expectation>, Error> {
        let scenario = self.load.scenario.as_deref().map(Scenario::read).transpose()?;
        let typed = self.expect.as_deref().map(|text| {
            text.split(',').map(|part| part.trim().parse()).collect::<Result<Vec<Expectation>, _>>()
        });
        let written = match (typed, &scenario) {
            (Some(typed), _) => {
                typed.map_err(|error| option("EXPECTATIONS", &error.to_string()))?
            }
            (None, Some(scenario)) => scenario.expect.clone(),
            (None, None) => Vec::new(),
        };
        if written.is_empty() {
            return Err(option(
                "EXPECTATIONS",
                "nothing is expected, so that nothing can be missed",
            )
            .into());
        }
        if let Some(of_phase) = written.iter().find(|of| of.phase().is_some()) {
            let message = format!("\"{of_phase}\": a probe is judged as a whole, and not by phase");
            return Err(option("EXPECTATIONS", &message).into());
        }
        let pacing = self.at(self.from)?.resolve(scenario.as_ref())?.pacing;
        let needs_schedule = |of: &&Expectation| of.metric.needs_schedule();
        if let (Pacing::Closed, Some(of)) = (pacing, written.iter().find(needs_schedule)) {
            let message = format!("\"{of}\": by closed pacing nothing is due");
            return Err(option("EXPECTATIONS", &message).into());
        }
        Ok(with_defaults(&written, pacing))
    }

    fn bounds(&self) -> Result<Bounds, ConfigError> {
        let Self { by, from, to, within, .. } = *self;
        if by.nearest(from) >= by.nearest(to) {
            return Err(option("--to", &format!("it must be above --from, {}", by.shown(from))));
        }
        if !(0.5..=100.0).contains(&within) {
            return Err(option("--within", "it is a share from 0.5 to 100 percent"));
        }
        if self.probes.is_some_and(|most| most < 2) {
            return Err(option("--probes", "fewer than two tell nothing"));
        }
        Ok(Bounds { from, to, within: within / 100.0 })
    }

    /// The load of a level.
    fn at(&self, level: f64) -> Result<LoadArgs, ConfigError> {
        let mut load = self.load.clone();
        let is_said = |axis: &str| {
            let message = format!("the search itself says {axis}; leave it out");
            Err(option("--by", &message))
        };
        let has_axis = load.clones.is_some() || load.users.is_some() || load.rate.is_some();
        load.duration.get_or_insert(LENGTH);
        load.warmup.get_or_insert(WARMUP);
        if load.stages.is_some() {
            return is_said("how much load there is, so that there are no --stages");
        }
        if self.of.is_some() && self.by != Axis::Rate {
            return Err(option("--of", "it is for --by rate alone"));
        }
        match self.by {
            Axis::Users | Axis::Rate if has_axis => return is_said("how many"),
            // As much as a level is, which is a whole number above zero.
            Axis::Users => load.users = NonZeroU64::new(self.by.nearest(level) as u64),
            Axis::Rate => {
                let rate = format!("{level}/s").parse();
                let rate = rate.map_err(|_| option("--from", "it is no rate"))?;
                load.rate = Some(RateGoal { of: self.of.clone(), rate });
            }
            Axis::Speed if load.speed.is_some() => return is_said("how fast"),
            Axis::Speed => {
                let speed = Speed::try_from(level);
                load.speed = Some(speed.map_err(|error| option("--to", &error.to_string()))?);
            }
        }
        Ok(load)
    }

    /// Makes sure that the lowest and the highest level can be run, before anything is sent; what
    /// was made ready for the highest.
    fn check(
        &self,
        bounds: &Bounds,
        expectations: &[Expectation],
    ) -> Result<super::input::Ready, Error> {
        let mut last = None;
        for level in [bounds.from, bounds.to] {
            drop(last.take());
            let load = self.at(self.by.nearest(level))?;
            let asked = self.asked(&load, &self.conduct);
            let ready = ReadyRun::new(&asked)?;
            let plateau = ready.planned.plateau;
            let judged = plateau.end() - plateau.start_s as f64;
            if judged < LEAST_JUDGED_S {
                let message = format!(
                    "at {} ramp and warm-up leave {judged:.1} s to judge, and it takes \
                     {LEAST_JUDGED_S} at least",
                    self.by.shown(level)
                );
                return Err(option("--duration", &message).into());
            }
            for expectation in expectations {
                check_expectation(&ready.ready.plan, || "EXPECTATIONS".to_owned(), expectation)?;
            }
            last = Some(ready.ready);
        }
        last.ok_or_else(|| option("--to", "there is no level").into())
    }

    fn asked<'a>(&'a self, load: &'a LoadArgs, conduct: &'a Conduct) -> Asked<'a> {
        Asked {
            input: &self.input,
            load,
            conduct,
            verify: false,
            shard: None,
            start_at: None,
            led: false,
        }
    }

    /// Removes an earlier search, if it may be replaced.
    fn clear(&self) -> Result<(), Error> {
        let failed = |source| Error::Output { path: self.runs.clone(), source };
        let path = self.runs.join(journal::FILE);
        common::output::check(&path, self.force).map_err(JournalError::Write)?;
        std::fs::create_dir_all(&self.runs).map_err(failed)?;
        for entry in std::fs::read_dir(&self.runs).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if is_of_a_probe(&entry.file_name().to_string_lossy()) {
                RunWriter::check(&entry.path(), self.force)?;
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn option(option: &'static str, message: &str) -> ConfigError {
    ConfigError::Option { option, message: message.to_owned() }
}

/// The run directory of a probe.
fn name_of(number: usize, by: Axis, level: f64) -> String {
    format!("probe-{number:02}-{}", by.shown(level).replace([' ', '/'], "-"))
}

fn is_of_a_probe(name: &str) -> bool {
    name.strip_prefix("probe-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A search under way.
struct Searching<'a> {
    args: &'a Args,
    expectations: Vec<Expectation>,
    between: Between,
    journal: Journal,
    view: Option<&'a View>,
}

impl Searching<'_> {
    /// Searches, and says what was found.
    fn search(mut self, bounds: Bounds, most: usize) -> Result<Exit, Error> {
        let length = self.args.load.duration.unwrap_or(LENGTH);
        common::say!(
            "replayer: at most {most} probes of {}, so {} beside putting data back",
            humantime::format_duration(length),
            humantime::format_duration(length * u32::try_from(most).unwrap_or(u32::MAX)),
        );
        let exit = self.probe_all(bounds, most)?;
        let journal = &self.journal;
        let Some(answer) = &journal.answer else { return Ok(exit) };
        if self.args.json {
            print_as_json(journal)?;
        } else {
            print(&format!("\n{}\n", answer.says)).map_err(Error::stdout)?;
        }
        Ok(exit)
    }

    /// Probes until the answer is known, or a signal comes.
    fn probe_all(&mut self, bounds: Bounds, most: usize) -> Result<Exit, Error> {
        let by = self.args.by;
        let mut search = Search::new(bounds, by, most);
        // The level that could not be told, and why.
        let mut unclear: Option<(f64, String)> = None;
        let (answer, stopped) = loop {
            let level = match search.what_next() {
                Next::Done(answer) => break (answer, None),
                Next::Probe(level) => level,
            };
            let found = self.probe(level)?;
            if self.between.signal() != Exit::Good {
                return Ok(self.between.signal());
            }
            match (found.outcome, found.why) {
                (Outcome::Unclear, why) => {
                    let why = why.unwrap_or_default();
                    let is_again = unclear.as_ref().is_some_and(|(before, _)| *before == level);
                    if is_again || self.journal.probes.len() >= most {
                        break (
                            search.answer_so_far(),
                            Some(format!("{}: {why}", by.shown(level))),
                        );
                    }
                    unclear = Some((level, why));
                }
                (outcome, _) => search.note(level, outcome == Outcome::Held),
            }
        };
        let words: Vec<String> = self.journal.expectations.clone();
        let told = Told::of(answer, by, &words.join(", "), stopped.as_deref());
        self.journal.answer = Some(told);
        self.journal.ended = Some(Utc::now());
        self.write()?;
        Ok(match (answer.held, &stopped) {
            (_, Some(_)) => Exit::Invalid,
            (None, None) => Exit::Threshold,
            (Some(_), None) => Exit::Good,
        })
    }

    /// Runs a probe. Where a signal ended it, what is returned means nothing.
    fn probe(&mut self, level: f64) -> Result<Found, Error> {
        let Args { by, .. } = *self.args;
        let number = self.journal.probes.len() + 1;
        let most = self.journal.most_probes;
        common::say!("replayer: == probe {number} of at most {most}: {}", by.shown(level));
        let notes = self.between.ready_for_the_next(true)?;
        let load = self.args.at(level)?;
        let mut conduct = self.args.conduct.clone();
        // The first one showed what there is to see.
        conduct.no_preflight |= number > 1;
        let asked = self.args.asked(&load, &conduct);
        let ready = ReadyRun::new(&asked)?;
        if number == 1 {
            ready.say_notices();
        }
        let name = name_of(number, by, level);
        let dir = self.args.runs.join(&name);
        let interrupts = self.between.interrupts();
        let fired = fire(ready, &dir, true, self.view, || Ok(interrupts))?;
        let Ended { collector, run, judged } = match fired {
            Fired::Ended(ended) => *ended,
            Fired::NotBegun(_) => return Err(BeforeError::Interrupted.into()),
        };
        say_refusal(&run, collector.refusal.as_ref());
        let found = self.judged(&run, &collector.plateau, &dir)?;
        let figures = RunFigures::of(&run, &judged, &collector.plateau);
        common::say!("replayer: {}: {}", by.shown(level), words(&found, &figures));
        let Found { outcome, why } = found.clone();
        self.journal.probes.push(Entry { name, level, outcome, why, notes, figures });
        self.write()?;
        Ok(found)
    }

    fn judged(&self, run: &Run, plateau: &figures::Plateau, dir: &Path) -> Result<Found, Error> {
        let series = Series::read(&RunReader::open(dir)?)?;
        Ok(found(run, plateau, &self.expectations, &series))
    }

    fn write(&self) -> Result<(), Error> {
        Ok(self.journal.write(&self.args.runs).map_err(JournalError::Write)?)
    }
}

/// What a probe came to, on one line.
fn words(found: &Found, figures: &RunFigures) -> String {
    let outcome = match found.outcome {
        Outcome::Held => "held",
        Outcome::Missed => "missed",
        Outcome::Unclear => "unclear",
    };
    let rate = figures.requests_per_s.map(|rate| format!(", {rate:.1} answers/s"));
    let p95 = figures.p95_us.map(|us| format!(", p95 {:.1} ms", us / 1e3));
    let why = found.why.as_ref().map(|why| format!(": {why}"));
    [Some(outcome.to_owned()), rate, p95, why].into_iter().flatten().collect()
}
