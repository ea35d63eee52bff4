//! What a target made of what was tried: logins, reads and writes.

use std::collections::{BTreeMap, BTreeSet};

use common::shown;

use super::table::{Check, Row, State, few};
use crate::measure::{FidelityCheck, Sample};
use run_log::format::ErrorSample;

/// What a request is to a preflight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a prologue, and writes.
    Login,
    Read,
    Write,
}

/// So many failures, or names of what was not tried, are in a row.
const MOST_NAMED: usize = 5;

/// Characters of an answer that are shown in a row.
const MOST_SHOWN: usize = 160;

/// Of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    pub(super) tried: u64,
    pub(super) failed: u64,
    /// Answers of another status than the recorded one that are no failures.
    pub(super) others: u64,
}

impl Answers {
    pub(super) fn add(&mut self, sample: &Sample) {
        self.tried += 1;
        self.failed += u64::from(sample.is_failed);
        let is_other = matches!(sample.fidelity, FidelityCheck::Status { same: false });
        self.others += u64::from(is_other && !sample.is_failed);
    }

    /// None where none was tried.
    pub(super) fn row(self, check: Check, failures: &[&ErrorSample]) -> Option<Row> {
        let Self { tried, failed, others } = self;
        if tried == 0 {
            return None;
        }
        if failed > 0 {
            let each = few(failures_alike(failures), MOST_NAMED, "; ");
            let says = format!("{failed} of {tried} failed: {each}");
            return Some(Row::new(check, State::Failed, says));
        }
        let as_recorded = tried - others;
        let others = match others {
            0 => String::new(),
            others => format!(", {others} with another status that is no failure"),
        };
        let says = format!("{as_recorded} of {tried} answered as recorded{others}");
        Some(Row::new(check, State::Good, says))
    }
}

/// What was left out, the first few by name.
pub(super) fn not_tried(names: &BTreeMap<String, u64>) -> String {
    let names = names.iter().map(|(name, count)| format!("{name} ({count})"));
    format!("{}: they write, or need what a write gives", few(names, MOST_NAMED, ", "))
}

/// A persona's login.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) persona: String,
    /// None where it logs in with no account of the manifest.
    pub(super) account: Option<String>,
    pub(super) state: State,
    /// How it was refused.
    pub(super) answer: Option<String>,
}

impl Login {
    pub(super) fn row(&self) -> Row {
        let Self { persona, account, state, answer } = self;
        let account = match account {
            Some(account) => format!("as {account}"),
            None => "without an account".to_owned(),
        };
        let more = match (state, answer) {
            (State::NotTried, _) => ": its login may change more than that",
            (_, Some(answer)) => &format!(": {}", shown::shortened(answer, MOST_SHOWN)),
            (_, None) => "",
        };
        Row::new(Check::Login, *state, format!("{persona} {account}{more}"))
    }
}

/// How a request failed.
pub fn answer(sample: &ErrorSample) -> String {
    match (sample.status, &sample.body) {
        (Some(status), Some(body)) => format!("{status} {body}"),
        (Some(status), None) => status.to_string(),
        (None, _) => sample.outcome.clone(),
    }
}

/// Failures, what is the same once.
fn failures_alike(samples: &[&ErrorSample]) -> Vec<String> {
    let mut alike: BTreeMap<Alike<'_>, Vec<&ErrorSample>> = BTreeMap::new();
    for sample in samples {
        alike.entry(Alike::of(sample)).or_default().push(sample);
    }
    let in_words = |(Alike { endpoint, persona, .. }, samples): (Alike<'_>, Vec<&ErrorSample>)| {
        let answer = answer(samples[0]);
        let answer = shown::shortened(&answer, MOST_SHOWN);
        let bodies: BTreeSet<_> = samples.iter().map(|sample| sample.body.as_deref()).collect();
        let times = match (samples.len(), bodies.len()) {
            (1, _) => String::new(),
            (times, 1) => format!(" ({times} times)"),
            (times, texts) => format!(" ({times} times, with {texts} different texts)"),
        };
        format!("{endpoint} of {persona}: {answer}{times}")
    };
    alike.into_iter().map(in_words).collect()
}

/// What failures have in common that are shown as one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    endpoint: &'a str,
    persona: &'a str,
    outcome: &'a str,
    status: Option<u16>,
}

impl<'a> Alike<'a> {
    fn of(sample: &'a ErrorSample) -> Self {
        let ErrorSample { endpoint, persona, outcome, status, .. } = sample;
        Self { endpoint, persona, outcome, status: *status }
    }
}
