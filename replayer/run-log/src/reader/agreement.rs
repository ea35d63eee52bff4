//! Whether the files of a run directory tell of the same requests.
//!
//! Each second's row and the histograms of that second count the same ones, and so do all rows
//! together and `run.json`: a row or a histogram that was lost, written twice or changed shows,
//! and figures are made of no such run.

use crate::format::{LatencyKind, Run, Scope, State, Tag};
use crate::outcome::{Outcome, Outcomes};
use crate::timeline::Second;

/// Takes in what is read of a run, row by row and interval by interval. It keeps two numbers
/// for each second.
#[derive(Debug, Default)]
pub struct Agreement {
    /// Requests that ended, by second, as `timeline.csv` has them.
    rows: Vec<u64>,
    /// The same as `latency.hlog` has them, by endpoint and by persona.
    of_endpoints: Vec<u64>,
    of_personas: Vec<u64>,
    outcomes: Outcomes,
    failed_status: u64,
    sent: u64,
    /// Of the kinds of `latency.hlog`.
    answered: u64,
    failed: u64,
}

impl Agreement {
    /// # Errors
    /// In words, when it is not the second after that of the row before.
    pub fn row(&mut self, row: &Second) -> Result<(), String> {
        let expected = self.rows.len() as u64;
        if row.second != expected {
            return Err(format!("timeline.csv has no row of second {expected}"));
        }
        self.rows.push(row.done());
        self.outcomes += row.outcomes;
        self.failed_status = self.failed_status.saturating_add(row.failed_status);
        self.sent = self.sent.saturating_add(row.sent);
        Ok(())
    }

    /// Takes how many values a tag recorded in a second; that may come before its row.
    pub fn interval(&mut self, second: u64, tag: Tag, count: u64) {
        use LatencyKind::{Censored, Lost, ResponseFailed, ResponseOk};
        if !matches!(tag.kind, ResponseOk | ResponseFailed | Censored | Lost) {
            return;
        }
        let by_second = match tag.scope {
            Scope::Endpoint(_) => &mut self.of_endpoints,
            Scope::Persona(_) => &mut self.of_personas,
        };
        // What lies behind all rows is one sum: its second may be any number.
        let at = usize::try_from(second).map_or(self.rows.len(), |at| at.min(self.rows.len()));
        if by_second.len() <= at {
            by_second.resize(at + 1, 0);
        }
        by_second[at] = by_second[at].saturating_add(count);
        if let Scope::Endpoint(_) = tag.scope {
            if matches!(tag.kind, ResponseOk | ResponseFailed) {
                self.answered = self.answered.saturating_add(count);
            }
            if tag.kind == ResponseFailed {
                self.failed = self.failed.saturating_add(count);
            }
        }
    }

    /// Once all was taken in. Of a run that was killed the last second may lack anything, and
    /// `run.json` has no totals yet.
    ///
    /// # Errors
    /// In words, with the first that does not agree.
    pub fn check(&self, run: &Run) -> Result<(), String> {
        let is_finished = run.state == State::Finished;
        let logged = self.of_endpoints.len().min(self.of_personas.len());
        let seconds = if is_finished {
            self.rows.len().max(self.of_endpoints.len()).max(self.of_personas.len())
        } else {
            self.rows.len().min(logged).saturating_sub(1)
        };
        let of = |counts: &[u64], second: usize| counts.get(second).copied().unwrap_or(0);
        for second in 0..seconds {
            let row = of(&self.rows, second);
            for (counts, whose) in
                [(&self.of_endpoints, "endpoints"), (&self.of_personas, "personas")]
            {
                let logged = of(counts, second);
                if row != logged {
                    return Err(format!(
                        "in second {second} timeline.csv counts {row} requests, \
                         latency.hlog {logged} by {whose}"
                    ));
                }
            }
        }
        if !is_finished {
            return Ok(());
        }
        let totals = &run.totals;
        let named = Outcome::ALL
            .map(|outcome| (outcome.label(), self.outcomes[outcome], totals.outcomes[outcome]));
        let sums = [
            ("of other outcomes", self.outcomes.other, totals.outcomes.other),
            ("failed by their status", self.failed_status, totals.failed_status),
            ("sent", self.sent, totals.planned_sent),
        ];
        for (what, rows, total) in named.into_iter().chain(sums) {
            if rows != total {
                return Err(format!(
                    "timeline.csv counts {rows} requests {what}, run.json {total}"
                ));
            }
        }
        let completed = totals.outcomes[Outcome::Completed];
        for (what, logged, total) in [
            ("completed", self.answered, completed),
            ("failed by their status", self.failed, totals.failed_status),
        ] {
            if logged != total {
                return Err(format!(
                    "latency.hlog counts {logged} requests {what}, run.json {total}"
                ));
            }
        }
        Ok(())
    }
}
