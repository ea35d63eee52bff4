//! The seconds gone by, and whether they are a reason to stop.

use std::collections::VecDeque;

use figures::judge::verdict;
use figures::stats::History;
use figures::{Plateau, Recorded, is_endpoint};

use crate::measure::Collector;
use run_log::format::{EndedBy, Judgement, Tag, Window};
use run_log::stats::StatsHistoryRow;
use run_log::timeline::Second;
use scenario::Expectation;

/// Seconds that a `--stop-on` condition is taken over.
const STOP_WINDOW: usize = 10;

/// The share of the users that may be refused a new login before the run is stopped.
const REFUSED_SHARE: f64 = 0.01;

/// A closed second, as a plateau takes it in.
type Closed = (Second, Vec<(Tag, Recorded)>);

/// What is remembered of the seconds gone by.
pub(super) struct Seconds {
    stop_on: Option<Expectation>,
    /// The last [`STOP_WINDOW`] of them.
    window: VecDeque<Closed>,
    pub last_second: u64,
    history: History,
}

impl Seconds {
    pub(super) fn new(stop_on: Option<Expectation>) -> Self {
        Self { stop_on, window: VecDeque::new(), last_second: 0, history: History::default() }
    }

    pub(super) fn close(
        &mut self,
        row: &Second,
        collector: &Collector,
        started: i64,
    ) -> StatsHistoryRow {
        self.last_second = row.second;
        if self.stop_on.is_some() {
            if self.window.len() == STOP_WINDOW {
                self.window.pop_front();
            }
            let recorded = collector.second.iter().map(|(tag, of)| (tag, Recorded::of(of)));
            self.window.push_back((*row, recorded.collect()));
        }
        self.history.row(started, row, &collector.second.responses(is_endpoint))
    }

    pub(super) fn reason_to_stop(&self, collector: &Collector, users: u64) -> Option<EndedBy> {
        if collector.logins_refused as f64 > users as f64 * REFUSED_SHARE {
            return Some(EndedBy::LoginsRefused);
        }
        let condition = self.stop_on.as_ref()?;
        if self.window.len() < STOP_WINDOW {
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
        let holds = verdict(condition, &plateau).result == Judgement::Met;
        holds.then(|| EndedBy::StopOn(condition.to_string()))
    }
}
