//! Runs a schedule: worker threads release and send, and what they measured
//! goes out a second at a time.

mod account;
mod answer;
mod budget;
mod context;
mod coordinator;
mod effects;
mod exchange;
mod expiry;
mod lane;
mod live_run;
mod redact;
mod release;
mod render;
mod renew;
mod settings;
mod settle;
mod transport;
mod user;
mod worker;

pub use account::SharedAccount;
pub use budget::Budget;
pub use coordinator::{EngineError, Job, Measured, Tick, run};
pub use settings::{FidelityMode, Settings};
pub use transport::{Http, Transport};
pub use worker::{Feed, Stop, Worker};

#[cfg(test)]
mod tests;
