//! Fills the load test report from what was measured.
//!
//! Scenarios say what was to be run, run directories what came of it. Each run
//! is summed up in one pass, judged by its scenario's expectations, and put
//! into one structure that templates see as ready strings and programs as
//! JSON. Charts are drawn from the same figures. No network, no database:
//! whatever the report says is in the files that it was given.

pub mod alone;
pub mod chart;
pub mod cli;
pub mod error;
pub mod evidence;
pub mod fill;
pub mod junit;
pub mod load;
pub mod markdown;
pub mod markers;
pub mod page;
pub mod render;
pub mod report;
pub mod status;
pub mod summary;
pub mod units;
pub mod write;
