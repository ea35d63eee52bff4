//! One run: made ready, which sends nothing, and fired.

use std::path::Path;
use std::sync::Arc;

use common::exit::Exit;
use common_net::runtime;
use common_net::signals::Interrupt;
use figures::judged::Judged;
use figures::validity::validity;
use tokio::runtime::Builder;
use tokio::sync::watch;

use super::asked::Asked;
use super::audited;
use super::finish::finish;
use super::initial_record::initial_record;
use super::input::{Choices, Ready, pairs, prepare_all};
use super::names::{check_names, check_phases};
use super::observed::{database, named, said};
use super::planned::{Planned, plan};
use super::preflight::preflighted;
use super::start_at::Start;
use crate::engine::{self, Budget, FidelityMode, Job, Measured, Settings, StopRule, Tick};
use crate::error::Error;
use crate::lead::{LeadError, Orders, Report, Told, report, report_second};
use crate::live::{Lines, View};
use crate::measure::Collector;
use crate::observe::{By, Named, ObserveError, Observer, observe};
use run_log::format::{Run, Shard};
use run_log::writer::RunWriter;
use scenario::{Load, Pacing, Scenario};

/// A run that may begin: all that can be known to keep it from it was looked at.
pub(super) struct ReadyRun<'a> {
    pub asked: &'a Asked<'a>,
    pub choices: Choices,
    pub ready: Ready,
    pub planned: Planned,
    pub threads: usize,
    labels: std::collections::BTreeMap<String, String>,
    /// What is observed beside the target.
    named: Vec<(Named, By)>,
}

/// What became of it.
pub(super) enum Fired {
    /// A signal came before it began, and there is no run.
    NotBegun(Exit),
    Ended(Box<Ended>),
}

/// A run that was measured, judged and written.
pub(super) struct Ended {
    pub collector: Collector,
    pub run: Run,
    pub judged: Judged,
}

impl<'a> ReadyRun<'a> {
    /// Reads and checks everything; nothing is sent.
    ///
    /// # Errors
    /// When something of it cannot be used, or the plan does not fit.
    pub(super) fn new(asked: &'a Asked<'a>) -> Result<Self, Error> {
        let Asked { input, load, conduct, .. } = asked;
        let scenario = load.scenario.as_deref().map(Scenario::read).transpose()?;
        let resolved = load.resolve(scenario.as_ref())?;
        let labels = pairs("--label", &conduct.label)?;
        if let Some(start) = asked.start_at {
            Start::at(start)?;
        }
        let said = said(asked, scenario.as_ref())?;
        let named = named(asked, &said)?;
        let threads = conduct
            .threads
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, std::num::NonZeroUsize::get);
        let fidelity =
            if asked.verify { FidelityMode::StatusAndShape } else { FidelityMode::Status };
        let shards = asked.shard.map_or(1, |shard| shard.of);
        let choices = Choices {
            load: resolved,
            scenario,
            database: database(asked, &said),
            connect_timeout: conduct.connect_timeout,
            request_timeout: conduct.request_timeout,
            grace: conduct.grace,
            fidelity,
            max_queue: conduct.max_queue.max(1),
            login_rate: conduct.login_rate.per_second() / threads as f64 / f64::from(shards),
        };
        let mut ready = prepare_all(input, &choices)?;
        check_names(&ready.plan, &load.names(&choices))?;
        audited::check_mark(asked, &choices)?;
        let endpoints = &ready.plan.endpoints;
        let hindered = choices
            .audit()
            .and_then(|audit| audited::hindered(asked, &choices, audit, endpoints))
            .map(|why| format!("the audit is not done: {why}"));
        ready.notices.extend(hindered);
        ready.settings.budget = budget(&choices.load, asked.shard);
        let planned = plan(asked, &choices.load, &mut ready)?;
        check_phases(&planned.phases, &load.names(&choices), &choices.load)?;
        Ok(Self { asked, choices, ready, planned, threads, labels, named })
    }

    /// Says what whoever starts it has to know.
    pub(super) fn say_notices(&self) {
        self.ready.say_notices();
        let processes = self.planned.shards.len();
        if processes > 1 {
            common::say!("replayer: shared among {processes} processes");
        }
        let rate = self.planned.schedule.rate_text();
        if let Some(rate) = rate.filter(|_| !self.asked.conduct.quiet) {
            common::say!("replayer: rate {rate}");
        }
    }

    /// `run.json` as far as it is known before the start.
    pub(super) fn initial_record(&self) -> Run {
        let Self { asked, choices, ready, planned, threads, labels, .. } = self;
        initial_record(asked, choices, ready, planned, *threads, labels.clone())
    }

    /// Runs it in this process, into the run directory `out`.
    ///
    /// # Errors
    /// When the target refuses what is tried before the start, or the directory cannot be written.
    pub(super) fn fire<'v>(
        self,
        out: &Path,
        force: bool,
        view: Option<&'v View>,
        watch: impl FnOnce() -> std::io::Result<watch::Receiver<Interrupt>>,
    ) -> Result<Fired, Error> {
        let run = self.initial_record();
        let Self { asked, choices, ready, planned, threads, named, .. } = self;
        let due = planned.due(choices.load.pacing);
        let Planned { schedule, plateau, room, .. } = planned;
        let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
        let measured = runtime.block_on(async {
            RunWriter::check(out, force)?;
            let mut interrupts = watch().map_err(Error::Runtime)?;
            let before = async {
                // Before the preflight: its requests are extra, and the target counts them, too.
                let observer = observer(asked, &ready, named).await?;
                let probes = preflighted(asked, &choices, &ready, &room).await?;
                let (start, told) = match asked.led {
                    true => armed().await?,
                    false => (
                        asked.start_at.map_or_else(|| Ok(Start::soon()), Start::at)?,
                        Told::nothing(),
                    ),
                };
                start.lead().await;
                Ok::<_, Error>((observer, probes, start, told))
            };
            if !asked.led {
                tokio::spawn(announce_stop(interrupts.clone()));
            }
            // Whatever is waited for until here, a signal ends it.
            let (observer, probes, start, told) = tokio::select! {
                biased;
                Ok(()) = interrupts.changed() => return Ok(Err(interrupts.borrow().exit())),
                begun = before => begun?,
            };
            let run = Run { started: start.wall, ..run };
            let writer = RunWriter::create(out, force, &run)?;
            let settings = Arc::new(Settings { started: start.wall, ..ready.settings });
            let begin = |view: &'v View| {
                let start = start.instant.into_std();
                view.begin(&run, Some(out), due.clone(), choices.expectations(), start)
            };
            let mut watched = view.map(begin);
            let job = Job {
                plan: ready.plan,
                schedule,
                stream: ready.stream,
                settings,
                http: ready.http,
                threads,
                start: start.instant,
                plateau,
                run,
                writer,
                observer,
                probes,
                planned: due,
                stop: StopRule::of(&choices.load),
                is_led: asked.led,
                expectations: choices.expectations().to_vec(),
                cuts: told.cuts,
            };
            let mut lines = Lines::new(asked.conduct.quiet);
            let show = |tick: &Tick<'_>| {
                watched.iter_mut().for_each(|watched| watched.second(tick));
                match asked.led {
                    true => report_second(tick),
                    false => lines.show(tick),
                }
            };
            let later = interrupts.clone();
            let mut measured = engine::run(job, interrupts, show).await?;
            lines.finish();
            let Measured { collector, run, .. } = &mut measured;
            run.sent_by(told.clocks.borrow().iter().cloned().collect());
            let plateau = &mut collector.plateau;
            audited::after_the_run(asked, &choices, out, run, plateau, later).await;
            Ok::<_, Error>(Ok((measured, watched)))
        })?;
        let (Measured { collector, mut run, writer }, watched) = match measured {
            Ok(measured) => measured,
            Err(exit) => return Ok(Fired::NotBegun(exit)),
        };
        let expectations = choices.expectations();
        run.validity = validity(
            &collector.plateau,
            expectations,
            collector.generator(collector.totals.planned),
        );
        if let Some(watched) = &watched {
            watched.note_marks(&mut run);
        }
        let (run, judged) = finish(&collector, run, writer, expectations)?;
        if let Some(watched) = watched {
            watched.end(&run, out, &judged, &collector);
        }
        Ok(Fired::Ended(Box::new(Ended { collector, run, judged })))
    }
}

/// Takes the first look at everything.
async fn observer(
    asked: &Asked<'_>,
    ready: &Ready,
    named: Vec<(Named, By)>,
) -> Result<Observer, ObserveError> {
    if asked.conduct.no_observe {
        return Ok(Observer::default());
    }
    let (observer, silent) = observe(Arc::clone(&ready.http.destination), named).await?;
    for name in silent {
        common::say!("replayer: {name} says nothing so far; the run goes on without it");
    }
    Ok(observer)
}

/// Tells the lead that all is ready, and waits for second 0 and for what may end the run.
async fn armed() -> Result<(Start, Told), Error> {
    let mut orders = Orders::from_stdin().map_err(Error::Runtime)?;
    report(&Report::Ready);
    let armed = orders.armed().await.ok_or(LeadError::NeverArmed)?;
    let start = Start { wall: armed.started, ..Start::at(armed.at.into())? };
    Ok((start, orders.told()))
}

/// Says what the next signal does, since a run takes a while to end.
pub(super) async fn announce_stop(mut interrupts: watch::Receiver<Interrupt>) {
    if interrupts.changed().await.is_ok() {
        common::say!(
            "\nreplayer: stopping; requests under way may still end, a second signal cuts them off"
        );
    }
}

/// By closed pacing no plan can tell which requests are the first, so they are counted as
/// they begin; each shard has its share of them.
fn budget(load: &Load, shard: Option<Shard>) -> Option<Arc<Budget>> {
    let most = load.max_requests.filter(|_| load.pacing == Pacing::Closed)?;
    let Shard { index, of } = shard.unwrap_or(Shard { index: 1, of: 1 });
    let mine = most / u64::from(of) + u64::from(u64::from(index) <= most % u64::from(of));
    Some(Arc::new(Budget::of(mine)))
}
