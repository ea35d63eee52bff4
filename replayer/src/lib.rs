//! Re-fires recorded traffic at scaled rates and measures what came back.
//!
//! A trace and a policy make a schedule: who sends what, and when it is due.
//! Worker threads release each request by that schedule and never by a
//! wake-up, send it over connections of the user's own, and record times and
//! an outcome for every planned request. Once a second what was measured goes
//! to the run directory.
//!
//! Without the feature `tool` only two formats are built: the scenario files
//! that it runs and the run directory that it writes.

#[cfg(feature = "tool")]
pub mod bind;
#[cfg(feature = "tool")]
pub mod cli;
#[cfg(feature = "tool")]
pub mod config;
#[cfg(feature = "tool")]
pub mod engine;
#[cfg(feature = "tool")]
pub mod error;
#[cfg(feature = "tool")]
pub mod judge;
#[cfg(feature = "tool")]
pub mod live;
#[cfg(feature = "tool")]
pub mod measure;
#[cfg(feature = "tool")]
pub mod merge;
#[cfg(feature = "tool")]
pub mod observe;
#[cfg(feature = "tool")]
pub mod outcome;
#[cfg(feature = "tool")]
pub mod pacer;
#[cfg(feature = "tool")]
pub mod prepare;
#[cfg(feature = "tool")]
pub mod probe;
pub mod run_log;
pub mod scenario;
#[cfg(feature = "tool")]
pub mod schedule;
#[cfg(feature = "tool")]
pub mod send;
#[cfg(feature = "tool")]
pub mod time;
