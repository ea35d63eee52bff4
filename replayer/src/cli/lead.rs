//! A run in several processes of this machine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use common::secret::Secret;
use common_net::runtime;
use common_net::signals::Interrupt;
use run_log::format::{EndedBy, Run, Shard, State};
use run_log::reader::RunReader;
use run_log::writer::{RunWriter, remove};
use tokio::process::Command;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::arguments::Arguments;
use super::asked::Asked;
use super::audited;
use super::finish::finish;
use super::input::{Choices, Ready};
use super::one_run::{Ended, Fired, ReadyRun, announce_stop};
use super::planned::Planned;
use super::preflight::preflighted;
use super::start_at::StartAt;
use crate::config::{self, ConfigError};
use crate::engine::{StopRule, Tick};
use crate::error::Error;
use crate::lead::{Gone, Lead, LeadError, Local, OF_THE_OBSERVER, Parts, Whole};
use crate::live::{Lines, View, Watched};
use crate::merge::{Merged, merge};

/// From being armed to second 0: every part gets ready within it.
const LEAD: TimeDelta = TimeDelta::milliseconds(1000);

/// One of the processes.
pub(super) struct Part {
    pub shard: Shard,
    pub dir: PathBuf,
    pub users: usize,
}

impl Part {
    /// What ended it before its plan did, where it told.
    fn cut_short_by(&self) -> Option<EndedBy> {
        let run = RunReader::open(&self.dir).ok()?.run().clone();
        run.ended_by.filter(|why| run.state == State::Finished && !why.is_as_planned())
    }

    fn is_whole(&self) -> bool {
        RunReader::open(&self.dir).is_ok_and(|reader| reader.run().state == State::Finished)
    }
}

/// Runs it as so many processes, and adds them up into the run directory `out`.
pub(super) fn fire(
    ready_run: ReadyRun<'_>,
    out: &Path,
    force: bool,
    view: Option<&View>,
    watch: impl FnOnce() -> std::io::Result<watch::Receiver<Interrupt>>,
) -> Result<Fired, Error> {
    let record = view.map(|_| ready_run.initial_record());
    let ReadyRun { asked, choices, ready, planned, threads, .. } = ready_run;
    let parts = parts_of(planned.shards.iter().map(|share| share.users), out);
    let threads = threads_of(asked.conduct.threads, threads, parts.len());
    let whole = whole(&ready, &choices, &planned);
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let led = runtime.block_on(async {
        RunWriter::check(out, force)?;
        let mut interrupts = watch().map_err(Error::Runtime)?;
        tokio::spawn(announce_stop(interrupts.clone()));
        let mut commands = Vec::with_capacity(parts.len());
        for part in &parts {
            RunWriter::check(&part.dir, true)?;
            commands.push(command(asked, &ready.http.destination, part, threads)?);
        }
        let local = Local::start(commands).map_err(LeadError::Start)?;
        let later = interrupts.clone();
        let mut lead = Lead::of(local, interrupts.clone());
        if let Some(exit) = lead.gather().await? {
            return Ok(Err(exit));
        }
        let probes = tokio::select! {
            biased;
            Ok(()) = interrupts.changed() => return Ok(Err(interrupts.borrow().exit())),
            sent = preflighted(asked, &choices, &ready, &planned.room) => sent?,
        };
        // The parts have the trace, too.
        drop(ready);
        let cut_short = |_: &Local, part: usize| parts.get(part)?.cut_short_by();
        let at = armed_for(asked.start_at, Utc::now() + LEAD)?;
        lead.arm(at).await?;
        let watched = watched(view.zip(record), at, &whole, &choices);
        let (_, gone, watched) = follow(lead, at, whole, asked, watched, cut_short).await;
        Ok::<_, Error>(Ok(Led { gone, probes, interrupts: later, watched }))
    })?;
    match led {
        Ok(led) => ended(&runtime, asked, &choices, &parts, led, out, force),
        Err(exit) => Ok(Fired::NotBegun(exit)),
    }
}

/// What came of a run that was led.
pub(super) struct Led<'v> {
    pub gone: BTreeMap<usize, Gone>,
    /// Requests that were sent before the start.
    pub probes: u64,
    pub interrupts: watch::Receiver<Interrupt>,
    pub watched: Option<Watched<'v>>,
}

/// Begins to show a run, of which so much is known, that begins then.
pub(super) fn watched<'v>(
    shown: Option<(&'v View, Run)>,
    at: DateTime<Utc>,
    whole: &Whole,
    choices: &Choices,
) -> Option<Watched<'v>> {
    let (view, record) = shown?;
    let start = Instant::now() + (at - Utc::now()).to_std().unwrap_or_default();
    let record = Run { started: at, ..record };
    Some(view.begin(&record, None, whole.planned.clone(), choices.expectations(), start))
}

/// Leads a run that is armed to its end, and shows it.
pub(super) async fn follow<'v, P: Parts>(
    lead: Lead<P>,
    at: DateTime<Utc>,
    whole: Whole,
    asked: &Asked<'_>,
    mut watched: Option<Watched<'v>>,
    cut_short: impl Fn(&P, usize) -> Option<EndedBy>,
) -> (P, BTreeMap<usize, Gone>, Option<Watched<'v>>) {
    let mut lines = Lines::new(asked.conduct.quiet);
    let show = |tick: &Tick<'_>| {
        watched.iter_mut().for_each(|watched| watched.second(tick));
        lines.show(tick);
    };
    let (parts, gone) = lead.run(at, whole, cut_short, show).await;
    lines.finish();
    (parts, gone, watched)
}

/// Adds what the parts measured up into `out`, and judges and writes it.
///
/// # Errors
/// When no part is whole, or it cannot be written.
pub(super) fn ended(
    runtime: &Runtime,
    asked: &Asked<'_>,
    choices: &Choices,
    parts: &[Part],
    led: Led<'_>,
    out: &Path,
    force: bool,
) -> Result<Fired, Error> {
    let Led { gone, probes, interrupts, watched } = led;
    let Merged { mut collector, mut run, writer, expectations } =
        added_up(parts, &gone, out, force)?;
    collector.totals.extra.probes += probes;
    run.totals.extra.probes += probes;
    let plateau = &mut collector.plateau;
    runtime.block_on(audited::after_the_run(asked, choices, out, &mut run, plateau, interrupts));
    if let Some(watched) = &watched {
        watched.note_marks(&mut run);
    }
    let (run, judged) = finish(&collector, run, writer, &expectations)?;
    if let Some(watched) = watched {
        watched.end(&run, out, &judged, &collector);
    }
    remove_parts(parts, out)?;
    Ok(Fired::Ended(Box::new(Ended { collector, run, judged })))
}

/// What its lead has to know of it.
pub(super) fn whole(ready: &Ready, choices: &Choices, planned: &Planned) -> Whole {
    Whole {
        names: ready.plan.names(),
        plateau: planned.plateau,
        users: planned.schedule.users.len() as u64,
        stop: StopRule::of(&choices.load),
        planned: planned.due(choices.load.pacing),
        load_end: planned.schedule.until(),
        planned_end: planned.schedule.end.map(|_| planned.schedule.ends().rest),
        phases: planned.phases.clone(),
        recovery: planned.schedule.recovery,
    }
}

/// The sum of the parts that are whole, which says what became of the others.
///
/// # Errors
/// When none is.
pub(super) fn added_up(
    parts: &[Part],
    gone: &BTreeMap<usize, Gone>,
    out: &Path,
    force: bool,
) -> Result<Merged, Error> {
    let (whole, lost): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.is_whole());
    let dirs: Vec<PathBuf> = whole.iter().map(|part| part.dir.clone()).collect();
    if dirs.is_empty() {
        let how = gone.values().next().map_or_else(String::new, |gone| gone.how.clone());
        return Err(LeadError::AllLost { how }.into());
    }
    let mut merged = merge(&dirs, out, force)?;
    let users: usize = parts.iter().map(|part| part.users).sum();
    for part in &lost {
        let index = part.shard.index as usize - 1;
        // That a part is missing makes the sum invalid; what became of it is known here.
        let reason = gone.get(&index).map(|gone| lost_by(part, gone, users));
        merged.run.validity.reasons.extend(reason);
    }
    Ok(merged)
}

/// Removes the directories of parts that were all added up.
///
/// # Errors
/// When they cannot be removed.
pub(super) fn remove_parts(parts: &[Part], out: &Path) -> Result<(), Error> {
    if parts.iter().all(Part::is_whole) {
        for part in parts {
            remove(&part.dir)?;
        }
        // It stays where somebody put something there.
        let _ = std::fs::remove_dir(beside(out));
    }
    Ok(())
}

/// Second 0 of all parts, which can be no sooner.
pub(super) fn armed_for(
    typed: Option<StartAt>,
    soonest: DateTime<Utc>,
) -> Result<DateTime<Utc>, ConfigError> {
    match typed.map(DateTime::<Utc>::from) {
        None => Ok(soonest),
        Some(start) if start >= soonest => Ok(start),
        Some(start) => Err(ConfigError::StartPassed { start, now: Utc::now() }),
    }
}

/// Of so many users each.
pub(super) fn parts_of(users: impl ExactSizeIterator<Item = usize>, out: &Path) -> Vec<Part> {
    let of = u32::try_from(users.len()).unwrap_or(u32::MAX);
    let part = |(index, users): (u32, usize)| Part {
        shard: Shard { index, of },
        dir: beside(out).join(index.to_string()),
        users,
    };
    (1..).zip(users).map(part).collect()
}

/// Where the parts' run directories are until they are merged.
pub(super) fn beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    out.with_file_name(name)
}

/// What a part is to run, wherever it does.
pub(super) fn options_of(
    asked: &Asked<'_>,
    destination: &http1::Destination,
    part: &Part,
) -> Arguments {
    let Asked { input, load, conduct, verify, .. } = asked;
    let mut arguments = Arguments::default();
    input.arguments(&mut arguments);
    load.arguments(&mut arguments);
    conduct.arguments(&mut arguments);
    arguments.flag("--verify", *verify);
    arguments.flag("--no-observe", !is_observer(asked, part));
    for source in sources(&input.source_ip, destination, part.shard.index) {
        arguments.option("--source-ip", Some(source.to_string()));
    }
    arguments
}

/// One of them sees all of the target and of this machine.
fn is_observer(asked: &Asked<'_>, part: &Part) -> bool {
    !asked.conduct.no_observe && part.shard.index == 1
}

/// A process of this program that runs a part.
fn command(
    asked: &Asked<'_>,
    destination: &http1::Destination,
    part: &Part,
    threads: usize,
) -> Result<Command, Error> {
    let Asked { conduct, verify, .. } = asked;
    let program = std::env::current_exe().map_err(LeadError::Start)?;
    let mut arguments = options_of(asked, destination, part);
    arguments.flag("--no-preflight", !*verify);
    arguments.flag("--quiet", true);
    arguments.flag("--force", true);
    arguments.flag("--led", true);
    arguments.option("--shard", Some(part.shard.to_string()));
    arguments.option("--threads", Some(threads.to_string()));
    arguments.option("--out", Some(&part.dir));
    let mut command = Command::new(program);
    command.arg("run").args(arguments);
    let database = conduct.database_url.as_ref().map(|url| url.expose().to_owned());
    let observe: Vec<&str> = conduct.observe.iter().map(Secret::expose).collect();
    let observe = Some(observe.join("\n")).filter(|all| !all.is_empty());
    for (name, value) in OF_THE_OBSERVER.into_iter().zip([database, observe]) {
        match value.filter(|_| is_observer(asked, part)) {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ok(command)
}

/// Of each process: those that were typed, or its share of what one would have.
fn threads_of(typed: Option<NonZeroUsize>, of_one: usize, processes: usize) -> usize {
    typed.map_or_else(|| (of_one / processes).max(1), NonZeroUsize::get)
}

/// Each part has local ports of its own, where addresses of this machine are free to take.
fn sources(typed: &[IpAddr], destination: &http1::Destination, index: u32) -> Vec<IpAddr> {
    match typed {
        [] if config::has_free_sources(destination) => vec![config::source(index)],
        typed => typed.to_vec(),
    }
}

/// What a part that was lost means, in words.
fn lost_by(part: &Part, gone: &Gone, users: usize) -> String {
    let Gone { how, last_second } = gone;
    let when = match last_second {
        Some(second) => format!("after second {second}"),
        None => "before its first second was over".to_owned(),
    };
    format!(
        "shard {} was lost: its process {how} {when}, and with it {} of {users} users",
        part.shard, part.users
    )
}
