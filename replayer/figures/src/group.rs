//! The figures of one endpoint or persona, or of all together.

use hdrhistogram::Histogram;
use run_log::format::LatencyKind;

use crate::Reading;
use crate::times::{self, Recorded, ResponseTimes};

/// What was recorded from the plateau's start on, the drain included.
#[derive(Clone, Debug)]
pub struct Group {
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

impl Group {
    pub fn named(name: &str) -> Self {
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

    /// Takes in what was recorded for a tag of this group; `in_plateau` is false in the drain.
    pub fn add(&mut self, kind: LatencyKind, recorded: &Recorded, in_plateau: bool) {
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
            LatencyKind::Service => recorded.add_to(&mut self.service),
            LatencyKind::Queue => recorded.add_to(&mut self.queue),
            LatencyKind::Connect => recorded.add_to(&mut self.connect),
            LatencyKind::SessionDelay => recorded.add_to(&mut self.session_delay),
            LatencyKind::Lag => recorded.add_to(&mut self.lag),
        }
    }

    /// Planned requests that ended.
    pub fn requests(&self) -> u64 {
        self.responses.ok() + self.failed()
    }

    pub fn failed(&self) -> u64 {
        self.failed_status + self.responses.censored() + self.lost
    }

    pub fn failures(&self) -> Reading {
        Reading::share(self.failed(), self.requests())
    }

    /// Service time of all its requests together, in microseconds: the target's
    /// time, waiting for locks and processors included.
    pub fn service_total_us(&self) -> f64 {
        self.service.mean() * self.service.len() as f64
    }

    pub fn rate(&self, plateau_s: u64) -> Reading {
        Reading::rate(self.ok_in_plateau, plateau_s)
    }
}
