//! The seconds gone by, and whether they are a reason to stop.

use std::collections::VecDeque;
use std::time::Duration;

use figures::judge::verdict;
use figures::stats::History;
use figures::{Plateau, Recorded, is_endpoint};

use crate::measure::Collector;
use crate::time::At;
use run_log::format::{EndedBy, Judgement, LoadHeld, Tag, Window};
use run_log::stats::StatsHistoryRow;
use run_log::timeline::Second;
use scenario::{Expectation, Load};

/// Seconds that a `--stop-on` condition is taken over.
const STOP_WINDOW: usize = 10;

/// The share of the users that may be refused a new login before the run is stopped.
const REFUSED_SHARE: f64 = 0.01;

/// What ends a run before its plan does.
#[derive(Clone, Debug)]
pub struct StopRule {
    condition: Expectation,
    /// From the start: until then it may hold.
    not_before: Duration,
}

impl StopRule {
    /// That of a load, if it has one.
    pub fn of(load: &Load) -> Option<Self> {
        let condition = load.stop_on.clone()?;
        Some(Self { condition, not_before: load.stop_not_before })
    }
}

/// A closed second, as a plateau takes it in.
type Closed = (Second, Vec<(Tag, Recorded)>);

/// What is remembered of the seconds gone by.
pub(crate) struct Seconds {
    stop: Option<StopRule>,
    /// What is due, by second; nothing by closed pacing.
    planned: Vec<u64>,
    /// The last [`STOP_WINDOW`] of them.
    window: VecDeque<Closed>,
    pub last_second: u64,
    history: History,
}

impl Seconds {
    pub(crate) fn new(stop: Option<StopRule>, planned: Vec<u64>) -> Self {
        let (window, history) = (VecDeque::new(), History::default());
        Self { stop, planned, window, last_second: 0, history }
    }

    pub(crate) fn close(
        &mut self,
        row: &Second,
        collector: &Collector,
        started: i64,
    ) -> StatsHistoryRow {
        self.last_second = row.second;
        if self.stop.is_some() {
            if self.window.len() == STOP_WINDOW {
                self.window.pop_front();
            }
            let recorded = collector.second.iter().map(|(tag, of)| (tag, Recorded::of(of)));
            self.window.push_back((*row, recorded.collect()));
        }
        self.history.row(started, row, &collector.second.responses(is_endpoint))
    }

    /// Of the window. Counted when it was noticed, since what became ready may end much later.
    fn load_held(&self) -> LoadHeld {
        let planned = |row: &Second| {
            let second = usize::try_from(row.second).unwrap_or(usize::MAX);
            self.planned.get(second).copied().unwrap_or(0)
        };
        self.window.iter().fold(LoadHeld::default(), |sum, (row, _)| LoadHeld {
            planned: sum.planned + planned(row),
            ready: sum.ready + row.ready,
        })
    }

    /// Why the run is to end, or its load, which is there until `load_end`: once it is gone, the
    /// condition to stop is none any more.
    pub(crate) fn reason_to_stop(
        &self,
        collector: &Collector,
        users: u64,
        load_end: At,
    ) -> Option<EndedBy> {
        if collector.logins_refused as f64 > users as f64 * REFUSED_SHARE {
            return Some(EndedBy::LoginsRefused);
        }
        let StopRule { condition, not_before } = self.stop.as_ref()?;
        let now = Duration::from_secs(self.last_second + 1);
        let is_over = At::START + now > load_end;
        if self.window.len() < STOP_WINDOW || now < *not_before || is_over {
            return None;
        }
        let mut plateau = Plateau::new(collector.names());
        let window = Window { end_s: u64::MAX, ..Window::default() };
        for (row, recorded) in &self.window {
            plateau.add_row(window, row);
            for (tag, recorded) in recorded {
                plateau.add(window, row.second, *tag, recorded).ok()?;
            }
        }
        plateau.load_held = Some(self.load_held());
        // So far.
        plateau.fidelity = collector.fidelity();
        let holds = verdict(condition, &plateau).result == Judgement::Met;
        holds.then(|| EndedBy::StopOn(condition.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use figures::Names;

    use super::*;

    /// The second at whose end the run is stopped, of one in which so many of 10 become ready.
    fn stopped_at(condition: &str, ready: impl Fn(u64) -> u64) -> Option<u64> {
        stopped_from(condition, Duration::ZERO, ready)
    }

    fn stopped_from(
        condition: &str,
        not_before: Duration,
        ready: impl Fn(u64) -> u64,
    ) -> Option<u64> {
        let collector = Collector::new(Names::default(), 1);
        let rule = StopRule { condition: condition.parse().unwrap(), not_before };
        let mut seconds = Seconds::new(Some(rule), vec![10; 60]);
        (0..60).find(|&second| {
            let row = Second { second, ready: ready(second), ..Second::default() };
            seconds.close(&row, &collector, 0);
            let load_end = At::START + Duration::from_secs(50);
            seconds.reason_to_stop(&collector, 100, load_end).is_some()
        })
    }

    #[test]
    fn without_the_load_nothing_is_a_condition_to_stop() {
        let stalls_at =
            |from| stopped_at("load_held < 50%", move |second| if second < from { 10 } else { 0 });
        assert_eq!(stalls_at(44), Some(49));
        assert_eq!(stalls_at(45), None);
    }

    #[test]
    fn a_load_that_is_not_held_is_a_reason_to_stop() {
        assert_eq!(stopped_at("load_held < 50%", |_| 10), None);
        assert_eq!(stopped_at("load_held < 50%", |_| 4), Some(9), "over ten seconds");
        // Six of the last ten seconds hold nothing.
        let stalls = |second| if second < 20 { 10 } else { 0 };
        assert_eq!(stopped_at("load_held < 50%", stalls), Some(25));
    }

    #[test]
    fn until_its_time_a_condition_may_hold() {
        let from = |not_before| {
            stopped_from("load_held < 50%", Duration::from_millis(not_before), |second| {
                if second < 20 { 0 } else { 10 }
            })
        };
        assert_eq!(from(0), Some(9));
        assert_eq!(from(15_000), Some(14), "at the end of the second that is over at 15 s");
        assert_eq!(from(15_001), Some(15));
        assert_eq!(from(25_000), None, "it holds no more by then");
    }
}
