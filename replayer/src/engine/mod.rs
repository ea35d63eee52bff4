//! Runs a schedule: worker threads release and send, and what they measured
//! goes out a second at a time.

mod account;
mod answer;
mod attempt;
mod budget;
mod coordinator;
mod expiry;
mod lane;
mod redact;
mod render;
mod renew;
mod transport;
mod user;
mod worker;

pub use account::SharedAccount;
pub use budget::Budget;
pub use coordinator::{EngineError, Job, Measured, Tick, run};
pub use transport::{Http, Transport};
pub use user::{Next, Ticket, User};
pub use worker::{Feed, FidelityMode, Settings, Stop, Worker};

#[cfg(test)]
mod tests;
