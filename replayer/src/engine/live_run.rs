//! One run of a session: what of it has ended, and when the rest is ready.

use std::sync::Arc;
use std::time::Duration;

use crate::bind::Slots;
use crate::prepare::{Request, Session, Wait};
use crate::schedule::{Run, scaled};
use crate::time::At;
use scenario::{Load, Pacing};

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
    /// How much of the prologue has not ended, and when the rest had.
    prologue: (usize, At),
    /// All requests before this one were taken.
    first_untaken: usize,
    /// How many have not ended.
    open: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Untaken,
    Taken,
    Ended,
}

struct Ended {
    request: usize,
    at: At,
    /// How often it is waited for by requests that have not ended.
    asked_for: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Readiness {
    At(At),
    /// Something it waits for has not ended.
    Unknown,
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
        let (mut progress, mut ends, mut captures) = spare
            .map_or_else(Default::default, |spare| (spare.progress, spare.ends, spare.captures));
        progress.clear();
        ends.clear();
        progress.resize(session.offsets.len(), Progress::Untaken);
        captures.reset(session.captures);
        Self {
            run,
            requests,
            captures,
            begun,
            progress,
            ends,
            prologue: (session.prologue.saturating_sub(run.first), run.start),
            first_untaken: run.first,
            open: session.offsets.len() - run.first,
        }
    }

    pub(super) fn untaken(&self) -> impl Iterator<Item = usize> {
        (self.first_untaken..self.progress.len())
            .filter(|&request| self.progress[request] == Progress::Untaken)
    }

    pub(super) fn take(&mut self, request: usize) {
        self.progress[request] = Progress::Taken;
        while self.progress.get(self.first_untaken).is_some_and(|p| *p != Progress::Untaken) {
            self.first_untaken += 1;
        }
    }

    /// Makes a request that was taken untaken again.
    pub(super) fn put_back(&mut self, request: usize) {
        self.progress[request] = Progress::Untaken;
        self.first_untaken = self.first_untaken.min(request);
    }

    pub(super) fn end(&mut self, session: &Session, request: usize, at: At) {
        self.progress[request] = Progress::Ended;
        self.open -= 1;
        if request < session.prologue {
            let (open, end) = self.prologue;
            self.prologue = (open - 1, end.max(at));
        }
        let of = &self.requests[request];
        for wait in of.waits() {
            if let Ok(place) = self.place(wait.request) {
                self.ends[place].asked_for -= 1;
                if self.ends[place].asked_for == 0 {
                    self.ends.remove(place);
                }
            }
        }
        if of.dependents > 0 {
            let place = self.place(request).unwrap_or_else(|place| place);
            self.ends.insert(place, Ended { request, at, asked_for: of.dependents });
        }
    }

    /// Where the end of a request is kept, or would be.
    fn place(&self, request: usize) -> Result<usize, usize> {
        self.ends.binary_search_by_key(&request, |ended| ended.request)
    }

    /// When a request ended that another waits for; none where it has not.
    fn ended(&self, wait: Wait) -> Option<At> {
        self.place(wait.request).ok().map(|place| self.ends[place].at)
    }

    /// Whether nothing of it is left.
    pub(super) fn is_over(&self) -> bool {
        self.open == 0
    }

    /// By closed pacing nothing is due.
    pub(super) fn due(&self, session: &Session, request: usize, load: &Load) -> Option<At> {
        match load.pacing {
            Pacing::Open => Some(self.run.due(session, request, load.speed)),
            Pacing::Closed => None,
        }
    }

    /// How much later than planned the prologue ended, once all of it has ended.
    pub(super) fn prologue_late(&self, session: &Session, load: &Load) -> Option<Duration> {
        let (open, end) = self.prologue;
        (open == 0).then(|| end.since(self.run.start + scaled(session.prologue_length, load.speed)))
    }

    /// When a request is ready, given how late the user's prologue ended, if it has ended.
    pub(super) fn readiness(
        &self,
        session: &Session,
        request: usize,
        load: &Load,
        prologue_late: Option<Duration>,
    ) -> Readiness {
        let in_prologue = self.run.first == 0 && request < session.prologue;
        let late = match prologue_late {
            _ if in_prologue => Duration::ZERO,
            Some(late) => late,
            None => return Readiness::Unknown,
        };
        match load.pacing {
            Pacing::Open => self.open_readiness(session, request, load, late),
            Pacing::Closed => self.closed_readiness(session, request, load),
        }
    }

    fn open_readiness(
        &self,
        session: &Session,
        request: usize,
        load: &Load,
        late: Duration,
    ) -> Readiness {
        let mut ready = self.run.due(session, request, load.speed) + late;
        let sources = self.requests[request].sources.iter();
        for wait in sources.filter(|wait| wait.request >= self.run.first) {
            let Some(end) = self.ended(*wait) else { return Readiness::Unknown };
            ready = ready.max(end + scaled(wait.gap, load.speed));
        }
        Readiness::At(ready)
    }

    fn closed_readiness(&self, session: &Session, request: usize, load: &Load) -> Readiness {
        let Request { predecessor, offset, .. } = &self.requests[request];
        if let Some(wait) = predecessor.filter(|wait| wait.request >= self.run.first) {
            return match self.ended(wait) {
                Some(end) => Readiness::At(end + scaled(wait.gap, load.speed)),
                None => Readiness::Unknown,
            };
        }
        // Nothing of this run came before it.
        let skipped = if self.run.first == 0 { Duration::ZERO } else { session.prologue_length };
        Readiness::At(self.begun + scaled(offset.saturating_sub(skipped), load.speed))
    }
}
