//! One simulated person: what he has done, and what he does next.
//!
//! Here stands the release rule. It never looks at a clock: a request's ready
//! time follows from the plan and from the ends of what it waits for.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

use super::account::SharedAccount;
use super::expiry::Expiry;
use crate::bind::Values;
use crate::prepare::{MAX_CONNECTIONS, Prepared, Request, Session, Source};
use crate::schedule::{Bound, Chain, PlannedUser, Run, scaled};
use crate::time::At;
use common::digest::stable_hash;
use http1::cookies::Jar;
use scenario::{Load, Pacing, Restart};

/// How many requests that are not due yet are looked at for one that can be told when it is ready.
const LOOK_AHEAD: usize = 64;

pub struct User {
    pub planned: PlannedUser,
    pub account: Option<Arc<SharedAccount>>,
    /// What his fresh ids are made from.
    pub seed: u64,
    /// What is drawn for him that must be the same in each run of a plan.
    pub draw: u64,
    pub state: RefCell<State>,
    /// Something ended that others may wait for.
    pub changed: Notify,
    /// Held while his token is renewed.
    pub renewing: Mutex<()>,
}

pub struct State {
    runs: VecDeque<LiveRun>,
    chain: Chain,
    bound: Bound,
    /// The run after the last of `runs`.
    next_run: Option<Run>,
    /// Runs that are over, kept for their memory.
    spare: Vec<LiveRun>,
    /// What his prologue captured.
    pub login: Values,
    /// Counts the renewals of what his prologue captured.
    pub login_generation: u64,
    /// Of what his prologue captured, where it is known.
    expiry: Option<Expiry>,
    /// Endpoints that refused him with a token that was just renewed.
    barred: Vec<usize>,
    /// He was refused, and does not try again.
    login_refused: bool,
    /// Counts the users that took his place.
    generation: u64,
    pub cookies: Jar,
    /// When his prologue ended, and how much later than planned that was.
    prologue_end: Option<(At, Duration)>,
    /// When the last exchange of all ended.
    last_end: At,
}

/// A run of a session under way.
struct LiveRun {
    run: Run,
    requests: Arc<[Request]>,
    /// By closed pacing, what its first requests count from: the end of all before.
    begun: At,
    progress: Vec<Progress>,
    /// All requests before this one were taken.
    first_untaken: usize,
    /// How many have not ended.
    open: usize,
    captures: Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Untaken,
    Taken,
    Ended(At),
}

/// Of what a login gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenEnd {
    /// When it is to be renewed, if there is time.
    pub renew: At,
    pub over: At,
}

/// A request that a lane took: no other will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub run: Run,
    pub request: usize,
    /// None by closed pacing, where nothing is due.
    pub due: Option<At>,
    pub ready: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Take(Ticket),
    /// All that is left waits for something to end; look again then, or at this time.
    Wait {
        until: At,
    },
    /// Nothing is left to take.
    Done,
}

#[derive(Clone, Copy)]
enum Readiness {
    At(At),
    /// Something it waits for has not ended.
    Unknown,
}

impl User {
    pub fn new(
        planned: PlannedUser,
        account: Option<Arc<SharedAccount>>,
        seed: u64,
        draw: u64,
        plan: &Prepared,
    ) -> Self {
        let persona = &plan.personas[planned.persona];
        Self {
            planned,
            account,
            seed,
            draw,
            state: RefCell::new(State {
                runs: VecDeque::with_capacity(1),
                chain: planned.chain,
                bound: planned.bound,
                next_run: planned.chain.first(&persona.sessions, planned.start),
                spare: Vec::new(),
                login: Values::with_slots(persona.login_slots),
                login_generation: 0,
                expiry: None,
                barred: Vec::new(),
                login_refused: false,
                generation: 0,
                cookies: Jar::default(),
                prologue_end: None,
                last_end: planned.start,
            }),
            changed: Notify::new(),
            renewing: Mutex::new(()),
        }
    }

    /// Takes the request that is ready first, of those that are part of the plan up to `stop`.
    pub fn take_next(&self, plan: &Prepared, load: &Load, now: At, stop: At) -> Next {
        self.state.borrow_mut().take_next(plan, load, now, stop)
    }

    /// The requests of the session that a ticket is of.
    pub fn requests(&self, ticket: &Ticket) -> Arc<[Request]> {
        let state = self.state.borrow();
        let live = state.runs.iter().find(|live| live.run == ticket.run);
        live.map_or_else(Arc::default, |live| Arc::clone(&live.requests))
    }

    /// Gives a ticket back that was not used.
    pub fn put_back(&self, ticket: &Ticket) {
        let state = &mut *self.state.borrow_mut();
        if let Some(live) = state.runs.iter_mut().find(|live| live.run == ticket.run) {
            live.progress[ticket.request] = Progress::Untaken;
            live.first_untaken = live.first_untaken.min(ticket.request);
        }
    }

    /// Notes that a request that was taken has ended, whatever came of it.
    pub fn ended(&self, plan: &Prepared, load: &Load, ticket: &Ticket, end: At) {
        let state = &mut *self.state.borrow_mut();
        state.last_end = state.last_end.max(end);
        let Some(index) = state.runs.iter().position(|live| live.run == ticket.run) else { return };
        let session = &plan.sessions[ticket.run.session];
        let live = &mut state.runs[index];
        live.progress[ticket.request] = Progress::Ended(end);
        live.open -= 1;
        if live.run.first == 0 && state.prologue_end.is_none() {
            state.prologue_end = live.prologue_end(session, load);
        }
        if live.open == 0 && live.first_untaken == session.offsets.len() {
            state.spare.extend(state.runs.remove(index));
        }
        self.changed.notify_waiters();
    }

    /// Requests that are ready and were not taken, at most `most`.
    pub fn queued(&self, plan: &Prepared, load: &Load, now: At, stop: At, most: usize) -> usize {
        let state = &*self.state.borrow();
        let mut count = 0;
        for live in &state.runs {
            let session = &plan.sessions[live.run.session];
            for request in live.untaken() {
                let due = live.run.due(session, request, load.speed);
                let is_planned = due < stop && state.bound.admits(due, live.run.number, request);
                if due > now || !is_planned || count == most {
                    return count;
                }
                if let Readiness::At(ready) = state.readiness(live, session, request, load) {
                    count += usize::from(ready <= now);
                }
            }
        }
        count
    }

    pub fn value<R>(
        &self,
        ticket: &Ticket,
        source: Source,
        read: impl FnOnce(Option<&str>) -> R,
    ) -> R {
        let state = self.state.borrow();
        match source {
            Source::Login(slot) => read(state.login.get(slot)),
            Source::Session(slot) => {
                let live = state.runs.iter().find(|live| live.run == ticket.run);
                read(live.and_then(|live| live.captures.get(slot)))
            }
        }
    }

    /// Whether his login was refused, or that of another user with his account.
    pub(super) fn is_refused(&self) -> bool {
        let account = self.account.as_ref();
        self.state.borrow().login_refused || account.is_some_and(|account| account.is_refused())
    }

    /// Notes that he cannot log in; tells whether that is news.
    pub(super) fn refuse(&self) -> bool {
        if let Some(account) = &self.account {
            account.refuse();
        }
        !std::mem::replace(&mut self.state.borrow_mut().login_refused, true)
    }

    /// Notes how long what his login gave is good for.
    pub(super) fn expires(&self, expiry: Expiry) {
        self.state.borrow_mut().expiry = Some(expiry);
    }

    /// When what his login gave is to be renewed, and when it is over, where that is known.
    pub(super) fn token_end(&self) -> Option<TokenEnd> {
        let state = self.state.borrow();
        let expiry = state.expiry?;
        let drawn = stable_hash(&(self.draw ^ state.login_generation).to_le_bytes());
        // The upper 53 bits, as a fraction.
        let draw = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
        Some(TokenEnd { renew: expiry.renew_from(draw), over: expiry.at })
    }

    /// Notes that a renewed token did not help at this endpoint: it refuses him for another
    /// reason, and renewing for it again would only be load.
    pub(super) fn bar(&self, endpoint: usize) {
        self.state.borrow_mut().barred.push(endpoint);
    }

    pub(super) fn is_barred(&self, endpoint: usize) -> bool {
        self.state.borrow().barred.contains(&endpoint)
    }

    /// Keeps a captured value, or forgets the one before where there is none.
    pub fn capture(&self, ticket: &Ticket, into: Source, value: Option<&str>) {
        let state = &mut *self.state.borrow_mut();
        let (values, slot) = match into {
            Source::Login(slot) => (&mut state.login, slot),
            Source::Session(slot) => {
                match state.runs.iter_mut().find(|live| live.run == ticket.run) {
                    Some(live) => (&mut live.captures, slot),
                    None => return,
                }
            }
        };
        match value {
            Some(value) => values.set(slot, value),
            None => values.clear(slot),
        }
    }
}

impl State {
    /// Which user it is, where one takes the place of another.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn take_next(&mut self, plan: &Prepared, load: &Load, now: At, stop: At) -> Next {
        let mut best: Option<(usize, usize, At)> = None;
        let mut waiting = 0;
        let mut look_again = At::NEVER;
        let mut index = 0;
        'runs: loop {
            if index == self.runs.len() && !self.open_next(plan, load, best.map(|b| b.2), stop) {
                break;
            }
            let live = &self.runs[index];
            let session = &plan.sessions[live.run.session];
            for request in live.untaken() {
                let due = live.due(session, request, load);
                if due.is_some_and(|due| {
                    due >= stop
                        || !self.bound.admits(due, live.run.number, request)
                        || best.is_some_and(|(.., ready)| ready <= due)
                }) {
                    break 'runs;
                }
                match self.readiness(live, session, request, load) {
                    Readiness::At(ready) if best.is_none_or(|(.., earliest)| ready < earliest) => {
                        best = Some((index, request, ready));
                    }
                    Readiness::At(_) => {}
                    Readiness::Unknown => {
                        waiting += 1;
                        match due {
                            Some(due) if waiting > LOOK_AHEAD && due > now => {
                                look_again = due;
                                break 'runs;
                            }
                            // No time makes these ready: only the end of another.
                            None if waiting > MAX_CONNECTIONS => break 'runs,
                            Some(_) | None => {}
                        }
                    }
                }
                // Each waits for the one before it.
                if load.pacing == Pacing::Closed && session.width == 1 {
                    break 'runs;
                }
            }
            index += 1;
        }
        let Some((index, request, ready)) = best else {
            return if waiting > 0 {
                Next::Wait { until: look_again }
            } else {
                self.idle(load, stop)
            };
        };
        let live = &mut self.runs[index];
        live.progress[request] = Progress::Taken;
        while live.progress.get(live.first_untaken).is_some_and(|p| *p != Progress::Untaken) {
            live.first_untaken += 1;
        }
        let due = live.due(&plan.sessions[live.run.session], request, load);
        Next::Take(Ticket { run: live.run, request, due, ready })
    }

    /// There is nothing to take now: whether there will be, once the runs under way are over.
    fn idle(&self, load: &Load, stop: At) -> Next {
        let comes_later = self.next_run.is_some_and(|run| match load.pacing {
            Pacing::Open => run.start < stop && self.bound.admits(run.start, run.number, run.first),
            Pacing::Closed => true,
        });
        if comes_later && !self.runs.is_empty() {
            Next::Wait { until: At::NEVER }
        } else {
            Next::Done
        }
    }

    /// Opens the next run, where it may hold the request that is ready first.
    ///
    /// By closed pacing, and where each run is a new user's, that is only once all is over
    /// that the one before did.
    fn open_next(&mut self, plan: &Prepared, load: &Load, best: Option<At>, stop: At) -> bool {
        let Some(run) = self.next_run else { return false };
        let in_turn = load.pacing == Pacing::Closed || load.restart == Restart::NewUser;
        let may_open = match load.pacing {
            Pacing::Open => run.start < stop && best.is_none_or(|best| run.start < best),
            Pacing::Closed => true,
        };
        if !may_open || (in_turn && !self.runs.is_empty()) {
            return false;
        }
        let session = &plan.sessions[run.session];
        let Some(requests) = session.body.begin() else { return false };
        if run.first == 0 {
            self.prologue_end = (session.prologue == 0).then_some((run.start, Duration::ZERO));
            if run.number > 0 && load.restart == Restart::NewUser {
                // Nothing of the one before is left.
                self.login.reset(plan.personas[session.persona].login_slots);
                self.cookies = Jar::default();
                self.login_generation += 1;
                self.expiry = None;
                self.barred.clear();
                self.generation += 1;
            }
        }
        let mut live = self.spare.pop().unwrap_or_else(|| LiveRun {
            run,
            requests: Arc::default(),
            begun: At::START,
            progress: Vec::new(),
            first_untaken: 0,
            open: 0,
            captures: Values::default(),
        });
        live.run = run;
        live.progress.clear();
        live.progress.resize(session.offsets.len(), Progress::Untaken);
        live.requests = requests;
        live.first_untaken = run.first;
        live.open = session.offsets.len() - run.first;
        live.captures.reset(session.captures);
        live.begun = self.last_end;
        self.next_run = self.chain.next(run, plan, load.speed, load.restart);
        if live.open == 0 {
            self.spare.push(live);
        } else {
            self.runs.push_back(live);
        }
        // An idle session opens nothing; its successor may.
        !self.runs.is_empty() || self.open_next(plan, load, best, stop)
    }

    /// When a request of a run is ready.
    fn readiness(
        &self,
        live: &LiveRun,
        session: &Session,
        request: usize,
        load: &Load,
    ) -> Readiness {
        let waits = &live.requests[request];
        let in_prologue = live.run.first == 0 && request < session.prologue;
        if !in_prologue && self.prologue_end.is_none() {
            return Readiness::Unknown;
        }
        match load.pacing {
            Pacing::Open => self.open_readiness(live, session, request, waits, load, in_prologue),
            Pacing::Closed => self.closed_readiness(live, session, waits, load),
        }
    }

    fn open_readiness(
        &self,
        live: &LiveRun,
        session: &Session,
        request: usize,
        waits: &Request,
        load: &Load,
        in_prologue: bool,
    ) -> Readiness {
        let mut ready = live.run.due(session, request, load.speed);
        if let (false, Some((_, late))) = (in_prologue, self.prologue_end) {
            ready = ready + late;
        }
        for wait in waits.sources.iter().filter(|wait| wait.request >= live.run.first) {
            match live.progress[wait.request] {
                Progress::Ended(end) => ready = ready.max(end + scaled(wait.gap, load.speed)),
                Progress::Untaken | Progress::Taken => return Readiness::Unknown,
            }
        }
        Readiness::At(ready)
    }

    fn closed_readiness(
        &self,
        live: &LiveRun,
        session: &Session,
        waits: &Request,
        load: &Load,
    ) -> Readiness {
        if let Some(wait) = waits.predecessor.filter(|wait| wait.request >= live.run.first) {
            return match live.progress[wait.request] {
                Progress::Ended(end) => Readiness::At(end + scaled(wait.gap, load.speed)),
                Progress::Untaken | Progress::Taken => Readiness::Unknown,
            };
        }
        // Nothing of this run came before it.
        let skipped = if live.run.first == 0 { Duration::ZERO } else { session.prologue_length };
        Readiness::At(live.begun + scaled(waits.offset.saturating_sub(skipped), load.speed))
    }
}

impl LiveRun {
    fn untaken(&self) -> impl Iterator<Item = usize> {
        (self.first_untaken..self.progress.len())
            .filter(|&request| self.progress[request] == Progress::Untaken)
    }

    /// By closed pacing nothing is due.
    fn due(&self, session: &Session, request: usize, load: &Load) -> Option<At> {
        match load.pacing {
            Pacing::Open => Some(self.run.due(session, request, load.speed)),
            Pacing::Closed => None,
        }
    }

    /// When the prologue ended and how late that was, once all of it has ended.
    fn prologue_end(&self, session: &Session, load: &Load) -> Option<(At, Duration)> {
        let mut end = self.run.start;
        for progress in &self.progress[..session.prologue] {
            match progress {
                Progress::Ended(at) => end = end.max(*at),
                Progress::Untaken | Progress::Taken => return None,
            }
        }
        let planned = self.run.start + scaled(session.prologue_length, load.speed);
        Some((end, end.since(planned)))
    }
}
