//! Records what real clients and simulated personas do, as timed request logs.
//!
//! Whatever drives the traffic hands finished exchanges to the trace writer,
//! which journals them at once and makes an ordered, digested trace of them at
//! the end. No token, cookie or password ever reaches the disk: values that
//! replay needs are bound to where they come from.
//!
//! Without the feature `tool` only the trace's format is built.

#[cfg(feature = "tool")]
pub mod check;
#[cfg(feature = "tool")]
pub mod cli;
#[cfg(feature = "tool")]
pub mod correlate;
#[cfg(feature = "tool")]
pub mod cut;
#[cfg(feature = "tool")]
mod error;
#[cfg(feature = "tool")]
pub mod exchange;
#[cfg(feature = "tool")]
pub mod export;
#[cfg(feature = "tool")]
pub mod import;
#[cfg(feature = "tool")]
pub mod inspect;
#[cfg(feature = "tool")]
pub mod merge;
#[cfg(feature = "tool")]
pub mod persona;
#[cfg(feature = "tool")]
pub mod proxy;
#[cfg(feature = "tool")]
mod redact;
pub mod trace;

#[cfg(feature = "tool")]
pub use error::Error;
