//! Simulated personas: what they are, and recording what they do.
//!
//! A personas file ([`script`]) says who logs in how, waits how long and does
//! which tasks; [`record`] runs users after it and hands each finished exchange
//! to one collector, which owns the journal. Values that come from answers,
//! accounts, the clock or the client itself are bound where they are written
//! ([`render`]), so nothing has to be guessed afterwards, and secrets are left
//! out of what is stored before it exists.

mod body;
mod capture;
mod cast;
mod collect;
mod error;
mod file;
mod prologue;
mod record;
mod render;
mod rewritten;
mod script;
mod send;
mod stored;
mod tasks;
mod template;
mod user;

pub use collect::{Failure, Observer, PersonaTotals, Totals};
pub use error::RecordError;
pub use file::PersonasError;
pub use prologue::{AfterLogin, MOST_AHEAD_US, Prologue};
pub use record::{Config, Recording, record};
pub use script::Personas;
pub use send::Target;
pub use tasks::TaskEnds;
