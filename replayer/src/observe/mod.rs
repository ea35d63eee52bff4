//! What is seen of the target and of what is around it, once a second on the run's clock.
//!
//! One file a source; `watch` looks at each of them in a task of its own.

mod begin;
mod exporter;
mod machine;
mod named;
mod page;
mod place;
mod postgres;
mod proc;
mod processes;
mod prometheus;
mod redis;
mod statement;
mod statements;
mod target;
mod ticks;
mod watch;

pub use begin::observe;
pub use named::{By, Misnamed, Named, ObserveError, Rules, Said};
pub(crate) use page::request;
pub use place::{DatabaseError, Place, quoted_table};
pub(crate) use target::PATH as METRICS;
pub(crate) use ticks::Ticks;
pub use watch::Observer;
