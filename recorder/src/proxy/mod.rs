//! A reverse proxy between clients and the system under test, which records what passes, or only
//! answers some of it in the system's place ([`pass`], [`instead`]).
//!
//! One thread serves all clients on a runtime of its own ([`serve`], [`forward`]): bodies stream
//! through in both directions ([`request_body`], [`answer_body`]), with a tap that keeps a bounded
//! copy ([`tap`]). What is known about an exchange is gathered in [`open`], and goes through a
//! bounded queue ([`sink`]) to a second thread ([`collect`]), which correlates it and writes the
//! journal.
//!
//! Memory: at most 256 KiB per connection for buffers and heads, [`Limits::bodies`] for all kept
//! bodies together, and the queue's heads.

mod answer_body;
mod beginnings;
mod collect;
mod error;
mod forward;
mod guard;
mod headers;
mod idle;
mod instead;
mod limits;
mod link;
mod open;
mod pass;
mod pool;
mod request_body;
mod rewrite;
mod run;
mod serve;
mod sink;
mod tap;
mod tls;
mod upgrade;
mod upstream;

pub use collect::{Observer, Totals};
pub use error::ProxyError;
pub use instead::{Given, Instead};
pub use limits::Limits;
pub use pass::{Passing, pass_on};
pub use run::{Config, Recording, record};
pub use sink::OnFull;
pub use tls::Identity;
pub use upstream::UpstreamUrl;
