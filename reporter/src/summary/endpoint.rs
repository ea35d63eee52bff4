//! The figures of one endpoint, or of all together.

use hdrhistogram::Histogram;
use replayer::run_log::format::LatencyKind;

use super::times::{self, Recorded, ResponseTimes};
use crate::units::Figure;

/// What was recorded from the plateau's start on, the drain included.
pub struct Endpoint {
    pub name: String,
    pub responses: ResponseTimes,
    /// Completed with a failure status.
    pub failed_status: u64,
    /// Ended with neither an answer nor a time-out.
    pub lost: u64,
    /// Successes that ended within the plateau: what its rate is made of.
    pub ok_in_plateau: u64,
    pub service: Histogram<u64>,
    pub queue: Histogram<u64>,
    pub connect: Histogram<u64>,
    pub session_delay: Histogram<u64>,
    pub lag: Histogram<u64>,
}

impl Endpoint {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            responses: ResponseTimes::default(),
            failed_status: 0,
            lost: 0,
            ok_in_plateau: 0,
            service: times::histogram(),
            queue: times::histogram(),
            connect: times::histogram(),
            session_delay: times::histogram(),
            lag: times::histogram(),
        }
    }

    pub(super) fn add(&mut self, kind: LatencyKind, recorded: &Recorded, in_plateau: bool) {
        match kind {
            LatencyKind::ResponseOk => {
                self.responses.add(kind, recorded);
                if in_plateau {
                    self.ok_in_plateau += recorded.count();
                }
            }
            LatencyKind::Censored => self.responses.add(kind, recorded),
            LatencyKind::ResponseFailed => self.failed_status += recorded.count(),
            LatencyKind::Lost => self.lost += recorded.count(),
            LatencyKind::Service => times::add(&mut self.service, recorded),
            LatencyKind::Queue => times::add(&mut self.queue, recorded),
            LatencyKind::Connect => times::add(&mut self.connect, recorded),
            LatencyKind::SessionDelay => times::add(&mut self.session_delay, recorded),
            LatencyKind::Lag => times::add(&mut self.lag, recorded),
        }
    }

    /// Planned requests that ended.
    pub fn requests(&self) -> u64 {
        self.responses.ok() + self.failed()
    }

    pub fn failed(&self) -> u64 {
        self.failed_status + self.responses.censored() + self.lost
    }

    pub fn failures(&self) -> Figure {
        Figure::share(self.failed(), self.requests())
    }

    /// Service time of all its requests together, in microseconds: the target's
    /// time, waiting for locks and processors included.
    pub fn service_total_us(&self) -> f64 {
        self.service.mean() * self.service.len() as f64
    }

    pub fn rate(&self, plateau_s: u64) -> Figure {
        Figure::rate(self.ok_in_plateau, plateau_s)
    }
}
