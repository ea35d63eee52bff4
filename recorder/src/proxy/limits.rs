//! How much the proxy may hold at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::ProxyError;

/// Bounds on what is open at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Client connections; more wait to be accepted.
    pub connections: usize,
    /// Connections to the upstream, at work or idle; requests that need one more wait for their
    /// turn.
    pub upstream: usize,
    /// Bytes of a body that are kept for the record.
    pub body: usize,
    /// Bytes of all bodies together that are kept until they are recorded.
    pub bodies: usize,
}

/// More are of no use: there are no more ports than half of these.
const MOST_DESCRIPTORS: u64 = 1 << 17;

/// Descriptors kept for everything but connections.
const SPARE_DESCRIPTORS: u64 = 200;

impl Limits {
    /// As many connections as this process may have descriptors for, half of them to each side;
    /// nothing is kept of bodies.
    pub(super) fn of_process() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let most = maximum.or(current).unwrap_or(u64::MAX).min(MOST_DESCRIPTORS);
        let each = (most.saturating_sub(SPARE_DESCRIPTORS) / 2).max(1) as usize;
        Self { connections: each, upstream: each, body: 0, bodies: 0 }
    }

    /// Makes sure that so many connections fit into what this process may have.
    ///
    /// # Errors
    /// When they do not.
    pub(super) fn check(&self) -> Result<(), ProxyError> {
        let needed = (self.connections + self.upstream) as u64 + SPARE_DESCRIPTORS;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let mut limit = current.unwrap_or(u64::MAX);
        if limit < needed {
            let raised = maximum.unwrap_or(u64::MAX);
            if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
                limit = raised;
            }
        }
        if limit < needed {
            let Self { connections, upstream, .. } = *self;
            return Err(ProxyError::Descriptors { connections, upstream, needed, limit });
        }
        Ok(())
    }
}
