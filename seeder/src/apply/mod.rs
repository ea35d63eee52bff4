//! `apply`: from a plan to rows and a manifest, all or nothing.

mod config;
mod delete;
mod doomed;
mod earlier;
mod effects;
mod error;
mod insert;
mod keys;
mod lines;
mod past;
mod pending;
mod prepare;
mod progress;
mod refusal;
mod remove;
mod removed;
mod run;
mod sample;
mod send;
mod session;
mod since;
mod stage;
mod step;
mod triggered;

pub use config::{Before, Config, Present};
pub(crate) use earlier::Earlier;
pub use error::ApplyError;
pub(crate) use keys::{is_planned, send_keys};
pub(crate) use past::{Past, confirm};
pub(crate) use prepare::{Compiled, compile, introspect, lock};
pub use progress::Progress;
pub use removed::{Effect, RemovedRows};
pub use run::{InsertedRows, Summary, apply};
pub use sample::{Sample, sample, would_remove};
pub(crate) use session::{commit, open, unless};
pub use triggered::TriggeredRows;
