//! The release rule: what a user has done, and what it does next.
//!
//! No clock is read here: a request's ready time follows from the plan and from the ends of
//! what it waits for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::live_run::LiveRun;
use super::planned::{LoginEnd, Planned, first_free};
use crate::bind::Slots;
use crate::prepare::{Prepared, Request};
use crate::schedule::{Bound, Chain, PlannedUser, Run};
use crate::time::At;
use scenario::{Load, Pacing, Restart};

/// The runs of sessions of a user's chain, in their order.
pub(super) struct Runs {
    live: VecDeque<LiveRun>,
    chain: Chain,
    bound: Bound,
    /// The run after the last of `live`.
    next_run: Option<Run>,
    /// Runs that are over, kept for their memory.
    spare: Vec<LiveRun>,
    /// Another user has taken this one's place since [`Runs::take_replaced`] was called.
    is_replaced: bool,
    /// The end of the user's prologue, once it has ended.
    login: Option<LoginEnd>,
    /// When the last exchange of all ended.
    last_end: At,
}

/// A request that a lane took, so that no other lane will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub run: Run,
    pub request: usize,
    /// None by closed pacing, where nothing is due.
    pub due: Option<At>,
    pub ready: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Take(Ticket),
    /// All that is left waits for something to end.
    Wait,
    /// Nothing is left to take.
    Done,
}

impl Runs {
    pub(super) fn new(planned: &PlannedUser, plan: &Prepared) -> Self {
        let persona = &plan.personas[planned.persona];
        Self {
            live: VecDeque::with_capacity(1),
            chain: planned.chain,
            bound: planned.bound,
            next_run: planned.chain.first(&persona.sessions, planned.start),
            spare: Vec::new(),
            is_replaced: false,
            login: None,
            last_end: planned.start,
        }
    }

    /// Whether another user has taken this one's place since the last call.
    pub(super) fn take_replaced(&mut self) -> bool {
        std::mem::take(&mut self.is_replaced)
    }

    /// The requests of the session that a ticket is of.
    pub(super) fn requests(&self, ticket: &Ticket) -> Arc<[Request]> {
        self.of(ticket).map_or_else(Arc::default, |live| Arc::clone(&live.requests))
    }

    /// What the run of a ticket captured.
    pub(super) fn captures(&self, ticket: &Ticket) -> Option<&Slots> {
        self.of(ticket).map(|live| &live.captures)
    }

    pub(super) fn captures_mut(&mut self, ticket: &Ticket) -> Option<&mut Slots> {
        self.of_mut(ticket).map(|live| &mut live.captures)
    }

    fn of(&self, ticket: &Ticket) -> Option<&LiveRun> {
        self.live.iter().find(|live| live.run == ticket.run)
    }

    fn of_mut(&mut self, ticket: &Ticket) -> Option<&mut LiveRun> {
        self.live.iter_mut().find(|live| live.run == ticket.run)
    }

    /// Gives a ticket back that was not used.
    pub(super) fn put_back(&mut self, ticket: &Ticket) {
        if let Some(live) = self.of_mut(ticket) {
            live.put_back(ticket.request, ticket.ready);
        }
    }

    /// Notes that a request that was taken has ended, whatever came of it.
    pub(super) fn ended(&mut self, plan: &Prepared, load: &Load, ticket: &Ticket, end: At) {
        self.last_end = self.last_end.max(end);
        let Some(index) = self.live.iter().position(|live| live.run == ticket.run) else { return };
        let own = self.live[index].login_end();
        let planned = self.planned(plan, load, ticket.run, own, At::NEVER);
        let live = &mut self.live[index];
        live.end(planned, ticket.request, end);
        if live.run.first == 0 && self.login.is_none() {
            self.login = live.login_end();
        }
        if live.is_over() {
            self.spare.extend(self.live.remove(index));
        }
    }

    /// Requests that are ready by open pacing and were not taken, at most `most`.
    pub(super) fn queued(
        &self,
        plan: &Prepared,
        load: &Load,
        now: At,
        stop: At,
        most: usize,
    ) -> usize {
        let mut count = 0;
        for live in &self.live {
            let planned = self.planned(plan, load, live.run, live.login_end(), stop);
            count += live.queued(planned, now, most - count);
        }
        // What is ready of runs that no lane has come to: nothing of them has ended, so that
        // whatever waits for that is not.
        if load.restart == Restart::NewUser {
            return count;
        }
        let mut next = self.next_run;
        while let Some(run) = next.filter(|run| run.start <= now && count < most) {
            let planned = self.planned(plan, load, run, None, stop);
            let requests = planned.session.body.held();
            let free = first_free(&run, requests);
            count += planned.count_free(&run, requests, free, now, most - count);
            next = self.chain.next(run, plan, load.speed, load.restart);
        }
        count
    }

    /// What the plan holds of a run. One with a prologue waits for its `own`, another for the
    /// user's.
    fn planned<'a>(
        &self,
        plan: &'a Prepared,
        load: &'a Load,
        run: Run,
        own: Option<LoginEnd>,
        stop: At,
    ) -> Planned<'a> {
        let session = &plan.sessions[run.session];
        let login = if run.first < session.prologue {
            own
        } else if load.restart == Restart::NewUser {
            // There is nothing to log in with.
            Some(LoginEnd { at: run.start, late: Duration::ZERO })
        } else {
            self.login
        };
        Planned { session, load, bound: self.bound, stop, login }
    }

    /// Takes the request that is ready first, of those that are part of the plan up to `stop`.
    pub(super) fn take_next(&mut self, plan: &Prepared, load: &Load, stop: At) -> Next {
        let mut best: Option<(usize, usize, At)> = None;
        let mut is_waiting = false;
        let mut index = 0;
        loop {
            if index == self.live.len() && !self.open_next(plan, load, best.map(|b| b.2), stop) {
                break;
            }
            let live = &self.live[index];
            let planned = self.planned(plan, load, live.run, live.login_end(), stop);
            let live = &mut self.live[index];
            match live.first_ready(planned) {
                Some((request, ready)) if best.is_none_or(|(.., earliest)| ready < earliest) => {
                    best = Some((index, request, ready));
                }
                Some(_) => {}
                None => is_waiting |= live.has_untaken(planned),
            }
            index += 1;
        }
        let Some((index, request, ready)) = best else {
            return if is_waiting { Next::Wait } else { self.idle(load, stop) };
        };
        let live = &mut self.live[index];
        live.take(request);
        let due = match load.pacing {
            Pacing::Open => {
                Some(live.run.due(&plan.sessions[live.run.session], request, load.speed))
            }
            Pacing::Closed => None,
        };
        Next::Take(Ticket { run: live.run, request, due, ready })
    }

    /// There is nothing to take now: whether there will be, once the runs under way are over.
    fn idle(&self, load: &Load, stop: At) -> Next {
        let comes_later = self.next_run.is_some_and(|run| match load.pacing {
            Pacing::Open => run.start < stop && self.bound.admits(run.start, run.number, run.first),
            Pacing::Closed => true,
        });
        if comes_later && !self.live.is_empty() { Next::Wait } else { Next::Done }
    }

    /// Opens the next run, where it may hold the request that is ready first.
    ///
    /// By closed pacing, and where each run is a new user's, that is only once the run before
    /// is over.
    fn open_next(&mut self, plan: &Prepared, load: &Load, best: Option<At>, stop: At) -> bool {
        let Some(run) = self.next_run else { return false };
        let in_turn = load.pacing == Pacing::Closed || load.restart == Restart::NewUser;
        let may_open = match load.pacing {
            Pacing::Open => run.start < stop && best.is_none_or(|best| run.start < best),
            Pacing::Closed => true,
        };
        // Before its user has logged in, nothing of its next session is ready.
        let has_logged_in = run.first == 0 || self.login.is_some();
        if !may_open || !has_logged_in || (in_turn && !self.live.is_empty()) {
            return false;
        }
        let session = &plan.sessions[run.session];
        let Some(requests) = session.body.begin() else { return false };
        if run.number == 0 && session.prologue == 0 {
            self.login = Some(LoginEnd { at: run.start, late: Duration::ZERO });
        }
        self.is_replaced |= run.number > 0 && load.restart == Restart::NewUser;
        let live = LiveRun::begin(self.spare.pop(), run, requests, session, self.last_end);
        self.next_run = self.chain.next(run, plan, load.speed, load.restart);
        if live.is_over() {
            self.spare.push(live);
        } else {
            self.live.push_back(live);
        }
        // An idle session opens nothing; its successor may.
        !self.live.is_empty() || self.open_next(plan, load, best, stop)
    }
}
