//! What became of every request of a run, and whether it adds up.

use run_log::outcome::Outcomes;
use serde::Serialize;

use crate::summary::Summary;
use crate::units::{Figure, Unit};

/// The whole run: planned is the sum of outcomes, and what was sent is what the
/// target counted.
#[derive(Serialize)]
pub struct Account {
    pub planned: Figure,
    pub outcomes: Vec<OutcomeRow>,
    pub outcomes_sum: Figure,
    pub planned_is_sum: bool,
    pub planned_sent: Figure,
    pub renewals: Figure,
    pub retries: Figure,
    pub probes: Figure,
    /// In neither of the two sums that follow.
    pub observations: Figure,
    pub sent: Figure,
    pub target_counted: Figure,
    /// Requests counted by the target, minus those sent.
    pub difference: Figure,
    pub counts_agree: Option<bool>,
    pub failed_status: Figure,
    /// Sent with a value from another place of an answer than the recorded one.
    pub rebound: Figure,
    /// Not sent for lack of a value: through no fault of the target, and because it had failed the
    /// request that would have given it.
    pub unbound_by_tool: Figure,
    pub unbound_by_target: Figure,
    pub connections: Figure,
    pub bytes_sent: Figure,
    pub bytes_received: Figure,
}

#[derive(Serialize)]
pub struct OutcomeRow {
    pub outcome: &'static str,
    pub requests: Figure,
    pub share: Figure,
}

impl Account {
    pub(super) fn new(summary: &Summary) -> Self {
        let totals = &summary.run.totals;
        // A target that shows a count leaves its observers out of it.
        let sent = totals.planned_sent + totals.extra.of_users();
        let counted = summary.samples.requests_counted();
        let difference = counted.map(|counted| counted as f64 - sent as f64);
        Self {
            planned: Figure::count(totals.planned),
            outcomes: outcomes(&totals.outcomes),
            outcomes_sum: Figure::count(totals.outcomes.sum()),
            planned_is_sum: totals.planned == totals.outcomes.sum(),
            planned_sent: Figure::count(totals.planned_sent),
            renewals: Figure::count(totals.extra.renewals),
            retries: Figure::count(totals.extra.retries),
            probes: Figure::count(totals.extra.probes),
            observations: Figure::count(totals.extra.observations),
            sent: Figure::count(sent),
            target_counted: counted.map_or(Figure::none(Unit::Count), Figure::count),
            difference: difference.map_or(Figure::none(Unit::Count), |difference| {
                Figure::new(difference, Unit::Count)
            }),
            counts_agree: counted.map(|counted| counted == sent),
            failed_status: Figure::count(totals.failed_status),
            rebound: Figure::count(totals.rebound),
            unbound_by_tool: Figure::count(totals.unbound_by_tool()),
            unbound_by_target: Figure::count(totals.unbound_by_target),
            connections: Figure::count(totals.connections_opened),
            bytes_sent: bytes(totals.bytes_sent),
            bytes_received: bytes(totals.bytes_received),
        }
    }
}

fn outcomes(outcomes: &Outcomes) -> Vec<OutcomeRow> {
    let all = outcomes.sum();
    let known = outcomes.iter().map(|(outcome, requests)| (outcome.label(), requests));
    let other = (outcomes.other > 0).then_some(("other", outcomes.other));
    known
        .chain(other)
        .map(|(outcome, requests)| OutcomeRow {
            outcome,
            requests: Figure::count(requests),
            share: Figure::share(requests, all),
        })
        .collect()
}

fn bytes(bytes: u64) -> Figure {
    Figure::new(bytes as f64, Unit::Bytes)
}
