//! One run of a session: what of it has ended, and when the rest is ready.

use std::sync::Arc;
use std::time::Duration;

use crate::bind::Slots;
use crate::prepare::{Request, Session};
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
    progress: Vec<Progress>,
    /// All requests before this one were taken.
    first_untaken: usize,
    /// How many have not ended.
    open: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Untaken,
    Taken,
    Ended(At),
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
        let (mut progress, mut captures) =
            spare.map_or_else(Default::default, |spare| (spare.progress, spare.captures));
        progress.clear();
        progress.resize(session.offsets.len(), Progress::Untaken);
        captures.reset(session.captures);
        Self {
            run,
            requests,
            captures,
            begun,
            progress,
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

    pub(super) fn end(&mut self, request: usize, at: At) {
        self.progress[request] = Progress::Ended(at);
        self.open -= 1;
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
        let mut end = self.run.start;
        for progress in &self.progress[..session.prologue] {
            match progress {
                Progress::Ended(at) => end = end.max(*at),
                Progress::Untaken | Progress::Taken => return None,
            }
        }
        Some(end.since(self.run.start + scaled(session.prologue_length, load.speed)))
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
            match self.progress[wait.request] {
                Progress::Ended(end) => ready = ready.max(end + scaled(wait.gap, load.speed)),
                Progress::Untaken | Progress::Taken => return Readiness::Unknown,
            }
        }
        Readiness::At(ready)
    }

    fn closed_readiness(&self, session: &Session, request: usize, load: &Load) -> Readiness {
        let Request { predecessor, offset, .. } = &self.requests[request];
        if let Some(wait) = predecessor.filter(|wait| wait.request >= self.run.first) {
            return match self.progress[wait.request] {
                Progress::Ended(end) => Readiness::At(end + scaled(wait.gap, load.speed)),
                Progress::Untaken | Progress::Taken => Readiness::Unknown,
            };
        }
        // Nothing of this run came before it.
        let skipped = if self.run.first == 0 { Duration::ZERO } else { session.prologue_length };
        Readiness::At(self.begun + scaled(offset.saturating_sub(skipped), load.speed))
    }
}
