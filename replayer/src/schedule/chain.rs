//! The sessions that one user runs, one after another.

use std::time::Duration;

use crate::prepare::{Prepared, Session};
use crate::time::At;
use scenario::{Restart, Speed};

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// One session, once.
    Once { session: usize },
    /// The sessions of its persona in turn, from this one on.
    Cycle { first: usize },
}

/// One run of a session: where it begins in the recording and in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which of the user's runs it is, from 0.
    pub number: usize,
    pub session: usize,
    /// The first request that belongs to it: 0, or the one after the prologue.
    pub first: usize,
    /// When it begins by the plan.
    pub start: At,
}

/// Sessions shorter than this are taken to be this long, so that a chain of them ends.
const SHORTEST: Duration = Duration::from_millis(1);

impl Chain {
    /// The user's first run; none where its persona has no session.
    pub fn first(self, persona: &[usize], start: At) -> Option<Run> {
        let session = match self {
            Self::Once { session } => session,
            Self::Cycle { first } => *persona.get(first % persona.len().max(1))?,
        };
        Some(Run { number: 0, session, first: 0, start })
    }

    /// The run after `run`; none at the end of the chain.
    ///
    /// A session begins when the one before it was to end, whatever the target does.
    /// Only the user's first has a prologue, unless each is a new user's, or needs what the first
    /// does not give.
    pub fn next(self, run: Run, plan: &Prepared, speed: Speed, restart: Restart) -> Option<Run> {
        let Self::Cycle { first } = self else { return None };
        let before = &plan.sessions[run.session];
        let sessions = &plan.personas[before.persona].sessions;
        let number = run.number + 1;
        let session = sessions[(first + number) % sessions.len()];
        let start = run.start + scaled(run.length(before), speed);
        let begun = &plan.sessions[sessions[first % sessions.len()]];
        let (next, slots) = (&plan.sessions[session], &plan.personas[before.persona].login_slots);
        let first = match restart {
            Restart::SameUser if begun.gives_what(next, slots) => next.prologue,
            Restart::SameUser | Restart::NewUser => 0,
        };
        Some(Run { number, session, first, start })
    }
}

impl Run {
    /// When a request of it is due.
    pub fn due(&self, session: &Session, request: usize, speed: Speed) -> At {
        let skipped = if self.first == 0 { Duration::ZERO } else { session.prologue_length };
        let offset = session.offsets[request].duration().saturating_sub(skipped);
        self.start + scaled(offset, speed)
    }

    /// As recorded.
    fn length(&self, session: &Session) -> Duration {
        let prologue = if self.first == 0 { session.prologue_length } else { Duration::ZERO };
        (prologue + session.body_length).max(SHORTEST)
    }
}

/// A recorded duration at this speed.
pub fn scaled(duration: Duration, speed: Speed) -> Duration {
    if speed.factor() == 1.0 { duration } else { duration.div_f64(speed.factor()) }
}
