//! Whether the target was again what it was at the first step, once the load was taken away.
//!
//! The bounds are the worst second of the first step: its highest p95 and its highest share of
//! failures. The target has recovered at the first second from which [`CONFIRMED`] in a row, of
//! those that say something, are within both. A second in which nothing ended says nothing, and one
//! in which nothing was answered is within nothing.

use std::collections::VecDeque;

use run_log::format::{Phase, Run, Window};
use run_log::outcome::Outcome;
use run_log::phase::{RECOVERY, first_step};
use run_log::recovery::{Level, Recovered, Recovery};
use run_log::timeline::Second;

use crate::{Counts, Reading};

/// So many seconds in a row.
pub const CONFIRMED: usize = 5;

/// Follows a run, a second at a time.
#[derive(Clone, Debug)]
pub struct Watch {
    first_step: Window,
    /// The seconds without the load.
    without: Window,
    /// Of the first step the worst of each; none before something ended in it.
    allowed: Option<Level>,
    /// Something ended without the load.
    is_begun: bool,
    /// Where the row of seconds within the bounds began, and how many they are.
    row: Option<(u64, usize)>,
    answered: u64,
    /// The last [`CONFIRMED`] that said something.
    last: VecDeque<Level>,
}

impl Watch {
    /// Of a run with these phases; none where they have no first step with a second of its own.
    pub fn of(phases: &[Phase]) -> Option<Self> {
        let first_step = first_step(phases)?.window;
        let without = phases.iter().find(|phase| phase.name == RECOVERY);
        Some(Self {
            first_step,
            without: without.map_or(Window::new(u64::MAX, 0.0), |phase| phase.window),
            allowed: None,
            is_begun: false,
            row: None,
            answered: 0,
            last: VecDeque::new(),
        })
    }

    /// Tells in which seconds there is no load any more.
    pub fn during(&mut self, window: Window) {
        self.without = window;
    }

    /// Takes in a second, in their order; `p95` is of the response times that ended in it.
    pub fn second(&mut self, row: &Second, p95: Reading) {
        let counts = Counts::of([row]);
        if counts.ended() == 0 {
            return;
        }
        let level = Level { p95_us: p95.value, failures: counts.failures().value.unwrap_or(0.0) };
        if self.without.contains(row.second) {
            self.without_it(row.second, level, counts.outcomes[Outcome::Completed]);
        } else if self.first_step.contains(row.second) {
            self.allowed = Some(self.allowed.map_or(level, |allowed| allowed.worst(level)));
        }
    }

    fn without_it(&mut self, second: u64, level: Level, answered: u64) {
        if self.has_recovered() {
            return;
        }
        self.is_begun = true;
        self.answered += answered;
        if self.last.len() == CONFIRMED {
            self.last.pop_front();
        }
        self.last.push_back(level);
        let is_within = answered > 0 && self.first_step().is_some_and(|of| level.is_within(of));
        self.row = match self.row {
            _ if !is_within => None,
            None => Some((second, 1)),
            Some((since, seconds)) => Some((since, seconds + 1)),
        };
    }

    /// What there is to go back to: nothing, where nothing succeeded in the first step.
    fn first_step(&self) -> Option<Level> {
        self.allowed.filter(|level| level.p95_us.is_some())
    }

    /// Whether there is nothing more to wait for.
    pub fn is_over(&self) -> bool {
        self.has_recovered() || self.is_begun && self.first_step().is_none()
    }

    fn has_recovered(&self) -> bool {
        self.row.is_some_and(|(_, seconds)| seconds >= CONFIRMED)
    }

    /// What it came to, of a run with a bound on its recovery; none where nothing was measured of
    /// that, because the run ended before its load was taken away, or nothing succeeded at first.
    pub fn result(&self, run: &Run) -> Option<Recovery> {
        let bound_s = run.config.recovery_s?;
        let (allowed, load_end_s) = (self.first_step()?, run.plateau.end());
        if self.without.start_s >= self.without.end_s {
            return None;
        }
        let recovered_at = self.row.filter(|_| self.has_recovered()).map(|(since, _)| since);
        let recovered = match recovered_at {
            Some(_) => Recovered::Recovered,
            // As far as a float tells.
            None if self.without.end() + 1e-3 < load_end_s + bound_s => Recovered::CutShort,
            None if self.answered == 0 => Recovered::Dead,
            None => Recovered::NotWithin,
        };
        Some(Recovery {
            result: recovered,
            after_s: recovered_at.map(|second| (second as f64 - load_end_s).max(0.0)),
            first_step: allowed,
            last: self.last.iter().copied().reduce(Level::worst),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first step is seconds 0 to 3, the load ends at 9.5, and the bound is 20 s.
    fn watched(until: u64, second: impl Fn(u64) -> (u64, u64, u64)) -> (Watch, Run) {
        let golden = include_str!("../../../fixtures/runs/04-stress/run.json");
        let mut run: Run = serde_json::from_str(golden).unwrap();
        run.config.recovery_s = Some(20.0);
        run.plateau = Window::new(0, 9.5);
        let phase = |name: &str, start_s, end_s| {
            let window = Window::new(start_s, end_s);
            Phase { name: name.to_owned(), window, users: 1, load_held: None }
        };
        let end_s = (until as f64).min(29.5);
        let phases = [phase("step 1", 0, 4.0), phase("step 2", 4, 9.5), phase(RECOVERY, 10, end_s)];
        let mut watch = Watch::of(&phases).unwrap();
        for number in 0..until {
            let (answered, failed, us) = second(number);
            let mut row = Second { second: number, failed_status: failed, ..Second::default() };
            row.outcomes[Outcome::Completed] = answered;
            let p95 = if answered > failed { Reading::exact(us as f64) } else { Reading::NONE };
            watch.second(&row, p95);
        }
        (watch, run)
    }

    fn came_to(until: u64, second: impl Fn(u64) -> (u64, u64, u64)) -> (Recovered, Option<f64>) {
        let (watch, run) = watched(until, second);
        let found = watch.result(&run).unwrap();
        assert_eq!(found.result == Recovered::Recovered, watch.is_over());
        (found.result, found.after_s)
    }

    #[test]
    fn it_recovers_at_the_first_of_five_seconds_in_a_row_that_are_as_at_the_first_step() {
        // The second of the first step that is worst, and not one of a later one.
        let slow_until = |end| {
            move |second| match second {
                2 => (10, 1, 90),
                0..4 => (10, 0, 50),
                _ if second < end => (10, 0, 91),
                _ => (10, 1, 90),
            }
        };
        assert_eq!(came_to(30, slow_until(0)), (Recovered::Recovered, Some(0.5)));
        assert_eq!(came_to(30, slow_until(17)), (Recovered::Recovered, Some(7.5)));
        assert_eq!(came_to(30, slow_until(25)), (Recovered::Recovered, Some(15.5)));
        assert_eq!(came_to(30, slow_until(26)), (Recovered::NotWithin, None), "four in a row");
        // One that is not starts the row anew.
        let relapses = |second| if second == 14 { (10, 2, 50) } else { slow_until(0)(second) };
        assert_eq!(came_to(30, relapses), (Recovered::Recovered, Some(5.5)));
        // What ends while it drains is not of it.
        assert_eq!(came_to(31, slow_until(26)), (Recovered::NotWithin, None));
    }

    #[test]
    fn a_second_in_which_nothing_ended_says_nothing() {
        let rarely = |second: u64| match second {
            4..10 => (10, 9, 500),
            _ if second.is_multiple_of(2) => (10, 0, 50),
            _ => (0, 0, 0),
        };
        assert_eq!(came_to(30, rarely), (Recovered::Recovered, Some(0.5)));
        let four = |second| if second > 16 { (0, 0, 0) } else { rarely(second) };
        assert_eq!(came_to(30, four), (Recovered::NotWithin, None));
    }

    #[test]
    fn one_that_stays_slow_one_that_goes_on_failing_and_one_that_is_dead_are_told_apart() {
        let then =
            |after: (u64, u64, u64)| move |second| if second < 10 { (10, 0, 50) } else { after };
        let last = |after| {
            let (watch, run) = watched(30, then(after));
            let found = watch.result(&run).unwrap();
            (found.result, found.last.map(|level| (level.p95_us, level.failures)))
        };
        assert_eq!(last((10, 0, 700)), (Recovered::NotWithin, Some((Some(700.0), 0.0))));
        assert_eq!(last((10, 5, 50)), (Recovered::NotWithin, Some((Some(50.0), 0.5))));
        assert_eq!(last((10, 10, 0)), (Recovered::NotWithin, Some((None, 1.0))));
        assert_eq!(last((0, 0, 0)), (Recovered::Dead, None));
        // Ended before its time, it says nothing of the rest.
        assert_eq!(came_to(20, then((0, 0, 0))), (Recovered::CutShort, None));
    }

    #[test]
    fn where_nothing_succeeded_at_the_first_step_there_is_nothing_to_go_back_to() {
        let failing = |_| (10, 10, 0);
        for (until, is_over) in [(10, false), (11, true), (30, true)] {
            let (watch, run) = watched(until, failing);
            assert_eq!((watch.is_over(), watch.result(&run)), (is_over, None), "{until}");
        }
        let (watch, run) = watched(30, |_| (0, 0, 0));
        assert!(watch.result(&run).is_none() && !watch.is_over());
    }
}
