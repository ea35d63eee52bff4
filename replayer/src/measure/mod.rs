//! From single requests to seconds, histograms and totals.
//!
//! Worker threads note a [`Sample`] for every request that ended, and hand
//! over a [`Batch`] once a second. The collector's thread does the rest, so
//! that measuring costs the workers a few stores a request.

mod collector;
mod occurrences;
mod sample;
mod usage;

pub(crate) use collector::OF_THE_RUN;
pub(crate) use collector::note_lag;
pub use collector::{Collector, EndpointTotals, record};
pub use occurrences::Occurrences;
pub use sample::{Batch, FidelityCheck, Gauges, Sample};
pub use usage::{Usage, host};
