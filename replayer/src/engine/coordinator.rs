//! Starts the workers, closes the seconds, decides when to stop.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use common_net::signals::Interrupt;
use figures::judge::verdict;
use figures::stats::History;
use figures::{Names, Plateau, Recorded};

use super::settings::Settings;
use super::transport::Http;
use super::worker::{Feed, Stop, Worker};
use crate::measure::{Batch, Collector, Sample, Usage, resident_bytes};
use crate::observe::Observer;
use crate::pacer::Pacer;
use crate::prepare::{PrepareError, Prepared, TraceStream};
use crate::schedule::{Chain, PlannedUser, Schedule, walk};
use crate::time::{At, Clock};
use run_log::format::{EndedBy, Judgement, Run, Tag, Window};
use run_log::stats::StatsHistoryRow;
use run_log::timeline::Second;
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
    #[error("a worker thread panicked")]
    Panicked,
}

/// A second as the live view shows it.
pub struct Tick<'a> {
    pub row: &'a Second,
    pub collector: &'a Collector,
    pub planned_end: Option<At>,
}

/// Batches that may wait for the collector: some seconds of every worker.
const BATCHES: usize = 64;

/// Between deciding to stop and stopping: long enough for every worker to learn of it.
const NOTICE: Duration = Duration::from_millis(50);

/// The time that a `--stop-on` condition is taken over.
const STOP_WINDOW: usize = 10;

/// Of the users, so many may be refused a new login before the run is stopped.
const REFUSED_SHARE: f64 = 0.01;

/// A wait for the login rate that is told: part of response times, and not the target's doing.
const TOLD_LOGIN_WAIT: Duration = Duration::from_millis(100);

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
    } = job;
    let clock = Clock::starting(start);
    let end = schedule.until();
    let (stop, stopped) = watch::channel(Stop { at: end, now: false });
    let (batches, mut received) = mpsc::channel(BATCHES);
    let mut handles = Vec::new();
    let mut spares = Vec::new();
    let (feeder, mut feeds) = match stream {
        Some(stream) => {
            let (feeder, feeds) = feed(stream, &schedule, threads)?;
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
        let thread = Thread {
            index,
            plan: Arc::clone(&plan),
            settings: Arc::clone(&settings),
            http: http.clone(),
            clock,
            end,
            users,
            feed: feeds.pop(),
            stop: stopped.clone(),
            batches: batches.clone(),
            spare: spare_taken,
        };
        let handle = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || thread.run())
            .map_err(EngineError::Thread)?;
        handles.push(handle);
    }
    drop(batches);
    give_way();

    let names = Names {
        endpoints: plan.endpoints.clone(),
        personas: plan.personas.iter().map(|persona| persona.name.clone()).collect(),
    };
    let mut collector = Collector::new(names, threads);
    let mut seconds = Seconds::new(settings.load.stop_on.clone());
    let mut usage = Usage::of_process();
    let mut ended_by = None;
    let mut plateau = plateau;
    let mut timer_failed = false;
    writer.target(&observer.take())?;
    loop {
        let batch: Batch = tokio::select! {
            batch = received.recv() => match batch {
                Some(batch) => batch,
                None => break,
            },
            Ok(()) = interrupts.changed() => {
                let (signal, now) = match *interrupts.borrow_and_update() {
                    Interrupt::None => continue,
                    Interrupt::Stop { signal } => (signal, false),
                    Interrupt::Abort { signal } => (signal, true),
                };
                ended_by.get_or_insert(EndedBy::Signal(signal));
                shorten(&stop, clock.now() + NOTICE, now);
                continue;
            }
        };
        timer_failed |= batch.timer_failed;
        let worker = batch.worker;
        let spare = collector.add(batch);
        // A worker that is done needs no memory back.
        drop(spares[worker].send(spare));
        writer.errors(&std::mem::take(&mut collector.errors))?;
        plateau.end_s = plateau.end_s.min(stop.borrow().at.second());
        while let Some(mut row) = collector.close(plateau) {
            row.generator_cpu_percent = usage.share() * 100.0;
            row.generator_rss_bytes = resident_bytes();
            observer.sample_at(row.second + 1).await;
            writer.target(&observer.take())?;
            let history = seconds.close(&row, &collector, settings.started.timestamp());
            writer.second(&row, collector.second.iter(), &history)?;
            show(&Tick { row: &row, collector: &collector, planned_end: schedule.end });
            if ended_by.is_none() {
                let is_spent = settings.budget.as_ref().is_some_and(|budget| budget.is_spent());
                ended_by = seconds
                    .reason_to_stop(&collector, schedule.users.len() as u64)
                    .or(is_spent.then_some(EndedBy::MaxRequests));
                if ended_by.is_some() {
                    shorten(&stop, clock.now() + NOTICE, false);
                }
            }
            run.elapsed_s = clock.now().nanos() as f64 / 1e9;
            run.totals = collector.totals.clone();
            writer.run(&run)?;
        }
    }
    for handle in handles {
        handle.join().map_err(|_| EngineError::Panicked)?.map_err(EngineError::Thread)?;
    }
    if let Some(feeder) = feeder {
        feeder.join().map_err(|_| EngineError::Panicked)??;
    }
    if timer_failed {
        return Err(EngineError::Timer);
    }
    observer.finish_at(seconds.last_second + 2).await;
    writer.target(&observer.take())?;

    let until = stop.borrow().at;
    collector.totals.extra.probes += probes;
    collector.totals.planned = match settings.load.pacing {
        Pacing::Open => walk(&plan, &schedule.users, &settings.load, until).requests,
        // What the target's answers let begin; nothing is due.
        Pacing::Closed => collector.taken,
    };
    run.ended_by = Some(ended_by.unwrap_or(match schedule.end {
        _ if settings.budget.as_ref().is_some_and(|budget| budget.is_spent()) => {
            EndedBy::MaxRequests
        }
        Some(_) if schedule.is_limited => EndedBy::MaxRequests,
        Some(_) => EndedBy::Duration,
        None => EndedBy::PlanDone,
    }));
    run.elapsed_s = clock.now().nanos() as f64 / 1e9;
    if collector.login_wait_us > TOLD_LOGIN_WAIT.as_micros() as u64 {
        run.limitations.push(format!(
            "requests waited up to {:.1} s for a new token, because of the bound on logins (--login-rate)",
            collector.login_wait_us as f64 / 1e6,
        ));
    }
    run.plateau = Window { end_s: plateau.end_s.min(seconds.last_second + 1), ..plateau };
    run.totals = collector.totals.clone();
    Ok(Measured { collector, run, writer })
}

/// Has this thread give way to the workers where they share a processor: what it puts together
/// once a second would hold them up for milliseconds otherwise.
fn give_way() {
    // Elsewhere than on Linux it would be the whole process. That it fails changes no figure.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10);
}

/// Moves the end of the plan forward, never back.
fn shorten(stop: &watch::Sender<Stop>, at: At, now: bool) {
    stop.send_modify(|stop| {
        stop.at = stop.at.min(at);
        stop.now |= now;
    });
}

/// Sessions that a worker may be ahead by.
const READ_AHEAD: usize = 16;

type Feeder = std::thread::JoinHandle<Result<(), PrepareError>>;

/// Starts a thread that reads the trace ahead of the users, as far as the workers take it.
fn feed(
    stream: TraceStream,
    schedule: &Schedule,
    threads: usize,
) -> Result<(Feeder, Vec<Feed>), EngineError> {
    let once = |user: &PlannedUser| match user.chain {
        Chain::Once { session } => Some(session),
        Chain::Cycle { .. } => None,
    };
    let order: Vec<usize> = schedule.users.iter().filter_map(once).collect();
    let (senders, feeds): (Vec<_>, Vec<_>) =
        (0..threads).map(|_| mpsc::channel(READ_AHEAD)).unzip();
    // Users go to the workers in turn, and so does what they need.
    let mut turn = 0;
    let give = move |requests| {
        let sender: &mpsc::Sender<_> = &senders[turn % threads];
        turn += 1;
        sender.blocking_send(requests).is_ok()
    };
    let feeder = std::thread::Builder::new()
        .name("trace".to_owned())
        .spawn(move || stream.feed(&order, give))
        .map_err(EngineError::Thread)?;
    Ok((feeder, feeds))
}

/// What a worker thread is given.
struct Thread {
    index: usize,
    plan: Arc<Prepared>,
    settings: Arc<Settings>,
    http: Http,
    clock: Clock,
    end: At,
    users: Vec<PlannedUser>,
    feed: Option<Feed>,
    stop: watch::Receiver<Stop>,
    batches: mpsc::Sender<Batch>,
    spare: std::sync::mpsc::Receiver<Vec<Sample>>,
}

impl Thread {
    fn run(self) -> std::io::Result<()> {
        // Tasks stay on this thread: what a user knows is his own.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(runtime::LocalOptions::default())?;
        runtime.block_on(async {
            let pacer = Pacer::new(self.clock)?;
            let worker: Rc<Worker<Http>> = Worker::new(
                self.index,
                self.plan,
                self.settings,
                self.clock,
                pacer,
                self.http,
                self.end,
            );
            worker.run(self.users, self.feed, self.stop, self.batches, self.spare).await;
            Ok(())
        })
    }
}

/// A closed second, as a plateau takes it in.
type Closed = (Second, Vec<(Tag, Recorded)>);

/// What is remembered of the seconds gone by.
struct Seconds {
    stop_on: Option<Expectation>,
    /// The last [`STOP_WINDOW`] of them.
    window: VecDeque<Closed>,
    last_second: u64,
    history: History,
}

impl Seconds {
    fn new(stop_on: Option<Expectation>) -> Self {
        Self { stop_on, window: VecDeque::new(), last_second: 0, history: History::default() }
    }

    fn close(&mut self, row: &Second, collector: &Collector, started: i64) -> StatsHistoryRow {
        self.last_second = row.second;
        if self.stop_on.is_some() {
            if self.window.len() == STOP_WINDOW {
                self.window.pop_front();
            }
            let recorded = collector.second.iter().map(|(tag, of)| (tag, Recorded::of(of)));
            self.window.push_back((*row, recorded.collect()));
        }
        self.history.row(started, row, &collector.second.completed())
    }

    fn reason_to_stop(&self, collector: &Collector, users: u64) -> Option<EndedBy> {
        if collector.logins_refused as f64 > users as f64 * REFUSED_SHARE {
            return Some(EndedBy::LoginsRefused);
        }
        let condition = self.stop_on.as_ref()?;
        if self.window.len() < STOP_WINDOW {
            return None;
        }
        let mut plateau = Plateau::new(collector.names());
        let window = Window { start_s: 0, end_s: u64::MAX };
        for (row, recorded) in &self.window {
            plateau.add_row(window, row);
            for (tag, recorded) in recorded {
                plateau.add(window, row.second, *tag, recorded).ok()?;
            }
        }
        let holds = verdict(condition, &plateau).result == Judgement::Met;
        holds.then(|| EndedBy::StopOn(condition.to_string()))
    }
}
