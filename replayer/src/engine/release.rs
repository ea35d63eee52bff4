//! The release rule: what a user has done, and what it does next.
//!
//! No clock is read here: a request's ready time follows from the plan and from the ends of
//! what it waits for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::live_run::{LiveRun, Readiness};
use crate::bind::Slots;
use crate::prepare::{MAX_CONNECTIONS, Prepared, Request};
use crate::schedule::{Bound, Chain, PlannedUser, Run};
use crate::time::At;
use scenario::{Load, Pacing, Restart};

/// How many requests whose ready time is unknown are passed over before those that are not yet
/// due are left for later.
const LOOK_AHEAD: usize = 64;

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
    /// How much later than planned the prologue ended, once it has ended.
    prologue_late: Option<Duration>,
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
    /// All that is left waits for something to end; look again then, or at this time.
    Wait {
        until: At,
    },
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
            prologue_late: None,
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
            live.put_back(ticket.request);
        }
    }

    /// Notes that a request that was taken has ended, whatever came of it.
    pub(super) fn ended(&mut self, plan: &Prepared, load: &Load, ticket: &Ticket, end: At) {
        self.last_end = self.last_end.max(end);
        let Some(index) = self.live.iter().position(|live| live.run == ticket.run) else { return };
        let session = &plan.sessions[ticket.run.session];
        let live = &mut self.live[index];
        live.end(session, ticket.request, end);
        if live.run.first == 0 && self.prologue_late.is_none() {
            self.prologue_late = live.prologue_late(session, load);
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
        let is_due = |run: &Run, request, due| {
            due <= now && due < stop && self.bound.admits(due, run.number, request)
        };
        for live in &self.live {
            let session = &plan.sessions[live.run.session];
            for request in live.untaken() {
                let due = live.run.due(session, request, load.speed);
                if !is_due(&live.run, request, due) || count == most {
                    return count;
                }
                if let Readiness::At(ready) =
                    live.readiness(session, request, load, self.prologue_late)
                {
                    count += usize::from(ready <= now);
                }
            }
        }
        // What is ready of runs that no lane has come to: nothing of them has ended, so that
        // whatever waits for that is not.
        let late = match load.restart {
            Restart::SameUser => self.prologue_late,
            Restart::NewUser => None,
        };
        let (Some(late), mut next) = (late, self.next_run) else { return count };
        while let Some(run) = next.filter(|run| run.start <= now) {
            let session = &plan.sessions[run.session];
            for (request, asked) in session.body.held().iter().enumerate().skip(run.first) {
                let due = run.due(session, request, load.speed);
                if !is_due(&run, request, due) || count == most {
                    return count;
                }
                let waits = asked.sources.iter().any(|wait| wait.request >= run.first);
                count += usize::from(!waits && due + late <= now);
            }
            next = self.chain.next(run, plan, load.speed, load.restart);
        }
        count
    }

    /// Takes the request that is ready first, of those that are part of the plan up to `stop`.
    pub(super) fn take_next(&mut self, plan: &Prepared, load: &Load, now: At, stop: At) -> Next {
        let mut best: Option<(usize, usize, At)> = None;
        let mut waiting = 0;
        let mut look_again = At::NEVER;
        let mut index = 0;
        'runs: loop {
            if index == self.live.len() && !self.open_next(plan, load, best.map(|b| b.2), stop) {
                break;
            }
            let live = &self.live[index];
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
                match live.readiness(session, request, load, self.prologue_late) {
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
                            // Only the end of another request makes these ready, and no time.
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
        let live = &mut self.live[index];
        live.take(request);
        let due = live.due(&plan.sessions[live.run.session], request, load);
        Next::Take(Ticket { run: live.run, request, due, ready })
    }

    /// There is nothing to take now: whether there will be, once the runs under way are over.
    fn idle(&self, load: &Load, stop: At) -> Next {
        let comes_later = self.next_run.is_some_and(|run| match load.pacing {
            Pacing::Open => run.start < stop && self.bound.admits(run.start, run.number, run.first),
            Pacing::Closed => true,
        });
        if comes_later && !self.live.is_empty() {
            Next::Wait { until: At::NEVER }
        } else {
            Next::Done
        }
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
        if !may_open || (in_turn && !self.live.is_empty()) {
            return false;
        }
        let session = &plan.sessions[run.session];
        let Some(requests) = session.body.begin() else { return false };
        if run.first == 0 {
            self.prologue_late = (session.prologue == 0).then_some(Duration::ZERO);
            self.is_replaced |= run.number > 0 && load.restart == Restart::NewUser;
        }
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
