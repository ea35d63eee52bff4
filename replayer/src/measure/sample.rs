//! What a worker hands to the collector.

use run_log::audit::MarkRow;
use run_log::format::{ErrorSample, Extra};
use run_log::outcome::Outcome;

/// One planned request that ended. Times are in microseconds, saturating at 71 minutes.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub endpoint: u16,
    pub persona: u16,
    pub outcome: Outcome,
    /// Of a completed one; else 0.
    pub status: u16,
    /// Whether the outcome counts as a failure.
    pub is_failed: bool,
    /// The number of the check for which it does, its status being that of a success.
    pub missed_check: Option<u16>,
    pub was_sent: bool,
    /// The second in which it ended.
    pub second: u32,
    /// The second of the load that it is part of; none of what never became ready, which has no
    /// latency.
    pub ready_second: Option<u32>,
    /// done − ready.
    pub response_us: u32,
    /// done − first byte sent; none where nothing was sent.
    pub service_us: Option<u32>,
    /// From being ready to having a connection.
    pub queue_us: u32,
    /// TCP and TLS, where a connection was opened for it.
    pub connect_us: Option<u32>,
    /// ready − due; none by closed pacing, where nothing is due, and of what never became ready.
    pub session_delay_us: Option<u32>,
    /// The generator share: what of the response time is the generator's own doing.
    pub lag_us: u32,
    /// It was begun over a second later than it could have been.
    pub left_late: bool,
    /// Bytes of the answer's body.
    pub body_bytes: u32,
    pub fidelity: FidelityCheck,
    pub is_rebound: bool,
    /// It is unbound, and the value is missing because the target failed what would have given it.
    pub lacks_by_target: bool,
}

/// An answer against the recorded one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FidelityCheck {
    /// Nothing was recorded, or nothing came back.
    #[default]
    None,
    Status {
        same: bool,
    },
    StatusAndShape {
        same_status: bool,
        same_shape: bool,
    },
}

/// A worker's figures at the end of a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    pub users: u64,
    pub in_flight: u64,
    pub queued: u64,
    /// Ready and not taken up: those that queue, and those that will be shed.
    pub untaken: u64,
}

/// What one worker saw in one second.
#[derive(Debug, Default)]
pub struct Batch {
    pub worker: usize,
    pub second: u64,
    pub samples: Vec<Sample>,
    pub gauges: Gauges,
    /// Planned requests that became ready and that a user took up: sent, shed or found unbound.
    pub taken: u64,
    /// Planned requests whose first byte went out.
    pub sent: u64,
    pub extra: Extra,
    /// Of all attempts that ended, those of renewals and retries among them.
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub connections_opened: u64,
    pub errors: Vec<ErrorSample>,
    /// Of audited requests that ended.
    pub marks: Vec<MarkRow>,
    /// The longest time that the worker did not run, in microseconds, of those that ended in the
    /// second; 0 where there was none.
    pub gap_us: u64,
    /// Requests of a planned login that failed, and had not when they were recorded.
    pub logins_failed: u64,
    /// Users whose login was refused.
    pub logins_refused: u64,
    /// How the worker's first login was refused, if it was in this batch.
    pub refusal: Option<ErrorSample>,
    /// The longest time that a request waited for the login rate, in microseconds.
    pub login_wait_us: u64,
    /// The system took the timer away; the worker ended.
    pub timer_failed: bool,
    /// A task panicked; the worker ended, and what its lanes were about may be missing.
    pub panicked: bool,
    /// Nothing comes after this batch.
    pub is_last: bool,
}
