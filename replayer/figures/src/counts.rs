//! Planned requests of a span of seconds.

use run_log::outcome::{Outcome, Outcomes};
use run_log::timeline::Second;

use crate::Reading;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub ready: u64,
    pub sent: u64,
    pub failed_status: u64,
    pub status_4xx: u64,
    pub status_5xx: u64,
    pub outcomes: Outcomes,
}

impl Counts {
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Second>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.add(row);
        }
        counts
    }

    pub fn add(&mut self, row: &Second) {
        self.ready += row.ready;
        self.sent += row.sent;
        self.failed_status += row.failed_status;
        self.status_4xx += row.status_4xx;
        self.status_5xx += row.status_5xx;
        self.outcomes += row.outcomes;
    }

    /// Completed with a status that is a success.
    pub fn ok(&self) -> u64 {
        self.outcomes[Outcome::Completed] - self.failed_status
    }

    /// Planned requests that ended.
    pub fn ended(&self) -> u64 {
        self.outcomes.sum()
    }

    /// Not completed, or completed with a failure status.
    pub fn failed(&self) -> u64 {
        self.failed_status + self.outcomes.not_completed()
    }

    pub fn failures(&self) -> Reading {
        Reading::share(self.failed(), self.ended())
    }

    /// Not sent for lack of a value.
    pub fn unbound(&self) -> Reading {
        Reading::share(self.outcomes[Outcome::Unbound], self.ended())
    }

    /// What failed most, in words, and how often.
    pub fn main_cause(&self) -> Option<(&'static str, u64)> {
        // What failed and is of neither kind missed a check, or has a status that its scenario does
        // not list.
        let others = self.failed_status.saturating_sub(self.status_4xx + self.status_5xx);
        // Which of the answers failed is not told by kind: where there are several, the name of the
        // most frequent kind alone would be untrue of all.
        let kinds = [
            (self.status_5xx, "5xx answers", "failing answers, mostly 5xx"),
            (self.status_4xx, "4xx answers", "failing answers, mostly 4xx"),
            (
                others,
                "answers that missed a check or had an unexpected status",
                "failing answers, mostly of a missed check or an unexpected status",
            ),
        ];
        let there = kinds.iter().filter(|(count, ..)| *count > 0).count();
        let most = kinds.iter().rev().max_by_key(|(count, ..)| *count).unwrap_or(&kinds[0]);
        let status = if there > 1 { most.2 } else { most.1 };
        let without_answer =
            Outcome::without_answer().map(|outcome| (outcome.plural(), self.outcomes[outcome]));
        std::iter::once((status, self.failed_status))
            .chain(without_answer)
            .filter(|(_, count)| *count > 0)
            .max_by_key(|(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_and_is_neither_4xx_nor_5xx_missed_a_check_or_had_an_unexpected_status() {
        let cause = |failed_status, status_4xx, status_5xx| {
            Counts { failed_status, status_4xx, status_5xx, ..Counts::default() }.main_cause()
        };
        let other = "answers that missed a check or had an unexpected status";
        assert_eq!(cause(5, 0, 0), Some((other, 5)));
        let mostly_other = "failing answers, mostly of a missed check or an unexpected status";
        assert_eq!(cause(5, 2, 0), Some((mostly_other, 5)));
        assert_eq!(cause(5, 4, 0), Some(("failing answers, mostly 4xx", 5)));
        assert_eq!(cause(5, 5, 0), Some(("4xx answers", 5)));
        assert_eq!(cause(5, 3, 2), Some(("failing answers, mostly 4xx", 5)));
        assert_eq!(cause(5, 0, 5), Some(("5xx answers", 5)));
        assert_eq!(cause(0, 0, 0), None);
    }
}
