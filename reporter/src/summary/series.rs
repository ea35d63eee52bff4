//! A point a second, for the charts.

use hdrhistogram::Histogram;
use replayer::run_log::format::LatencyKind;

use super::times::{self, Recorded, ResponseTimes};

/// Percentiles of one second, in microseconds; none where nothing ended in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Point {
    pub second: u64,
    pub p50_us: Option<f64>,
    pub p95_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub session_delay_p95_us: Option<f64>,
}

/// Makes points from intervals that come second by second.
pub(super) struct Points {
    done: Vec<Point>,
    second: u64,
    responses: ResponseTimes,
    session_delay: Histogram<u64>,
}

impl Default for Points {
    fn default() -> Self {
        Self {
            done: Vec::new(),
            second: 0,
            responses: ResponseTimes::default(),
            session_delay: times::histogram(),
        }
    }
}

impl Points {
    pub(super) fn add(&mut self, second: u64, kind: LatencyKind, recorded: &Recorded) {
        if second != self.second {
            self.flush();
            self.second = second;
        }
        match kind {
            LatencyKind::SessionDelay => times::add(&mut self.session_delay, recorded),
            _ => self.responses.add(kind, recorded),
        }
    }

    pub(super) fn finish(mut self) -> Vec<Point> {
        self.flush();
        self.done
    }

    fn flush(&mut self) {
        if !self.responses.is_empty() || !self.session_delay.is_empty() {
            self.done.push(Point {
                second: self.second,
                p50_us: self.responses.percentile(50.0).value,
                p95_us: self.responses.percentile(95.0).value,
                p99_us: self.responses.percentile(99.0).value,
                session_delay_p95_us: times::percentile(&self.session_delay, 95.0).value,
            });
        }
        self.responses.clear();
        self.session_delay.reset();
    }
}
