//! The release rule: what a user has done, and what it does next.
//!
//! No clock is read here: a request's ready time follows from the plan and from the ends of
//! what it waits for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::bind::Values;
use crate::prepare::{MAX_CONNECTIONS, Prepared, Request, Session};
use crate::schedule::{Bound, Chain, PlannedUser, Run, scaled};
use crate::time::At;
use scenario::{Load, Pacing, Restart};

/// How many requests that are not due yet are looked at for one whose ready time is known.
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
    /// Another user has taken this one's place, which was not noted yet.
    is_replaced: bool,
    /// When the prologue ended, and how much later than planned that was.
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

/// A request that a lane took: no other will.
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

#[derive(Clone, Copy)]
enum Readiness {
    At(At),
    /// Something it waits for has not ended.
    Unknown,
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
            prologue_end: None,
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
    pub(super) fn captures(&self, ticket: &Ticket) -> Option<&Values> {
        self.of(ticket).map(|live| &live.captures)
    }

    pub(super) fn captures_mut(&mut self, ticket: &Ticket) -> Option<&mut Values> {
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
            live.progress[ticket.request] = Progress::Untaken;
            live.first_untaken = live.first_untaken.min(ticket.request);
        }
    }

    /// Notes that a request that was taken has ended, whatever came of it.
    pub(super) fn ended(&mut self, plan: &Prepared, load: &Load, ticket: &Ticket, end: At) {
        self.last_end = self.last_end.max(end);
        let Some(index) = self.live.iter().position(|live| live.run == ticket.run) else { return };
        let session = &plan.sessions[ticket.run.session];
        let live = &mut self.live[index];
        live.progress[ticket.request] = Progress::Ended(end);
        live.open -= 1;
        if live.run.first == 0 && self.prologue_end.is_none() {
            self.prologue_end = live.prologue_end(session, load);
        }
        if live.open == 0 && live.first_untaken == session.offsets.len() {
            self.spare.extend(self.live.remove(index));
        }
    }

    /// Requests that are ready and were not taken, at most `most`.
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
            let session = &plan.sessions[live.run.session];
            for request in live.untaken() {
                let due = live.run.due(session, request, load.speed);
                let is_planned = due < stop && self.bound.admits(due, live.run.number, request);
                if due > now || !is_planned || count == most {
                    return count;
                }
                if let Readiness::At(ready) = self.readiness(live, session, request, load) {
                    count += usize::from(ready <= now);
                }
            }
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
        let live = &mut self.live[index];
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
        if comes_later && !self.live.is_empty() {
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
        if !may_open || (in_turn && !self.live.is_empty()) {
            return false;
        }
        let session = &plan.sessions[run.session];
        let Some(requests) = session.body.begin() else { return false };
        if run.first == 0 {
            self.prologue_end = (session.prologue == 0).then_some((run.start, Duration::ZERO));
            self.is_replaced |= run.number > 0 && load.restart == Restart::NewUser;
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
            self.live.push_back(live);
        }
        // An idle session opens nothing; its successor may.
        !self.live.is_empty() || self.open_next(plan, load, best, stop)
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
