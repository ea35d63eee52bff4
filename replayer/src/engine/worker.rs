//! One thread of the generator: its users, its clock and what it measured.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::account::SharedAccount;
use super::budget::Budget;
use super::lane::run_lane;
use super::transport::Transport;
use super::user::{Ticket, User};
use crate::measure::{Batch, Gauges, Sample, Usage};
use crate::pacer::Pacer;
use crate::prepare::{Prepared, Request};
use crate::schedule::{Chain, PlannedUser};
use crate::time::{At, Clock};
use common::digest::stable_hash;
use run_log::format::ErrorSample;
use run_log::outcome::Outcome;
use scenario::{Load, Pacing};

/// Where a trace is read as it is needed: the requests of each user, in their order.
pub type Feed = mpsc::Receiver<Arc<[Request]>>;

/// What every worker is told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub load: Load,
    pub seed: u64,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    /// How long after the end of the plan what is left of it may take.
    pub grace: Duration,
    pub fidelity: FidelityMode,
    /// Requests of one user that may be ready and waiting; past it they are shed.
    pub max_queue: usize,
    /// Failing answers an endpoint of which a sample is kept, by each worker.
    pub error_samples: usize,
    /// Token renewals a second that this worker may do.
    pub login_rate: f64,
    /// Requests that may still begin, of all workers; none for any number.
    pub budget: Option<Arc<Budget>>,
    /// By endpoint, the statuses that are a success; none for those below 400.
    pub accepted: Vec<Option<Vec<u16>>>,
    /// Values of named secret slots.
    pub secrets: BTreeMap<String, String>,
    /// By persona.
    pub accounts: Vec<Vec<Arc<SharedAccount>>>,
    /// The target's host without port, and whether it is spoken to over TLS: for cookies.
    pub host: String,
    pub secure: bool,
    /// Wall clock at second 0, for timestamps in requests.
    pub started: DateTime<Utc>,
}

/// How closely answers are compared with the recorded ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FidelityMode {
    Status,
    /// Every body is parsed: for `--verify`, not for load.
    StatusAndShape,
}

/// When intake stops. Sent by the coordinator to all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Requests due from here on are not part of the plan.
    pub at: At,
    /// Whether what is under way is cut off at once.
    pub now: bool,
}

pub struct Worker<T> {
    pub index: usize,
    pub plan: Arc<Prepared>,
    pub settings: Arc<Settings>,
    pub clock: Clock,
    pub pacer: Rc<Pacer>,
    pub transport: T,
    stop: Cell<At>,
    /// Wakes lanes that wait for something to end.
    pub stop_changed: Notify,
    /// Everything under way is cut off.
    is_cut: Cell<bool>,
    batch: RefCell<Batch>,
    users: RefCell<Vec<Rc<User>>>,
    alive: Cell<u64>,
    in_flight: Cell<u64>,
    buffers: RefCell<Vec<Buffers>>,
    error_samples: RefCell<Vec<usize>>,
    /// When the next renewal may begin.
    pub(super) next_login: Cell<At>,
}

/// Memory for one exchange, lent to a lane.
#[derive(Default)]
pub struct Buffers {
    pub request: Vec<u8>,
    pub request_body: Vec<u8>,
    pub answer_body: Vec<u8>,
}

impl<T: Transport> Worker<T> {
    pub fn new(
        index: usize,
        plan: Arc<Prepared>,
        settings: Arc<Settings>,
        clock: Clock,
        pacer: Rc<Pacer>,
        transport: T,
        end: At,
    ) -> Rc<Self> {
        let endpoints = plan.endpoints.len();
        Rc::new(Self {
            index,
            plan,
            settings,
            clock,
            pacer,
            transport,
            stop: Cell::new(end),
            stop_changed: Notify::new(),
            is_cut: Cell::new(false),
            batch: RefCell::new(Batch { worker: index, ..Batch::default() }),
            users: RefCell::default(),
            alive: Cell::new(0),
            in_flight: Cell::new(0),
            buffers: RefCell::default(),
            error_samples: RefCell::new(vec![0; endpoints]),
            next_login: Cell::new(At::START),
        })
    }

    /// Runs the users to the end of the plan; sends a batch a second, and a last one.
    ///
    /// Needs a runtime that takes tasks which stay on its thread: a `LocalRuntime`, or a
    /// `LocalSet` around it.
    pub async fn run(
        self: &Rc<Self>,
        users: Vec<PlannedUser>,
        feed: Option<Feed>,
        stop: watch::Receiver<Stop>,
        batches: mpsc::Sender<Batch>,
        spare: std::sync::mpsc::Receiver<Vec<Sample>>,
    ) {
        let last_batches = batches.clone();
        // Tasks of their own, so that all are woken in the order of their times:
        // a second is closed before the users leave who stay to its end.
        let mut background = JoinSet::new();
        let pacing = Rc::clone(self);
        background.spawn_local(async move {
            let failed = pacing.pacer.run().await.is_err();
            // Without a timer nothing can be released any more.
            pacing.count(|batch| batch.timer_failed = failed);
            pacing.cut_off();
        });
        let obeying = Rc::clone(self);
        background.spawn_local(async move { obeying.obey(stop).await });
        let reporting = Rc::clone(self);
        background.spawn_local(async move { reporting.report(batches, spare).await });
        self.spawn_users(users, feed).await;
        background.shutdown().await;
        let last =
            Batch { is_last: true, ..self.close_batch(self.clock.now().second(), Vec::new(), 0.0) };
        drop(last_batches.send(last).await);
    }

    /// Starts each user when he is planned to, and waits for all of them.
    async fn spawn_users(self: &Rc<Self>, users: Vec<PlannedUser>, mut feed: Option<Feed>) {
        let lanes = tokio_util::task::TaskTracker::new();
        for planned in users {
            while self.clock.now() < planned.start && planned.start < self.stop.get() {
                self.pacer.until(planned.start.min(self.stop.get())).await;
            }
            if planned.start >= self.stop.get() {
                break;
            }
            if let (Some(feed), Chain::Once { session }) = (&mut feed, planned.chain) {
                // Without them the reader has failed, and says why.
                let Some(requests) = feed.recv().await else { break };
                self.plan.sessions[session].body.give(requests);
                let late = self.clock.now().since(planned.start).as_micros();
                let late = u64::try_from(late).unwrap_or(u64::MAX);
                self.count(|batch| batch.worst_wake_us = batch.worst_wake_us.max(late));
            }
            let user = Rc::new(self.user(planned));
            self.alive.set(self.alive.get() + 1);
            self.users.borrow_mut().push(Rc::clone(&user));
            let persona = &self.plan.personas[planned.persona];
            let widths = persona.sessions.iter().map(|&session| self.plan.sessions[session].width);
            let width = match planned.chain {
                Chain::Once { session } => self.plan.sessions[session].width,
                Chain::Cycle { .. } => widths.max().unwrap_or(1),
            };
            let worker = Rc::clone(self);
            drop(lanes.spawn_local(async move {
                let mut others = JoinSet::new();
                for _ in 1..width {
                    others.spawn_local(run_lane(Rc::clone(&worker), Rc::clone(&user)));
                }
                run_lane(Rc::clone(&worker), Rc::clone(&user)).await;
                while others.join_next().await.is_some() {}
                if let Chain::Cycle { .. } = planned.chain {
                    worker.stay_to_the_end().await;
                }
                worker.alive.set(worker.alive.get() - 1);
                worker.users.borrow_mut().retain(|other| !Rc::ptr_eq(other, &user));
            }));
        }
        lanes.close();
        lanes.wait().await;
    }

    fn user(&self, planned: PlannedUser) -> User {
        let accounts = &self.settings.accounts[planned.persona];
        let account = match accounts.len() {
            0 => None,
            count => {
                let index = usize::try_from(planned.ordinal % count as u64).unwrap_or_default();
                Some(Arc::clone(&accounts[index]))
            }
        };
        let mut seed = stable_hash(&self.settings.seed.to_le_bytes());
        for part in [planned.persona as u64, planned.ordinal] {
            seed = stable_hash(&(seed ^ part).to_le_bytes());
        }
        // Ids that the client makes must not repeat those of an earlier run on the same data.
        let started = self.settings.started.timestamp_nanos_opt().unwrap_or_default();
        User::new(planned, account, seed ^ started.unsigned_abs(), seed, &self.plan)
    }

    /// When intake stops.
    pub fn stop(&self) -> At {
        self.stop.get()
    }

    /// Whether everything under way is cut off.
    pub fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// Waits until everything under way is cut off.
    pub async fn cut(&self) {
        loop {
            let told = self.stop_changed.notified();
            if self.is_cut() {
                return;
            }
            told.await;
        }
    }

    /// Whether a request belongs to the plan, now that it may have been shortened.
    pub fn is_planned(&self, ticket: &Ticket) -> bool {
        match self.settings.load.pacing {
            Pacing::Open => ticket.due.is_some_and(|due| due < self.stop.get()),
            Pacing::Closed => ticket.ready < self.stop.get(),
        }
    }

    /// Takes a request from what may still begin, if anything may.
    pub fn may_begin(&self) -> bool {
        self.settings.budget.as_ref().is_none_or(|budget| budget.take())
    }

    /// Follows the coordinator's word on when to stop, and cuts off what outlives the grace.
    async fn obey(&self, mut stop: watch::Receiver<Stop>) {
        loop {
            let Stop { at, now } = *stop.borrow_and_update();
            self.stop.set(at);
            self.pacer.wake_all();
            self.stop_changed.notify_waiters();
            if now {
                self.cut_off();
            }
            tokio::select! {
                changed = stop.changed() => {
                    if changed.is_err() {
                        self.cut_off();
                        std::future::pending::<()>().await;
                    }
                }
                () = self.sleep_until(at + self.settings.grace), if !self.is_cut() => self.cut_off(),
            }
        }
    }

    async fn sleep_until(&self, at: At) {
        while self.clock.now() < at {
            self.pacer.until(at).await;
        }
    }

    /// Waits for the end of intake. A user whose next request lies past it is still
    /// there, thinking; he leaves just after the second is counted that ends with it.
    async fn stay_to_the_end(&self) {
        let leaves = |stop: At| stop + Duration::from_nanos(1);
        while self.clock.now() < leaves(self.stop.get()) && !self.is_cut() {
            self.pacer.until(leaves(self.stop.get())).await;
        }
    }

    fn cut_off(&self) {
        self.is_cut.set(true);
        self.pacer.wake_all();
        self.stop_changed.notify_waiters();
    }

    /// Hands a batch over at the end of each second.
    async fn report(
        &self,
        batches: mpsc::Sender<Batch>,
        spare: std::sync::mpsc::Receiver<Vec<Sample>>,
    ) {
        let mut usage = Usage::of_thread();
        let mut second = 0;
        loop {
            let end = At::START + Duration::from_secs(second + 1);
            self.sleep_until(end).await;
            let late = u64::try_from(self.clock.now().since(end).as_micros()).unwrap_or(u64::MAX);
            let mut batch =
                self.close_batch(second, spare.try_recv().unwrap_or_default(), usage.share());
            batch.worst_wake_us = batch.worst_wake_us.max(late);
            // The collector is a thread of its own; should it be slow, time is not lost here.
            if batches.send(batch).await.is_err() {
                return;
            }
            second += 1;
        }
    }

    fn close_batch(&self, second: u64, samples: Vec<Sample>, busy: f64) -> Batch {
        let gauges = self.gauges();
        let empty = Batch { worker: self.index, samples, ..Batch::default() };
        let batch = self.batch.replace(empty);
        Batch { second, gauges, busy, ..batch }
    }

    fn gauges(&self) -> Gauges {
        let (now, stop) = (self.clock.now(), self.stop.get());
        let load = &self.settings.load;
        let queued = match load.pacing {
            // Nobody queues: the next request is released by the end of the one before.
            Pacing::Closed => 0,
            Pacing::Open => self
                .users
                .borrow()
                .iter()
                .map(|user| user.queued(&self.plan, load, now, stop, self.settings.max_queue))
                .sum::<usize>(),
        };
        Gauges { users: self.alive.get(), in_flight: self.in_flight.get(), queued: queued as u64 }
    }

    /// Notes a planned request that ended.
    pub fn record(&self, sample: Sample) {
        self.batch.borrow_mut().samples.push(sample);
    }

    pub fn count(&self, count: impl FnOnce(&mut Batch)) {
        count(&mut self.batch.borrow_mut());
    }

    pub fn note_error(&self, endpoint: usize, make: impl FnOnce() -> ErrorSample) {
        let seen = &mut self.error_samples.borrow_mut()[endpoint];
        if *seen < self.settings.error_samples {
            *seen += 1;
            self.batch.borrow_mut().errors.push(make());
        }
    }

    /// Whether another failing answer of this endpoint is wanted.
    pub fn wants_error(&self, endpoint: usize) -> bool {
        self.error_samples.borrow()[endpoint] < self.settings.error_samples
    }

    /// Not completed, or completed with a status that is none of a success.
    pub fn is_failure(&self, endpoint: usize, outcome: Outcome, status: u16) -> bool {
        outcome != Outcome::Completed
            || match &self.settings.accepted[endpoint] {
                Some(accepted) => !accepted.contains(&status),
                None => status >= 400,
            }
    }

    pub fn lend_buffers(&self) -> Buffers {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    pub fn give_back(&self, buffers: Buffers) {
        self.buffers.borrow_mut().push(buffers);
    }

    /// Counts an exchange under way until the guard is dropped.
    pub fn under_way(&self) -> UnderWay<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        UnderWay(&self.in_flight)
    }
}

pub struct UnderWay<'a>(&'a Cell<u64>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
