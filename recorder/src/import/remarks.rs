//! What the user should know about an import.

use std::collections::BTreeMap;

/// Times of a trace end there, [`trace::format::LAST_AT`] after 1970.
pub(super) const TOO_LATE: &str = "requests dated after the year 2254 (skipped)";
/// What is left out because of [`trace::wire`].
pub(super) const UNSENDABLE: &str = "requests that cannot be sent as they stand there (skipped)";

/// How many descriptions are told apart: names of a file's own are in some of them.
const MOST_KINDS: usize = 1000;
const OTHERS: &str = "of many other kinds";

/// How many reasons are named where nothing is left.
const MOST_WHY: usize = 4;

/// Counts of what was left out or is not known, by description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remarks(BTreeMap<String, u64>);

impl Remarks {
    pub fn count(&mut self, what: &str) {
        self.add(what, 1);
    }

    pub fn add(&mut self, what: &str, count: u64) {
        let is_known = self.0.contains_key(what) || self.0.len() < MOST_KINDS;
        let what = if is_known { what } else { OTHERS };
        *self.0.entry(what.to_owned()).or_default() += count;
    }

    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }

    /// Why nothing of a file is left, as far as it is known.
    pub(super) fn nothing(&self) -> String {
        let nothing = "it has no request that could be replayed";
        let why: Vec<String> =
            self.iter().map(|(what, count)| format!("{count} {what}")).take(MOST_WHY).collect();
        if why.is_empty() { nothing.to_owned() } else { format!("{nothing}: {}", why.join(", ")) }
    }
}
