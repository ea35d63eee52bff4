//! A point a second, for the charts.

use run_log::format::LatencyKind;

use figures::{Few, Recorded};
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
#[derive(Default)]
pub(super) struct Points {
    done: Vec<Point>,
    second: u64,
    responses: Few,
    session_delay: Few,
}

impl Points {
    pub(super) fn add(&mut self, second: u64, kind: LatencyKind, recorded: &Recorded) {
        if second != self.second {
            self.flush();
            self.second = second;
        }
        match kind {
            LatencyKind::SessionDelay => self.session_delay.add(recorded),
            kind if kind.is_judged() => self.responses.add(recorded),
            _ => {}
        }
    }

    pub(super) fn finish(mut self) -> Vec<Point> {
        self.flush();
        self.done
    }

    fn flush(&mut self) {
        if !self.responses.is_empty() || !self.session_delay.is_empty() {
            let us = |value: Option<u64>| value.map(|us| us as f64);
            let of_responses = [Percentile::P50, Percentile::P95, Percentile::P99];
            let [p50_us, p95_us, p99_us] = self.responses.percentiles(of_responses).map(us);
            let [session_delay_p95_us] = self.session_delay.percentiles([Percentile::P95]).map(us);
            let second = self.second;
            self.done.push(Point { second, p50_us, p95_us, p99_us, session_delay_p95_us });
        }
        self.responses.clear();
        self.session_delay.clear();
    }
}
