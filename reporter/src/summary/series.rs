//! A point a second, for the charts.

use hdrhistogram::Histogram;
use run_log::format::LatencyKind;

use figures::{Recorded, ResponseTimes, value_at};
use scenario::Percentile;

/// Percentiles of one second, in microseconds; none where nothing ended in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Point {
    pub second: u64,
    pub p50_us: Option<f64>,
    pub p95_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub session_delay_p95_us: Option<f64>,
}

/// Turns intervals, in order of their seconds, into points.
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
            session_delay: figures::histogram(),
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
            LatencyKind::SessionDelay => recorded.add_to(&mut self.session_delay),
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
                p50_us: self.responses.percentile(Percentile::P50).value,
                p95_us: self.responses.percentile(Percentile::P95).value,
                p99_us: self.responses.percentile(Percentile::P99).value,
                session_delay_p95_us: value_at(&self.session_delay, Percentile::P95)
                    .map(|us| us as f64),
            });
        }
        self.responses.clear();
        self.session_delay.reset();
    }
}
