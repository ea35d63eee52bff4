//! Re-fires recorded traffic at scaled rates and measures what came back.
//!
//! A trace and a policy make a schedule: who sends what, and when it is due.
//! Worker threads release each request by that schedule and never by a
//! wake-up, send it over connections of the user's own, and record times and
//! an outcome for every planned request. Once a second what was measured goes
//! to the run directory.

pub mod audit;
pub mod bind;
pub mod cli;
pub mod config;
pub mod engine;
pub mod error;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod lead;
pub mod live;
pub mod measure;
pub mod merge;
pub mod observe;
pub mod pacer;
pub mod preflight;
pub mod prepare;
pub mod schedule;
pub mod search;
pub mod suite;
pub mod time;
