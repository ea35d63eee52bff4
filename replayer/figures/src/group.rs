//! The figures of one endpoint or persona, or of all together.

use hdrhistogram::Histogram;
use run_log::format::LatencyKind;
use run_log::recorded::Recorded;

use scenario::Percentile;

use crate::Reading;
use crate::times::{self, ResponseTimes};

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
    /// Time since due of successes.
    since_due: Histogram<u64>,
    /// The generator share.
    pub lag: Histogram<u64>,
    /// Of what [`ResponseTimes::judged`] holds, less the generator share.
    responses_less_lag: Histogram<u64>,
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
            since_due: times::histogram(),
            lag: times::histogram(),
            responses_less_lag: times::histogram(),
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
            LatencyKind::SinceDue => recorded.add_to(&mut self.since_due),
            LatencyKind::Lag => recorded.add_to(&mut self.lag),
            LatencyKind::ResponseLessLag => recorded.add_to(&mut self.responses_less_lag),
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

    /// Service time at a percentile of the completed requests and of those without an answer.
    /// How long the target took for these is unknown: they count as longer than all others.
    pub fn service_percentile(&self, percentile: Percentile) -> Reading {
        self.percentile_of(&self.service, percentile)
    }

    /// Time since due at a percentile of the successes and of what had no answer, which counts
    /// as longer than all others. None by closed pacing, where nothing is due.
    pub fn since_due(&self, percentile: Percentile) -> Reading {
        self.percentile_of(&self.since_due, percentile)
    }

    /// The longest time since due; more where something had no answer.
    pub fn since_due_max(&self) -> Reading {
        let max = times::max(&self.since_due);
        Reading { at_least: max.value.is_some() && self.responses.censored() > 0, ..max }
    }

    /// The generator share at a percentile of the requests that have one.
    pub fn lag_percentile(&self, percentile: Percentile) -> Reading {
        let rank = percentile.rank(self.lag.len());
        times::at_rank(&self.lag, rank).map_or(Reading::NONE, |value| Reading::exact(value as f64))
    }

    fn percentile_of(&self, times: &Histogram<u64>, percentile: Percentile) -> Reading {
        let answered = times.len();
        let rank = percentile.rank(answered + self.responses.censored());
        if rank > answered {
            return Reading { at_least: answered > 0, ..times::max(times) };
        }
        times::at_rank(times, rank).map_or(Reading::NONE, |value| Reading::exact(value as f64))
    }

    /// Response times less the generator share, of successes and of what had no answer; none
    /// where they were not kept.
    pub(crate) fn responses_less_lag(&self) -> Option<&Histogram<u64>> {
        let kept = self.responses_less_lag.len();
        (kept == self.responses.count()).then_some(&self.responses_less_lag)
    }

    /// Of the completed requests; that or more where others had no answer, which count as
    /// longer than these.
    pub fn service_mean(&self) -> Reading {
        let mean = times::mean(&self.service);
        Reading { at_least: mean.value.is_some() && self.responses.censored() > 0, ..mean }
    }

    /// Service time of all completed requests together, in microseconds: the target's
    /// time, waiting for locks and processors included.
    fn service_total_us(&self) -> f64 {
        self.service.mean() * self.service.len() as f64
    }

    /// Of the service time of all completed requests, that of these. The target's time for what
    /// got no answer is in neither: where there is such, the share is that or more.
    pub fn service_share(&self, all: &Self) -> Reading {
        let share = Reading::exact(self.service_total_us() / all.service_total_us());
        Reading { at_least: share.value.is_some() && self.responses.censored() > 0, ..share }
    }

    pub fn rate(&self, plateau_s: f64) -> Reading {
        Reading::rate(self.ok_in_plateau, plateau_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u64, us: u64) -> Recorded {
        let mut histogram = times::histogram();
        histogram.record_n(us, count).unwrap();
        Recorded::of(&histogram)
    }

    #[test]
    fn service_times_that_reach_into_requests_without_an_answer_are_lower_bounds() {
        let mut group = Group::named("GET /");
        assert_eq!(group.service_percentile(Percentile::P95), Reading::NONE);
        for ms in 1..=96 {
            group.add(LatencyKind::Service, &of(1, ms * 10), true);
        }
        assert!(!group.service_mean().at_least);
        group.add(LatencyKind::Censored, &of(4, 5), true);
        // Of 100, the last four are longer than all that is known.
        assert_eq!(group.service_percentile(Percentile::P95), Reading::exact(950.0));
        let p99 = group.service_percentile(Percentile::P99);
        assert_eq!(p99, Reading { value: Some(960.0), at_least: true });
        assert!(group.service_mean().at_least);
        let share =
            |of: &Group| (of.service_share(&group).value, of.service_share(&group).at_least);
        assert_eq!(share(&group), (Some(1.0), true));
        assert_eq!(share(&Group::named("GET /answered")), (Some(0.0), false));

        let mut hung = Group::named("GET /hung");
        hung.add(LatencyKind::Censored, &of(4, 5), true);
        assert_eq!(hung.service_percentile(Percentile::P50), Reading::NONE);
        assert_eq!(hung.service_mean(), Reading::NONE);
    }
}
