//! What a run is to be like, the same for all its workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::secret::Secret;

use super::account::SharedAccount;
use super::budget::Budget;
use super::checks::Checks;
use super::marking::Marking;
use crate::prepare::Request;
use crate::time::At;
use run_log::outcome::Outcome;
use scenario::Load;

#[derive(Clone, Debug)]
pub struct Settings {
    pub load: Load,
    pub seed: u64,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    /// How long after the end of the plan what is left of it may take.
    pub grace: Duration,
    pub fidelity: FidelityMode,
    /// Whether a failure with the status that was recorded is none: so for a probe, never for a
    /// run.
    pub excuses_recorded: bool,
    /// Requests of one user that may be ready and waiting; past it they are shed.
    pub max_queue: usize,
    /// Failing answers an endpoint of which a sample is kept, by each worker.
    pub error_samples: usize,
    /// Token renewals a second that each worker may do.
    pub login_rate: f64,
    /// Requests that may still begin, of all workers; none for any number.
    pub budget: Option<Arc<Budget>>,
    /// By endpoint, the statuses that are a success; none for those below 400.
    pub accepted: Vec<Option<Vec<u16>>>,
    /// By endpoint, what an answer must be beside its status.
    pub checks: Vec<Checks>,
    /// What these are called, by their numbers.
    pub check_names: Vec<String>,
    /// Whose marks are noted for the audit.
    pub marking: Option<Marking>,
    /// Values of named secret slots.
    pub secrets: BTreeMap<String, Secret>,
    /// By persona.
    pub accounts: Vec<Vec<Arc<SharedAccount>>>,
    /// The target's host without port, and whether it is spoken to over TLS: for cookies.
    pub host: String,
    pub secure: bool,
    /// Wall clock at second 0, for timestamps in requests.
    pub started: DateTime<Utc>,
}

/// How closely answers are compared with the recorded ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FidelityMode {
    Status,
    /// Every body is parsed: for `--verify`, not for load.
    StatusAndShape,
}

impl Settings {
    /// The time of day at a point of the run, from the monotonic clock.
    pub(super) fn wall_clock(&self, at: At) -> DateTime<Utc> {
        self.started + TimeDelta::nanoseconds(at.nanos())
    }

    /// Not completed, or completed with a status that is none of a success.
    pub(super) fn is_failure(&self, request: &Request, outcome: Outcome, status: u16) -> bool {
        let had_it = || request.recorded.as_ref().is_some_and(|recorded| recorded.status == status);
        outcome != Outcome::Completed
            || match &self.accepted[request.endpoint] {
                Some(accepted) => !accepted.contains(&status),
                None => status >= 400 && !(self.excuses_recorded && had_it()),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn values_of_slots_are_not_shown() {
        let secrets = BTreeMap::from([("key".to_owned(), "hunter2".to_owned().into())]);
        let shown = format!("{:?}", Settings { secrets, ..settings(Load::as_recorded()) });
        assert!(shown.contains("key") && !shown.contains("hunter2"), "{shown}");
    }
}
