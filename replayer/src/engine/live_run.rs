//! One run of a session: what of it has ended, and when the rest is ready.
//!
//! A request that waits for no other is ready by the plan alone. Of the others it is known once
//! the last of those it waits for has ended, and worked out then: what a request costs does not
//! grow with the session.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::planned::{LoginEnd, Planned, first_free};
use crate::bind::Slots;
use crate::prepare::{Request, Session, Wait, number};
use crate::schedule::{Run, scaled};
use crate::time::At;
use scenario::Pacing;

/// A run of a session under way.
pub(super) struct LiveRun {
    pub run: Run,
    pub requests: Arc<[Request]>,
    /// What its answers gave.
    pub captures: Slots,
    /// By closed pacing, what its first requests count from: the end of all before.
    begun: At,
    /// A byte a request: users are many, and sessions long.
    progress: Vec<Progress>,
    /// When those have ended that others still wait for, in the order of their numbers.
    ends: Vec<Ended>,
    prologue: Prologue,
    /// The first request that waits for no other and was not taken, but for those of `known`.
    free: usize,
    /// Others of which it is known when they are ready, and that were not taken.
    known: BinaryHeap<Reverse<(At, usize)>>,
    /// All requests before this one were taken.
    first_untaken: usize,
    /// How many have not ended.
    open: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is free, or not known when it is ready.
    Waiting,
    Known,
    Taken,
    Ended,
}

struct Ended {
    request: usize,
    at: At,
    /// How often it is waited for by requests that have not ended.
    asked_for: u32,
}

/// The part of a prologue that has ended.
struct Prologue {
    /// How many of its requests have not.
    open: usize,
    end: LoginEnd,
}

impl LiveRun {
    /// Begins a run in the memory of one that is over, where there is one.
    pub(super) fn begin(
        spare: Option<Self>,
        run: Run,
        requests: Arc<[Request]>,
        session: &Session,
        begun: At,
    ) -> Self {
        let (mut progress, mut ends, mut known, mut captures) = spare
            .map_or_else(Default::default, |Self { progress, ends, known, captures, .. }| {
                (progress, ends, known, captures)
            });
        progress.clear();
        ends.clear();
        known.clear();
        progress.resize(session.offsets.len(), Progress::Waiting);
        captures.reset(session.captures);
        Self {
            run,
            captures,
            begun,
            progress,
            ends,
            prologue: Prologue {
                open: session.prologue.saturating_sub(run.first),
                end: LoginEnd { at: run.start, late: Duration::ZERO },
            },
            free: first_free(&run, &requests),
            requests,
            known,
            first_untaken: run.first,
            open: session.offsets.len() - run.first,
        }
    }

    /// The request that is ready first of those that were not taken and of which that is known.
    pub(super) fn first_ready(&mut self, planned: Planned<'_>) -> Option<(usize, At)> {
        let free = (self.free < self.requests.len() && planned.holds(&self.run, self.free))
            .then(|| self.free_ready(planned, self.free).map(|ready| (self.free, ready)))
            .flatten();
        // The plan may have been shortened since it was known.
        while let Some(&Reverse((_, request))) = self.known.peek()
            && !planned.holds(&self.run, request)
        {
            self.known.pop();
        }
        let known = self.known.peek().map(|&Reverse((ready, request))| (request, ready));
        match (free, known) {
            (Some(free), Some(known)) if (known.1, known.0) < (free.1, free.0) => Some(known),
            (free, known) => free.or(known),
        }
    }

    /// Whether a request is left that was not taken.
    pub(super) fn has_untaken(&self, planned: Planned<'_>) -> bool {
        // Those that come later are due no earlier.
        self.first_untaken < self.progress.len() && planned.holds(&self.run, self.first_untaken)
    }

    /// Takes the request that [`LiveRun::first_ready`] found.
    pub(super) fn take(&mut self, request: usize) {
        if request == self.free {
            self.free = self.requests[request].next_free as usize;
        } else {
            self.known.pop();
        }
        self.progress[request] = Progress::Taken;
        let is_taken = |progress: &Progress| matches!(progress, Progress::Taken | Progress::Ended);
        while self.progress.get(self.first_untaken).is_some_and(is_taken) {
            self.first_untaken += 1;
        }
    }

    /// Makes a request that was taken, and was to be ready then, untaken again.
    pub(super) fn put_back(&mut self, request: usize, ready: At) {
        self.first_untaken = self.first_untaken.min(request);
        self.know(request, ready);
    }

    fn know(&mut self, request: usize, ready: At) {
        self.progress[request] = Progress::Known;
        self.known.push(Reverse((ready, request)));
    }

    /// Notes that a request has ended: others may be ready then.
    pub(super) fn end(&mut self, planned: Planned<'_>, request: usize, at: At) {
        self.progress[request] = Progress::Ended;
        self.open -= 1;
        if request < planned.session.prologue {
            self.end_of_prologue(planned, request, at);
        }
        for wait in 0..self.requests[request].waits.len() {
            let earlier = self.requests[request].waits[wait].request as usize;
            if let Ok(place) = self.place(earlier) {
                self.ends[place].asked_for -= 1;
                if self.ends[place].asked_for == 0 {
                    self.ends.remove(place);
                }
            }
        }
        let dependents = self.requests[request].dependents.len();
        if dependents == 0 {
            return;
        }
        let place = self.place(request).unwrap_or_else(|place| place);
        self.ends.insert(place, Ended { request, at, asked_for: number(dependents) });
        for dependent in 0..dependents {
            let dependent = self.requests[request].dependents[dependent] as usize;
            if self.progress[dependent] == Progress::Waiting
                && let Some(ready) = self.ready(planned, dependent)
            {
                self.know(dependent, ready);
            }
        }
    }

    fn end_of_prologue(&mut self, planned: Planned<'_>, request: usize, at: At) {
        let Prologue { open, end } = &mut self.prologue;
        *open -= 1;
        end.at = end.at.max(at);
        let took = Duration::from_micros(self.requests[request].took_us);
        if !took.is_zero() {
            let due = self.run.due(planned.session, request, planned.load.speed);
            end.late = end.late.max(at.since(due + took));
        }
    }

    /// Where the end of a request is kept, or would be.
    fn place(&self, request: usize) -> Result<usize, usize> {
        self.ends.binary_search_by_key(&request, |ended| ended.request)
    }

    /// Whether nothing of it is left.
    pub(super) fn is_over(&self) -> bool {
        self.open == 0
    }

    /// The end of the prologue, once all of it has ended.
    pub(super) fn login_end(&self) -> Option<LoginEnd> {
        (self.prologue.open == 0).then_some(self.prologue.end)
    }

    /// Requests that are ready by now and were not taken, at most `most`.
    pub(super) fn queued(&self, planned: Planned<'_>, now: At, most: usize) -> usize {
        let free = planned.count_free(&self.run, &self.requests, self.free, now, most);
        free + self.count_known(planned, 0, now, most - free)
    }

    /// Of those that are known, from a place of the heap on: what is ready later than another lies
    /// behind it.
    fn count_known(&self, planned: Planned<'_>, place: usize, now: At, most: usize) -> usize {
        let Some(&Reverse((ready, request))) = self.known.as_slice().get(place) else { return 0 };
        if ready > now || most == 0 {
            return 0;
        }
        let mut count = usize::from(planned.holds(&self.run, request));
        for behind in [2 * place + 1, 2 * place + 2] {
            count += self.count_known(planned, behind, now, most - count);
        }
        count
    }

    /// When a request that waits for no other is ready.
    fn free_ready(&self, planned: Planned<'_>, request: usize) -> Option<At> {
        match planned.load.pacing {
            Pacing::Open => planned.ready_by_plan(&self.run, request),
            Pacing::Closed => self.begins(planned, request),
        }
    }

    /// By closed pacing, when a request is ready before which there was nothing but the prologue.
    fn begins(&self, planned: Planned<'_>, request: usize) -> Option<At> {
        let Planned { session, load, login, .. } = planned;
        let in_prologue = self.run.first == 0 && request < session.prologue;
        let offset = session.offsets[request].duration();
        if in_prologue {
            return Some(self.begun + scaled(offset, load.speed));
        }
        let offset = scaled(offset.saturating_sub(session.prologue_length), load.speed);
        let login = login?;
        let has_logged_in = self.run.first == 0 && session.prologue > 0;
        Some(if has_logged_in { login.at } else { self.begun } + offset)
    }

    /// When a request is ready that waits for others; none where one of them has not ended.
    fn ready(&self, planned: Planned<'_>, request: usize) -> Option<At> {
        let mut ready = match planned.load.pacing {
            Pacing::Open => planned.ready_by_plan(&self.run, request)?,
            Pacing::Closed => self.begun,
        };
        for wait in &self.requests[request].waits {
            let before = wait.request as usize;
            if before >= self.run.first {
                let ended = &self.ends[self.place(before).ok()?];
                ready = ready.max(ended.at + self.gap(planned, *wait, request));
            }
        }
        Some(ready)
    }

    /// How long after the end of another a request is ready.
    ///
    /// By open pacing that is what the recorded exchange leaves of the planned time between both: a
    /// target as fast as recorded makes no delay. Where nobody knows how long it took, nothing is
    /// left. By closed pacing it is the recorded think time.
    fn gap(&self, planned: Planned<'_>, wait: Wait, request: usize) -> Duration {
        let Planned { session, load, .. } = planned;
        let before = wait.request as usize;
        let offset = |request: usize| session.offsets[request].duration();
        let apart = offset(request).saturating_sub(offset(before));
        let took = Duration::from_micros(self.requests[before].took_us);
        match load.pacing {
            Pacing::Open if took.is_zero() => Duration::ZERO,
            Pacing::Open => scaled(apart, load.speed).saturating_sub(took),
            Pacing::Closed if wait.thinks => scaled(apart.saturating_sub(took), load.speed),
            Pacing::Closed => Duration::ZERO,
        }
    }
}
