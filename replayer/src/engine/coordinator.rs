//! Starts the workers, closes the seconds, decides when to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use common_net::signals::Interrupt;
use figures::recovery::Watch;

use super::cut::{Cut, Recovering, What};
use super::seconds::{Seconds, StopRule};
use super::settings::Settings;
use super::threads::{WorkerThread, feed};
use super::tick::Tick;
use super::transport::Http;
use super::worker::Stop;
use crate::measure::{Batch, Collector, Usage};
use crate::observe::Observer;
use crate::prepare::{PrepareError, Prepared, TraceStream};
use crate::schedule::{Ends, PlannedUser, Schedule, walk};
use crate::time::{At, Clock};
use common::memory::resident_bytes;
use run_log::format::{EndedBy, LoadHeld, Run, Window};
use run_log::phase::{phases_until, without_load};
use run_log::writer::{RunWriter, WriteError};
use scenario::{Expectation, Pacing};

/// Everything a run needs.
pub struct Job {
    pub plan: Arc<Prepared>,
    pub schedule: Schedule,
    /// The trace, where it is read as it is needed.
    pub stream: Option<TraceStream>,
    pub settings: Arc<Settings>,
    pub http: Http,
    pub threads: usize,
    /// When second 0 is: soon, so that every thread is up by then.
    pub start: Instant,
    pub plateau: Window,
    /// What is in `run.json` so far.
    pub run: Run,
    pub writer: RunWriter,
    pub observer: Observer,
    /// Requests that were sent before the start, to see whether it would work.
    pub probes: u64,
    /// What is due, by second; nothing by closed pacing.
    pub planned: Vec<u64>,
    /// What ends it before its plan does.
    pub stop: Option<StopRule>,
    /// A part leaves it to its lead to see what ends it, and whether the target has recovered.
    pub is_led: bool,
    /// What the scenario expects: of phases that it names figures are kept.
    pub expectations: Vec<Expectation>,
    /// Whoever else may end it.
    pub cuts: watch::Receiver<Option<Cut>>,
}

/// A run that is over, with its directory still to be finished.
pub struct Measured {
    pub collector: Collector,
    pub run: Run,
    pub writer: RunWriter,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Trace(#[from] PrepareError),
    #[error("cannot start a worker thread")]
    Thread(#[source] std::io::Error),
    #[error("a worker thread lost its timer")]
    Timer,
    #[error("a defect of the replayer: a thread panicked at {place}; please report it")]
    Panicked { place: String },
}

impl EngineError {
    /// With the place of the first panic.
    pub(crate) fn panicked() -> Self {
        Self::Panicked { place: common::panics::first_place() }
    }
}

/// Batches that may wait for the collector: some seconds of every worker.
const BATCHES: usize = 64;

/// The time between deciding to stop and stopping: enough for every worker to learn of it.
pub const NOTICE: Duration = Duration::from_millis(50);

/// A longer wait for the login rate is listed as a limitation: it is part of response times, and
/// not the target's doing.
const LISTED_LOGIN_WAIT: Duration = Duration::from_millis(100);

/// Runs a job to its end.
///
/// # Errors
/// When the run directory cannot be written or a worker thread cannot be kept running.
/// What the target does is never an error here.
pub async fn run(
    job: Job,
    mut interrupts: watch::Receiver<Interrupt>,
    mut show: impl FnMut(&Tick<'_>),
) -> Result<Measured, EngineError> {
    let Job {
        plan,
        schedule,
        stream,
        settings,
        http,
        threads,
        start,
        plateau,
        mut run,
        mut writer,
        mut observer,
        probes,
        planned,
        stop: stop_rule,
        is_led,
        expectations,
        mut cuts,
    } = job;
    let clock = Clock::starting(start);
    let ends = schedule.ends();
    let (stop, stopped) = watch::channel(Stop { ends, now: false });
    let planned_phases = run.phases.clone();
    let recovering = Recovering::of(schedule.recovery, &planned_phases);
    let (batches, mut received) = mpsc::channel(BATCHES);
    let mut handles = Vec::new();
    let mut spares = Vec::new();
    let (feeder, mut feeds) = match stream {
        Some(stream) => {
            let (feeder, feeds) = feed(stream, &schedule, threads).map_err(EngineError::Thread)?;
            (Some(feeder), feeds)
        }
        None => (None, Vec::new()),
    };
    feeds.reverse();
    for index in 0..threads {
        let users: Vec<PlannedUser> =
            schedule.users.iter().skip(index).step_by(threads).copied().collect();
        let (spare, spare_taken) = std::sync::mpsc::channel();
        spares.push(spare);
        let thread = WorkerThread {
            index,
            plan: Arc::clone(&plan),
            settings: Arc::clone(&settings),
            http: http.clone(),
            clock,
            ends,
            users,
            feed: feeds.pop(),
            stop: stopped.clone(),
            batches: batches.clone(),
            spare: spare_taken,
        };
        handles.push(thread.spawn().map_err(EngineError::Thread)?);
    }
    drop(batches);
    give_way();

    let mut collector = Collector::new(plan.names(), threads);
    collector.check_names.clone_from(&settings.check_names);
    collector.plateau.watch(&planned_phases, &expectations);
    collector.recovery = recovering.and_then(|_| Watch::of(&planned_phases));
    let mut seconds = Seconds::new(stop_rule.filter(|_| !is_led), planned);
    let shorten = |Cut { what, .. }: &Cut, at| shorten(&stop, *what, at, recovering);
    let mut usage = Usage::of_process();
    let mut ended_by = None;
    let mut plateau = plateau;
    let (mut timer_failed, mut panicked) = (false, false);
    let mut ended = At::START;
    let mut errors = Vec::new();
    observer.begins(plateau);
    writer.target(&observer.take())?;
    loop {
        // Where this thread is behind, a batch is always there: without a pause the runtime would
        // look after signals only once in 128 of them, a minute later.
        tokio::task::yield_now().await;
        let next = tokio::select! {
            biased;
            Ok(()) = interrupts.changed() => Err(Cut::by(*interrupts.borrow_and_update())),
            Ok(()) = cuts.changed() => Err(cuts.borrow_and_update().clone()),
            batch = received.recv() => match batch {
                Some(batch) => Ok(batch),
                None => break,
            },
        };
        let batch: Batch = match next {
            Ok(batch) => batch,
            Err(cut) => {
                if let Some(cut) = cut {
                    shorten(&cut, clock.now() + NOTICE);
                    ended_by = ended_by.or(cut.why);
                }
                continue;
            }
        };
        timer_failed |= batch.timer_failed;
        if batch.panicked && !std::mem::replace(&mut panicked, true) {
            // What is not whole is no measurement: the others end, too.
            shorten(&Cut { why: None, what: What::Now }, clock.now());
        }
        writer.marks(&batch.marks)?;
        let worker = batch.worker;
        let spare = collector.add(batch);
        // A worker that has ended takes no memory back.
        drop(spares[worker].send(spare));
        let found = std::mem::take(&mut collector.errors);
        writer.errors(&found)?;
        errors.extend(found);
        let Ends { load, rest } = stop.borrow().ends;
        plateau = plateau.until(load.elapsed_s());
        if collector.is_over() {
            ended = clock.now();
            plateau = plateau.until(ended.elapsed_s().max(1.0));
        }
        run.phases = phases_until(&planned_phases, plateau.end(), rest.elapsed_s());
        writer.name_by(run.phases.clone());
        if let Some(recovery) = &mut collector.recovery {
            recovery.during(without_load(plateau.end(), rest.elapsed_s()));
        }
        while let Some(mut row) = collector.close(plateau) {
            row.generator_cpu_percent = usage.share() * 100.0;
            row.generator_rss_bytes = resident_bytes();
            observer.tick(row.second + 1, plateau);
            let observed = observer.take();
            writer.target(&observed)?;
            let history = seconds.close(&row, &collector, settings.started.timestamp());
            writer.second(&row, collector.second.iter(), &history)?;
            let planned_end = schedule.end.map(|_| schedule.ends().rest);
            show(&Tick {
                row: &row,
                collector: &collector,
                planned_end,
                errors: &errors,
                observed: &observed,
                workers: &[],
            });
            errors.clear();
            let is_spent = settings.budget.as_ref().is_some_and(|budget| budget.is_spent());
            let cut = seconds
                .reason_to_stop(&collector, schedule.users.len() as u64, load)
                .or(is_spent.then_some(EndedBy::MaxRequests))
                .map(Cut::because)
                .or_else(|| {
                    (!is_led && collector.is_recovery_over()).then_some(Cut::RECOVERY_OVER)
                });
            if let Some(cut) = cut {
                shorten(&cut, clock.now() + NOTICE);
                ended_by = ended_by.or(cut.why);
            }
            run.elapsed_s = clock.now().elapsed_s();
            collector.totals.extra.observations = observer.asked();
            run.totals = collector.totals.clone();
            writer.run(&run)?;
        }
    }
    for handle in handles {
        handle.join().map_err(|_| EngineError::panicked())?.map_err(EngineError::Thread)?;
    }
    if panicked {
        return Err(EngineError::panicked());
    }
    if let Some(feeder) = feeder {
        feeder.join().map_err(|_| EngineError::panicked())??;
    }
    if timer_failed {
        return Err(EngineError::Timer);
    }
    run.limitations.extend(observer.finish(seconds.last_second + 2, plateau).await);
    writer.target(&observer.take())?;

    let ends = stop.borrow().ends;
    collector.totals.extra.probes += probes;
    collector.totals.extra.observations = observer.asked();
    run.plateau = plateau;
    collector.totals.planned = match settings.load.pacing {
        Pacing::Open => {
            let planned = walk(&plan, &schedule.users, &settings.load, ends);
            let held = |window: Window| LoadHeld {
                planned: planned.within(window),
                ready: collector.became_ready(window),
            };
            run.load_held = Some(held(run.plateau));
            for phase in &mut run.phases {
                phase.load_held = Some(held(phase.window));
            }
            planned.requests
        }
        // What the target's answers let begin; nothing is due.
        Pacing::Closed => collector.taken,
    };
    collector.plateau.load_held = run.load_held;
    collector.plateau.load_held_by_phase(&run.phases);
    collector.plateau.fidelity = collector.fidelity();
    run.ended_by = Some(ended_by.unwrap_or(match schedule.end {
        _ if settings.budget.as_ref().is_some_and(|budget| budget.is_spent()) => {
            EndedBy::MaxRequests
        }
        Some(_) if schedule.is_limited => EndedBy::MaxRequests,
        Some(_) => EndedBy::Duration,
        None => EndedBy::PlanDone,
    }));
    run.elapsed_s = ended.elapsed_s();
    if collector.login_wait_us > LISTED_LOGIN_WAIT.as_micros() as u64 {
        run.limitations.push(format!(
            "requests waited up to {:.1} s for a new token, because of the bound on logins (--login-rate)",
            collector.login_wait_us as f64 / 1e6,
        ));
    }
    run.totals = collector.totals.clone();
    Ok(Measured { collector, run, writer })
}

/// Lets the workers go first where they share a processor with this thread: otherwise its work
/// once a second would hold them up for milliseconds.
pub(crate) fn give_way() {
    // On other systems this would concern the whole process. If it fails, no figure changes.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10);
}

/// Ends the plan, or the load in it, earlier, never later.
fn shorten(stop: &watch::Sender<Stop>, what: What, at: At, recovering: Option<Recovering>) {
    stop.send_modify(|stop| {
        stop.ends = stop.ends.min(Recovering::ends(recovering, what, at));
        stop.now |= what == What::Now;
    });
}
