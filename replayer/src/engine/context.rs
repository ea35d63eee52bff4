//! What all users of a thread share: the plan, the clock, the way out, and what was measured.
//!
//! It starts nothing: the worker does, and its users' lanes use what is here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::buffers::{Buffers, Store};
use super::gaps::Gaps;
use super::settings::Settings;
use crate::measure::{Batch, Sample};
use crate::pacer::Pacer;
use crate::prepare::Prepared;
use crate::schedule::{Ends, Stay};
use crate::time::{At, Clock};
use run_log::format::ErrorSample;

pub(super) struct Context<T> {
    pub plan: Arc<Prepared>,
    pub settings: Arc<Settings>,
    pub clock: Clock,
    pub pacer: Rc<Pacer>,
    pub transport: T,
    ends: Cell<Ends>,
    /// Wakes lanes that wait for something to end.
    pub stop_changed: Notify,
    /// When everything under way was cut off of those who stay with the load, and of those who stay
    /// longer; never, so far.
    cut_at: [Cell<At>; 2],
    batch: RefCell<Batch>,
    in_flight: Cell<u64>,
    /// When this worker did not run.
    pub gaps: Gaps,
    buffers: Store,
    /// Where bodies of requests are put together.
    pub scratch: RefCell<Vec<u8>>,
    /// By endpoint, how many samples of failing answers were kept.
    error_samples: RefCell<Vec<usize>>,
    /// A login was refused.
    was_refused: Cell<bool>,
    /// When the next renewal may begin.
    next_login: Cell<At>,
}

/// What the login rate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Granted,
    TooLate,
    CutOff,
}

impl<T> Context<T> {
    /// For worker `index`, with an intake that has these ends.
    pub(super) fn new(
        index: usize,
        plan: Arc<Prepared>,
        settings: Arc<Settings>,
        clock: Clock,
        pacer: Rc<Pacer>,
        transport: T,
        ends: Ends,
    ) -> Self {
        let endpoints = plan.endpoints.len();
        Self {
            plan,
            settings,
            clock,
            pacer,
            transport,
            ends: Cell::new(ends),
            stop_changed: Notify::new(),
            cut_at: [const { Cell::new(At::NEVER) }; 2],
            batch: RefCell::new(Batch { worker: index, ..Batch::default() }),
            in_flight: Cell::new(0),
            gaps: Gaps::default(),
            buffers: Store::default(),
            scratch: RefCell::default(),
            error_samples: RefCell::new(vec![0; endpoints]),
            was_refused: Cell::new(false),
            next_login: Cell::new(At::START),
        }
    }

    /// The time of day.
    pub(super) fn wall_clock(&self) -> DateTime<Utc> {
        self.settings.wall_clock(self.clock.now())
    }

    pub(super) async fn sleep_until(&self, at: At) {
        while self.clock.now() < at {
            self.pacer.until(at).await;
        }
    }

    /// When the intake of users stops who stay so long.
    pub(super) fn stop(&self, stay: Stay) -> At {
        self.ends.get().of(stay)
    }

    /// Has intake stop at other times.
    pub(super) fn stop_at(&self, ends: Ends) {
        self.ends.set(ends);
        self.wake_all();
    }

    /// Whether everything of theirs under way is cut off.
    pub(super) fn is_cut(&self, stay: Stay) -> bool {
        self.cut_at(stay).get() < At::NEVER
    }

    fn cut_at(&self, stay: Stay) -> &Cell<At> {
        &self.cut_at[stay as usize]
    }

    /// Whether what would be ready then never will be, since everything was cut off before. What
    /// waited for something that was cut off is of this kind.
    pub(super) fn is_cut_by(&self, stay: Stay, ready: At) -> bool {
        ready >= self.cut_at(stay).get()
    }

    /// Cuts off everything of theirs under way.
    pub(super) fn cut_off(&self, those: impl IntoIterator<Item = Stay>) {
        for stay in those {
            self.cut_at(stay).update(|at| at.min(self.clock.now()));
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        self.pacer.wake_all();
        self.stop_changed.notify_waiters();
    }

    /// Waits until everything of theirs under way is cut off.
    pub(super) async fn cut(&self, stay: Stay) {
        loop {
            let changed = self.stop_changed.notified();
            if self.is_cut(stay) {
                return;
            }
            changed.await;
        }
    }

    /// Takes a request from what may still begin, if anything may.
    pub(super) fn may_begin(&self) -> bool {
        self.settings.budget.as_ref().is_none_or(|budget| budget.take())
    }

    /// Waits for the next turn in this worker's share of the login rate, for a user who stays so
    /// long; with `by`, takes none that comes later.
    pub(super) async fn login_permit(&self, stay: Stay, by: Option<At>) -> Permit {
        let now = self.clock.now();
        let mine = self.next_login.get().max(now);
        if by.is_some_and(|by| mine > by) {
            return Permit::TooLate;
        }
        let gap = Duration::from_secs_f64(1.0 / self.settings.login_rate);
        self.next_login.set(mine + gap);
        if by.is_none() {
            let waited = u64::try_from(mine.since(now).as_micros()).unwrap_or(u64::MAX);
            self.count(|batch| batch.login_wait_us = batch.login_wait_us.max(waited));
        }
        while self.clock.now() < mine && !self.is_cut(stay) {
            self.pacer.until(mine).await;
        }
        if self.is_cut(stay) { Permit::CutOff } else { Permit::Granted }
    }

    /// Notes a planned request that ended.
    pub(super) fn record(&self, sample: Sample) {
        self.batch.borrow_mut().samples.push(sample);
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Batch)) {
        count(&mut self.batch.borrow_mut());
    }

    pub(super) fn note_error(&self, endpoint: usize, make: impl FnOnce() -> ErrorSample) {
        let seen = &mut self.error_samples.borrow_mut()[endpoint];
        if *seen < self.settings.error_samples {
            *seen += 1;
            self.batch.borrow_mut().errors.push(make());
        }
    }

    /// Notes a user whose login was refused, and of the first one how.
    pub(super) fn note_refusal(&self, make: impl FnOnce() -> ErrorSample) {
        let first = (!self.was_refused.replace(true)).then(make);
        self.count(|batch| {
            batch.logins_refused += 1;
            batch.refusal = batch.refusal.take().or(first);
        });
    }

    /// Whether another failing answer of this endpoint is wanted.
    pub(super) fn wants_error(&self, endpoint: usize) -> bool {
        self.error_samples.borrow()[endpoint] < self.settings.error_samples
    }

    /// What was measured since the last call; what follows goes into the memory of `samples`.
    pub(super) fn take_batch(&self, samples: Vec<Sample>) -> Batch {
        let mut batch = self.batch.borrow_mut();
        let empty = Batch { worker: batch.worker, samples, ..Batch::default() };
        std::mem::replace(&mut batch, empty)
    }

    pub(super) fn lend_buffers(&self) -> Buffers {
        self.buffers.lend()
    }

    pub(super) fn give_back(&self, buffers: Buffers) {
        self.buffers.give_back(buffers);
    }

    /// Counts an exchange under way until the guard is dropped.
    pub(super) fn under_way(&self) -> UnderWay<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        UnderWay(&self.in_flight)
    }

    /// Exchanges under way.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.get()
    }
}

pub(super) struct UnderWay<'a>(&'a Cell<u64>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
