//! The whole run as points of its charts, however long it is.

use serde::{Serialize, Serializer};

/// When there are so many, two and two become one: 2 h of seconds, and from then on at least half
/// as many points of the whole run.
const MOST: usize = 7_200;

/// What the charts show of a second, or of as many as a step has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub second: u64,
    /// At its end.
    pub users: u64,
    pub in_flight: u64,
    /// Means of the seconds.
    pub sent: f64,
    pub done: f64,
    pub failed: f64,
    /// In milliseconds, the highest of the seconds; none where nothing ended.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub lag: f64,
    /// Percent of a core, mean.
    pub cpu: f64,
}

impl Point {
    /// One of both, each of as many seconds.
    fn and(self, later: Self) -> Self {
        let mean = |one: f64, other: f64| (one + other) / 2.0;
        Self {
            second: self.second,
            users: later.users,
            in_flight: later.in_flight,
            sent: mean(self.sent, later.sent),
            done: mean(self.done, later.done),
            failed: mean(self.failed, later.failed),
            // None is less than any.
            p50: if self.p50 > later.p50 { self.p50 } else { later.p50 },
            p95: if self.p95 > later.p95 { self.p95 } else { later.p95 },
            p99: if self.p99 > later.p99 { self.p99 } else { later.p99 },
            lag: self.lag.max(later.lag),
            cpu: mean(self.cpu, later.cpu),
        }
    }
}

/// In the order of the page's columns.
impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { second, users, in_flight, sent, done, failed, p50, p95, p99, lag, cpu } = self;
        (second, users, in_flight, sent, done, failed, p50, p95, p99, lag, cpu)
            .serialize(serializer)
    }
}

#[derive(Serialize)]
pub(super) struct History {
    /// Seconds that a point is of.
    step: u64,
    points: Vec<Point>,
    /// Of a step that is not whole yet, with how many seconds it has.
    #[serde(skip)]
    open: Option<(Point, u64)>,
}

/// What became of a second.
#[derive(Debug, PartialEq)]
pub(super) enum Added {
    /// It is a new point, or completed one.
    Point(Point),
    /// It is part of a step that is not whole.
    Nothing,
    /// All points are others now.
    Folded,
}

impl Default for History {
    fn default() -> Self {
        Self { step: 1, points: Vec::new(), open: None }
    }
}

impl History {
    pub(super) fn add(&mut self, point: Point) -> Added {
        let (sum, seconds) = match self.open.take() {
            None => (point, 1),
            // Weighted, as what there is has more seconds than the new one.
            Some((sum, seconds)) => (with(sum, seconds, point), seconds + 1),
        };
        if seconds < self.step {
            self.open = Some((sum, seconds));
            return Added::Nothing;
        }
        self.points.push(sum);
        if self.points.len() < MOST {
            return Added::Point(sum);
        }
        self.points = self.points.chunks(2).map(|two| two[0].and(two[two.len() - 1])).collect();
        self.step *= 2;
        Added::Folded
    }
}

/// A sum of so many seconds, and one more.
fn with(sum: Point, seconds: u64, point: Point) -> Point {
    let n = seconds as f64;
    let mean = |one: f64, other: f64| (one * n + other) / (n + 1.0);
    Point {
        sent: mean(sum.sent, point.sent),
        done: mean(sum.done, point.done),
        failed: mean(sum.failed, point.failed),
        cpu: mean(sum.cpu, point.cpu),
        ..sum.and(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_a_run_is_its_points_are_of_all_of_it_and_bounded() {
        let mut history = History::default();
        let mut folded = 0;
        let seconds = 4 * MOST as u64;
        for second in 0..seconds {
            let p99 = (second == 1_234).then_some(9.0);
            let done = if second % 2 == 0 { 10.0 } else { 20.0 };
            let added = history.add(Point { second, done, p99, ..Point::default() });
            folded += u64::from(added == Added::Folded);
            assert!(history.points.len() < MOST);
        }
        assert_eq!((folded, history.step), (3, 8));
        assert_eq!(history.points.len() as u64 * history.step, seconds);
        assert!(history.points.iter().all(|point| (point.done - 15.0).abs() < 1e-9));
        assert_eq!(history.points.iter().filter(|point| point.p99 == Some(9.0)).count(), 1);
        assert!((0..).zip(&history.points).all(|(n, point)| point.second == n * 8));
    }
}
