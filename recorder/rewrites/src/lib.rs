//! Rewrites: what is sent in the place of what was recorded.
//!
//! A TOML file that simulated personas, replays and scenarios take. A rule is for the requests
//! of some [`Route`]s; it sends another method, path or body, sets or removes headers, drops
//! requests, keeps no others, or has them answered from the recording. What a value was bound to
//! it stays bound to, wherever the rule puts it ([`marks`]).
//!
//! ```toml
//! base = "/api/v1"
//!
//! [[rewrite]]
//! match = "POST /alerts/ingest"
//! send = "POST /incidents"
//! body = "{'title': body.title, 'priority': 3}"
//! headers = { X-Api-Key = "{{ env.API_KEY }}", X-Debug = false }
//! means = "alerts/s is incidents/s"
//! ```
//!
//! Beside them are [`Traps`], the known faults of a system, which are what rewrites are for.

mod apply;
mod error;
mod file;
mod marks;
mod route;
mod rule;
mod text;
mod traps;

pub use apply::{Applied, Change};
pub use error::ApplyError;
pub use file::RewritesError;
pub use route::{Route, RouteError};
pub use rule::{Rewrites, Rule};
pub use traps::{Trap, Traps};
