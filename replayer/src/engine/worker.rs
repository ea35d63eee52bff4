//! One thread of the generator: starts its users when they are planned to start, follows the
//! coordinator's word on when to stop, and hands over what was measured.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::context::Context;
use super::gaps::BEAT;
use super::lane::run_lane;
use super::settings::Settings;
use super::transport::Transport;
use super::user::User;
use crate::measure::{Batch, Gauges, Sample};
use crate::pacer::Pacer;
use crate::prepare::{Prepared, Request};
use crate::schedule::{Chain, Ends, PlannedUser, Stay};
use crate::time::{At, Clock};
use common::digest::stable_hash;
use scenario::Pacing;

/// Where a trace is read as it is needed: the requests of each user, in their order.
pub type Feed = mpsc::Receiver<Arc<[Request]>>;

/// How long the lanes of a worker in which one panicked have for noting what they cut off. One may
/// wait for what the one that is gone would have ended.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Requests of a user that are counted as ready before a lane comes to them, where fewer may queue:
/// past it they are counted when one does.
const MOST_UNTAKEN: usize = 1000;

/// When intake stops. Sent by the coordinator to all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub ends: Ends,
    /// Whether what is under way is cut off at once.
    pub now: bool,
}

pub struct Worker<T> {
    context: Rc<Context<T>>,
    /// Those that are there now.
    users: RefCell<Vec<Rc<User>>>,
    /// Users who stayed to the end of the load, and those who stayed longer, to theirs, who have
    /// left.
    stayed: [Cell<u64>; 2],
    /// The second that is handed over next.
    next_second: Cell<u64>,
}

impl<T: Transport> Worker<T> {
    pub fn new(
        index: usize,
        plan: Arc<Prepared>,
        settings: Arc<Settings>,
        clock: Clock,
        pacer: Rc<Pacer>,
        transport: T,
        ends: Ends,
    ) -> Rc<Self> {
        let context = Context::new(index, plan, settings, clock, pacer, transport, ends);
        Rc::new(Self {
            context: Rc::new(context),
            users: RefCell::default(),
            stayed: Default::default(),
            next_second: Cell::default(),
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
        let mut background = JoinSet::new();
        let pacing = Rc::clone(&self.context);
        background.spawn_local(async move {
            let failed = pacing.pacer.run().await.is_err();
            // Without a timer nothing can be released any more.
            pacing.count(|batch| batch.timer_failed = failed);
            pacing.cut_off(Stay::BOTH);
        });
        let obeying = Rc::clone(&self.context);
        background.spawn_local(async move { Self::obey(&obeying, stop).await });
        let beating = Rc::clone(&self.context);
        background.spawn_local(async move { Self::beat(&beating).await });
        let reporting = Rc::clone(self);
        background.spawn_local(async move { reporting.report(batches, spare).await });
        let mut lanes = JoinSet::new();
        let users = self.spawn_users(users, feed, &mut lanes);
        if watching(&mut background, users).await.flatten().is_err() {
            self.context.count(|batch| batch.panicked = true);
            self.context.stop_at(Ends::at(self.context.clock.now()));
            self.context.cut_off(Stay::BOTH);
            let rest = async { while lanes.join_next().await.is_some() {} };
            drop(tokio::time::timeout(AFTER_PANIC, rest).await);
        }
        lanes.shutdown().await;
        background.shutdown().await;
        let now = self.context.clock.now().second();
        // The second that has just passed may not have been handed over.
        while self.next_second.get() < now {
            drop(last_batches.send(self.close_batch(Vec::new())).await);
        }
        let last = Batch { is_last: true, ..self.close_batch(Vec::new()) };
        drop(last_batches.send(last).await);
    }

    /// Starts each user at its planned time, and waits for all of them.
    ///
    /// # Errors
    /// When one of their lanes panicked.
    async fn spawn_users(
        self: &Rc<Self>,
        users: Vec<PlannedUser>,
        mut feed: Option<Feed>,
        lanes: &mut JoinSet<()>,
    ) -> Result<(), JoinError> {
        let context = &self.context;
        for planned in users {
            let stop = || context.stop(planned.stay);
            while context.clock.now() < planned.start && planned.start < stop() {
                let start = context.pacer.until(planned.start.min(stop()));
                watching(lanes, start).await?;
            }
            // Those that have ended are held until they are joined.
            while let Some(ended) = lanes.try_join_next() {
                ended?;
            }
            // Those who stay longer are the first to start.
            if planned.start >= stop() {
                break;
            }
            if let (Some(feed), Chain::Once { session }) = (&mut feed, planned.chain) {
                // None means that the reader has failed, and it says why.
                let Some(requests) = watching(lanes, feed.recv()).await? else { break };
                context.plan.sessions[session].body.give(requests);
            }
            let user = Rc::new(self.user(planned));
            self.users.borrow_mut().push(Rc::clone(&user));
            let persona = &context.plan.personas[planned.persona];
            let widths =
                persona.sessions.iter().map(|&session| context.plan.sessions[session].width);
            let width = match planned.chain {
                Chain::Once { session } => context.plan.sessions[session].width,
                Chain::Cycle { .. } => widths.max().unwrap_or(1),
            };
            let is_alone = width <= 1;
            let at_work = Rc::new(Cell::new(width.max(1)));
            for _ in 0..width.max(1) {
                let (worker, user) = (Rc::clone(self), Rc::clone(&user));
                let at_work = Rc::clone(&at_work);
                lanes
                    .spawn_local(async move { worker.run_lane_of(user, &at_work, is_alone).await });
            }
        }
        while let Some(ended) = lanes.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// Runs one of a user's lanes. With the last of them that is at work the user leaves.
    async fn run_lane_of(self: Rc<Self>, user: Rc<User>, at_work: &Cell<usize>, is_alone: bool) {
        run_lane(Rc::clone(&self.context), Rc::clone(&user), is_alone).await;
        at_work.set(at_work.get() - 1);
        if at_work.get() > 0 {
            return;
        }
        if let Chain::Cycle { .. } = user.planned.chain {
            let stay = user.planned.stay;
            self.stay_to_the_end(stay).await;
            self.stayed[stay as usize].update(|users| users + 1);
        }
        self.users.borrow_mut().retain(|other| !Rc::ptr_eq(other, &user));
    }

    fn user(&self, planned: PlannedUser) -> User {
        let context = &self.context;
        let accounts = &context.settings.accounts[planned.persona];
        let account = match accounts.len() {
            0 => None,
            count => {
                let index = usize::try_from(planned.ordinal % count as u64).unwrap_or_default();
                Some(Arc::clone(&accounts[index]))
            }
        };
        let mut seed = stable_hash(&context.settings.seed.to_le_bytes());
        for part in [planned.persona as u64, planned.ordinal] {
            seed = stable_hash(&(seed ^ part).to_le_bytes());
        }
        // Ids that the client makes must not repeat those of an earlier run on the same data.
        let started = context.settings.started.timestamp_nanos_opt().unwrap_or_default();
        User::new(planned, account, seed ^ started.unsigned_abs(), seed, &context.plan)
    }

    /// Follows the coordinator's word on when to stop, and cuts off what outlives the grace.
    async fn obey(context: &Context<T>, mut stop: watch::Receiver<Stop>) {
        loop {
            let Stop { ends, now } = *stop.borrow_and_update();
            context.stop_at(ends);
            if now {
                context.cut_off(Stay::BOTH);
            }
            // Those who leave with the load have their grace from there on, whoever stays longer.
            let next = Stay::BOTH.into_iter().find(|stay| !context.is_cut(*stay));
            let until = next.map_or(At::NEVER, |stay| ends.of(stay) + context.settings.grace);
            tokio::select! {
                changed = stop.changed() => {
                    if changed.is_err() {
                        context.cut_off(Stay::BOTH);
                        std::future::pending::<()>().await;
                    }
                }
                () = context.sleep_until(until), if next.is_some() => context.cut_off(next),
            }
        }
    }

    /// Notes when this worker did not run.
    async fn beat(context: &Context<T>) {
        loop {
            let now = context.clock.now();
            let gap = u64::try_from(context.gaps.beat(now).as_micros()).unwrap_or(u64::MAX);
            context.count(|batch| batch.gap_us = batch.gap_us.max(gap));
            context.pacer.until(now + BEAT).await;
        }
    }

    /// Waits for the end of the user's intake. One whose next request lies past it is still
    /// there, thinking.
    async fn stay_to_the_end(&self, stay: Stay) {
        let context = &self.context;
        while context.clock.now() < context.stop(stay) && !context.is_cut(stay) {
            context.pacer.until(context.stop(stay)).await;
        }
    }

    /// Hands a batch over at the end of each second.
    async fn report(
        &self,
        batches: mpsc::Sender<Batch>,
        spare: std::sync::mpsc::Receiver<Vec<Sample>>,
    ) {
        let context = &self.context;
        loop {
            let end = At::START + Duration::from_secs(self.next_second.get() + 1);
            context.sleep_until(end).await;
            // The collector has a thread of its own, and a queue that outlasts its slow moments.
            // What is taken is handed over at once: this task may end while it waits.
            let Ok(room) = batches.reserve().await else { return };
            room.send(self.close_batch(spare.try_recv().unwrap_or_default()));
        }
    }

    fn close_batch(&self, samples: Vec<Sample>) -> Batch {
        let second = self.next_second.replace(self.next_second.get() + 1);
        let gauges = self.gauges(second);
        Batch { second, gauges, ..self.context.take_batch(samples) }
    }

    fn gauges(&self, second: u64) -> Gauges {
        let context = &self.context;
        let load = &context.settings.load;
        // What becomes ready with the next second is not of this one.
        let over = At::START + Duration::from_secs(second + 1) - Duration::from_nanos(1);
        let now = context.clock.now().min(over);
        let there = self.users.borrow();
        // In the second in which they are to leave they are counted at that end, wherever it lies
        // and whoever has left by the time of this.
        let is_last = |stay: &Stay| {
            let last = context.stop(*stay) - Duration::from_nanos(1);
            last.second() == second
        };
        let left =
            Stay::BOTH.into_iter().filter(is_last).map(|stay| self.stayed[stay as usize].get());
        let left: u64 = left.sum();
        let bound = context.settings.max_queue;
        let (mut queued, mut untaken) = (0, 0);
        // By closed pacing nobody queues: the next request is released by the end of the one before.
        for user in there.iter().filter(|_| load.pacing == Pacing::Open) {
            // More than may queue are ready, too, and shed only when a lane comes to them.
            let stop = context.stop(user.planned.stay);
            let of_user = user.queued(&context.plan, load, now, stop, bound.max(MOST_UNTAKEN));
            untaken += of_user as u64;
            queued += of_user.min(bound) as u64;
        }
        let (users, in_flight) = (there.len() as u64 + left, context.in_flight());
        Gauges { users, in_flight, queued, untaken }
    }
}

/// What `work` gives, unless one of `tasks` panics before.
async fn watching<F: Future>(tasks: &mut JoinSet<()>, work: F) -> Result<F::Output, JoinError> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            Some(ended) = tasks.join_next() => ended?,
        }
    }
}
