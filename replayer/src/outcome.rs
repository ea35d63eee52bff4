//! What became of a planned request: exactly one of these.

use crate::run_log::format::Outcomes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// An answer was read to its end.
    Completed {
        status: u16,
    },
    TimedOut,
    ConnectFailed,
    /// The connection broke, or what came was not HTTP.
    Reset,
    TlsFailed,
    /// A value that it needs was not there.
    Unbound,
    /// Over the bound on what may be queued.
    Shed,
    /// Not done when the run ended.
    CutOff,
    /// The generator's own machine had no descriptor or port left.
    LocalLimit,
}

impl Outcome {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed { .. } => "completed",
            Self::TimedOut => "timed-out",
            Self::ConnectFailed => "connect-failed",
            Self::Reset => "reset",
            Self::TlsFailed => "tls-failed",
            Self::Unbound => "unbound",
            Self::Shed => "shed",
            Self::CutOff => "cut-off",
            Self::LocalLimit => "local-limit",
        }
    }

    /// Adds one to its count.
    pub fn count_in(self, outcomes: &mut Outcomes) {
        *match self {
            Self::Completed { .. } => &mut outcomes.completed,
            Self::TimedOut => &mut outcomes.timed_out,
            Self::ConnectFailed => &mut outcomes.connect_failed,
            Self::Reset => &mut outcomes.reset,
            Self::TlsFailed => &mut outcomes.tls_failed,
            Self::Unbound => &mut outcomes.unbound,
            Self::Shed => &mut outcomes.shed,
            Self::CutOff => &mut outcomes.cut_off,
            Self::LocalLimit => &mut outcomes.local_limit,
        } += 1;
    }

    /// Whether the true response time is only known to be longer than what was measured.
    pub const fn is_censored(self) -> bool {
        matches!(self, Self::TimedOut | Self::CutOff)
    }
}
