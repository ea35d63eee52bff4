//! What is told of a series that changed, and which of them comes first.

use crate::summary::samples::is_drawn;
use crate::units::Figure;

/// Everything is measured once a second, and what is behind a symptom may be seen a second later
/// than what follows from it. Within these seconds the cause stands first.
const TOLD_APART_S: u64 = 2;

/// A series that left what it was.
#[derive(Debug, PartialEq)]
pub struct Symptom {
    /// When it began.
    pub second: u64,
    pub series: String,
    /// The most that it was at first.
    pub usual: Figure,
    /// What it was by the time that it was sure.
    pub then: Figure,
    pub(super) order: Order,
}

impl Symptom {
    /// Name of the chart that shows it; none where none does.
    pub fn chart(&self) -> Option<&'static str> {
        match self.order {
            Order::Lock | Order::Connections => Some("database"),
            Order::Processors => Some("target"),
            Order::Memory => is_drawn(&self.series).then_some("target"),
            Order::Descriptors | Order::Backlog => None,
            Order::Unanswered => Some("users"),
            Order::Failures => Some("failures"),
            Order::Latency => Some("latency"),
        }
    }
}

/// Of two that began together, what is nearer to a cause comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Lock,
    Connections,
    Processors,
    Memory,
    Descriptors,
    Backlog,
    Unanswered,
    Failures,
    Latency,
}

/// By when they began, and among those that began together by what is nearer to a cause.
pub(super) fn ordered(mut found: Vec<Symptom>) -> Vec<Symptom> {
    found.sort_by(|a, b| (a.second, a.order, &a.series).cmp(&(b.second, b.order, &b.series)));
    let mut begun = 0;
    while begun < found.len() {
        let first = found[begun].second;
        let together =
            found[begun..].iter().take_while(|of| of.second <= first + TOLD_APART_S).count();
        found[begun..begun + together].sort_by_key(|of| of.order);
        begun += together;
    }
    found
}
