//! Runs a schedule: worker threads release and send, and what they measured goes out a second
//! at a time.
//!
//! Imports go one way, from the top of this list to its end:
//! - `coordinator` starts the `threads`, closes the `seconds` and decides when to stop, and of what
//!   the end is (`cut`); what is shown of each second is a `tick`;
//! - `worker` is one thread's users: starts them, stops them, reports;
//! - `lane` is one connection's worth of a user: releases a request and sees it to its outcome,
//!   which `settle` notes;
//! - `renew` gets new tokens;
//! - `exchange` makes one attempt to send, `effects` applies what its `answer` gives, `render`
//!   writes the request, `checks` hold an answer against what is asked of it, `marks` note for an
//!   audit what it is to look for (`marking` says whose);
//! - `user` is what a user knows (`remembered` the secrets of it), `release` and `live_run` what it
//!   does next (`planned` counts it);
//! - `context` is what all users of a thread share, `gaps` when the thread did not run, `buffers`
//!   their memory, which lies on a `shelf`; what bodies take of it is `held` to a bound for the
//!   process.

mod account;
mod answer;
mod budget;
mod buffers;
mod checks;
mod context;
mod coordinator;
mod cut;
mod effects;
mod exchange;
mod expiry;
mod gaps;
mod held;
mod lane;
mod live_run;
mod marking;
mod marks;
mod planned;
mod redact;
mod release;
mod remembered;
mod render;
mod renew;
mod seconds;
mod settings;
mod settle;
mod shelf;
mod threads;
mod tick;
mod transport;
mod user;
mod worker;

pub use account::SharedAccount;
pub use budget::Budget;
pub use checks::{Checks, by_endpoint as checks_by_endpoint};
pub(crate) use coordinator::give_way;
pub use coordinator::{EngineError, Job, Measured, NOTICE, run};
pub use cut::{Cut, What};
pub use marking::{MarkFrom, Marking};
pub(crate) use seconds::Seconds;
pub use seconds::StopRule;
pub use settings::{FidelityMode, Settings};
pub use tick::{Tick, WorkerSeen};
pub use transport::{Http, Transport};
pub use worker::{Feed, Stop, Worker};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_by_second;
#[cfg(test)]
mod tests_of_panics;
