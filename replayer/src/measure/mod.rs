//! From single requests to seconds, histograms and totals.
//!
//! Worker threads note a [`Sample`] for every request that ended, and hand
//! over a [`Batch`] once a second. The collector's thread does the rest, so
//! that measuring costs the workers a few stores a request.

mod collector;
mod histograms;
mod sample;
mod usage;

pub use collector::{Collector, EndpointTotals, Names, Plateau, is_endpoint};
pub use histograms::Histograms;
pub use sample::{Batch, Comparison, Gauges, Sample};
pub use usage::{Usage, host, resident_bytes};
