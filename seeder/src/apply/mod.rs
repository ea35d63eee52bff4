//! `apply`: from a plan to rows and a manifest, all or nothing.

mod attempt;
mod config;
mod earlier;
mod error;
mod hashes;
mod insert;
mod keys;
mod lines;
mod past;
mod pending;
mod prepare;
mod progress;
mod remove;
mod run;
mod sample;
mod send;
mod stage;

pub(crate) use attempt::{Attempt, ByTriggers, Failure, attempt};
pub use config::{Before, Config, Present};
pub(crate) use earlier::Earlier;
pub use error::ApplyError;
pub(crate) use keys::{is_planned, send_keys};
pub(crate) use past::{Past, confirm};
pub(crate) use prepare::{Compiled, compile, introspect, lock};
pub use progress::Progress;
pub use remove::RemovedRows;
pub use run::{InsertedRows, Summary, apply};
pub(crate) use run::{open, unless};
pub use sample::{Sample, sample};
