//! Records what real clients and simulated personas do, as timed request logs.
//!
//! Whatever drives the traffic hands finished exchanges to the trace writer,
//! which journals them at once and makes an ordered, digested trace of them at
//! the end. No token, cookie or password ever reaches the disk: values that
//! replay needs are bound to where they come from.

pub mod cli;
pub mod correlate;
pub mod edit;
mod edits;
mod error;
pub mod exchange;
pub mod import;
pub mod mock;
pub mod persona;
pub mod proxy;

pub use error::Error;
