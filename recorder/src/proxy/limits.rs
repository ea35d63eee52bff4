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

/// Descriptors kept for everything but connections.
const SPARE_DESCRIPTORS: u64 = 200;

impl Limits {
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
