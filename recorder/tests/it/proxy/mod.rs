//! `recorder proxy` between real sockets.

mod bad_input;
mod faults;
mod hostile;
mod passing;
pub(crate) mod peer;
mod recording;
mod refusing;
mod rewriting;
mod streaming;
mod tls;
