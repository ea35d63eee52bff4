//! The replayer's own HTTP/1.1 client: one request at a time on a connection,
//! as cheap as it can be and as strict as the RFC (9110, 9112).
//!
//! The engine owns connections, deadlines, retries and records; this crate
//! opens a connection ([`Connection::open`]), sends bytes that were serialised
//! before and reads one answer ([`Connection::exchange`]), which it hands to a
//! [`Sink`] while it comes in. [`cookies`] is for those answers of which
//! something is captured.
//!
//! What stays true:
//! - The framing ([`framing::Decoder`]) knows no sockets and no clock: the
//!   same bytes give the same answer however they were split.
//! - An idle connection holds its socket and a few words. All connections of a
//!   thread read into one buffer, parsed in place; only a head that came in
//!   pieces is copied. In steady state an exchange allocates nothing.
//! - An exchange may be dropped at any point. The connection is then stale,
//!   and what was known until then stays in [`Connection::progress`].
//! - Errors are told apart by type, never by text: [`SendError::Stale`] says that
//!   nothing was sent, and [`SendError::StaleReset`] that sending again on a fresh
//!   connection can be right.
//! - Nothing here retries, follows redirects, waits for `100 Continue` or pools.

mod connection;
pub mod cookies;
mod destination;
mod error;
pub mod framing;
mod local;
mod sink;
mod socket;
mod stream;
pub mod tls;

pub use self::connection::{Connection, Exchange, Opened, Progress};
pub use self::destination::{Destination, DestinationError};
pub use self::error::{LocalResource, SendError};
pub use self::framing::{FramingError, Limits, Method};
pub use self::local::ephemeral_ports;
pub use self::sink::{Answer, Discard, Sink};
