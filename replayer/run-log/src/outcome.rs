//! What became of a planned request: exactly one of these.
//!
//! A new outcome is a variant here, its place in [`Outcome::ALL`] and its names: columns,
//! totals, sums and tables are made from these.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::{AddAssign, Index, IndexMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::count::Count;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// An answer was read to its end.
    Completed,
    TimedOut,
    ConnectFailed,
    /// The connection broke, or what came was not HTTP.
    Reset,
    TlsFailed,
    /// A value that it needs was not there.
    Unbound,
    /// Over the bound on what may be queued.
    Shed,
    /// Not done when the run ended.
    CutOff,
    /// The generator's own machine had no descriptor or port left.
    LocalLimit,
}

impl Outcome {
    /// In the order of the columns.
    pub const ALL: [Self; 9] = [
        Self::Completed,
        Self::TimedOut,
        Self::ConnectFailed,
        Self::Reset,
        Self::TlsFailed,
        Self::Unbound,
        Self::Shed,
        Self::CutOff,
        Self::LocalLimit,
    ];

    /// Its column in `timeline.csv` and its field in `run.json`.
    pub const fn column(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::TimedOut => "timed_out",
            Self::ConnectFailed => "connect_failed",
            Self::Reset => "reset",
            Self::TlsFailed => "tls_failed",
            Self::Unbound => "unbound",
            Self::Shed => "shed",
            Self::CutOff => "cut_off",
            Self::LocalLimit => "local_limit",
        }
    }

    /// Its name in `failures.csv` and `errors.jsonl`, such as `timed-out`.
    pub fn name(self) -> String {
        self.column().replace('_', "-")
    }

    /// Its name in a table that people read.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::TimedOut => "timed out",
            Self::ConnectFailed => "connect failed",
            Self::Reset => "reset",
            Self::TlsFailed => "TLS failed",
            Self::Unbound => "unbound",
            Self::Shed => "shed",
            Self::CutOff => "cut off at the end",
            Self::LocalLimit => "local limit",
        }
    }

    /// Several requests that ended so, in a sentence: "120 …".
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Completed => "answers",
            Self::TimedOut => "time-outs",
            Self::ConnectFailed => "refused connections",
            Self::Reset => "reset connections",
            Self::TlsFailed => "failed TLS handshakes",
            Self::Unbound => "requests without the value that they need",
            Self::Shed => "shed requests",
            Self::CutOff => "requests cut off at the end",
            Self::LocalLimit => "limits of the generator",
        }
    }

    /// Whether all that is known of the response time of such a request, once it was ready, is
    /// that it would have been longer than what it had waited. A reset is an end that the target
    /// made, as a failing answer is; what is unbound was nothing that could be answered.
    pub const fn is_censored(self) -> bool {
        !matches!(self, Self::Completed | Self::Reset | Self::Unbound)
    }

    /// All but [`Outcome::Completed`].
    pub fn without_answer() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|outcome| *outcome != Self::Completed)
    }

    pub(crate) fn of_column(column: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.column() == column)
    }
}

/// How many requests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    counts: [u64; Outcome::ALL.len()],
    /// Of outcomes that a later minor version of the format has.
    pub other: u64,
}

impl Outcomes {
    pub fn sum(&self) -> u64 {
        self.counts.iter().fold(self.other, |sum, count| sum.saturating_add(*count))
    }

    pub fn not_completed(&self) -> u64 {
        self.sum() - self[Outcome::Completed]
    }

    /// Each outcome with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL.into_iter().map(|outcome| (outcome, self[outcome]))
    }
}

impl Index<Outcome> for Outcomes {
    type Output = u64;

    fn index(&self, outcome: Outcome) -> &u64 {
        &self.counts[outcome as usize]
    }
}

impl IndexMut<Outcome> for Outcomes {
    fn index_mut(&mut self, outcome: Outcome) -> &mut u64 {
        &mut self.counts[outcome as usize]
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum = sum.saturating_add(count);
        }
        self.other = self.other.saturating_add(other.other);
    }
}

impl FromIterator<(Outcome, u64)> for Outcomes {
    fn from_iter<I: IntoIterator<Item = (Outcome, u64)>>(counts: I) -> Self {
        let mut outcomes = Self::default();
        for (outcome, count) in counts {
            outcomes[outcome] += count;
        }
        outcomes
    }
}

impl Sum for Outcomes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// The key of what is not known by name.
const OTHER: &str = "other";

impl Serialize for Outcomes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let other = (self.other > 0).then_some((OTHER, self.other));
        serializer.collect_map(self.iter().map(|(o, count)| (o.column(), count)).chain(other))
    }
}

impl<'de> Deserialize<'de> for Outcomes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = BTreeMap::<String, Count>::deserialize(deserializer)?;
        let mut found: BTreeMap<String, u64> =
            found.into_iter().map(|(name, Count(count))| (name, count)).collect();
        let mut outcomes = Self::default();
        for outcome in Outcome::ALL {
            outcomes[outcome] = found
                .remove(outcome.column())
                .ok_or_else(|| serde::de::Error::missing_field(outcome.column()))?;
        }
        outcomes.other = found.values().copied().fold(0, u64::saturating_add);
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_read_back_as_written_and_unknown_ones_are_kept_as_other() {
        let mut outcomes = Outcomes::default();
        for (count, outcome) in (1..).zip(Outcome::ALL) {
            outcomes[outcome] = count;
        }
        let text = serde_json::to_string(&outcomes).unwrap();
        assert!(text.starts_with(r#"{"completed":1,"timed_out":2,"#), "{text}");
        assert_eq!(serde_json::from_str::<Outcomes>(&text).unwrap(), outcomes);
        let newer = text.replace('}', r#","evaporated":7}"#);
        let read: Outcomes = serde_json::from_str(&newer).unwrap();
        assert_eq!((read.other, read.sum()), (7, outcomes.sum() + 7));
        let older = text.replace(r#""shed":7,"#, "");
        assert!(serde_json::from_str::<Outcomes>(&older).unwrap_err().to_string().contains("shed"));
    }

    #[test]
    fn every_outcome_stands_in_its_own_place() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
            assert_eq!(Outcome::of_column(outcome.column()), Some(outcome));
        }
    }
}
