//! The run as it goes: a line a second on stderr (`line`), and a page (`--live`).
//!
//! The page costs the run nothing: the thread that runs tells (`told`) a thread that serves what is
//! new in a second, by a bounded queue that it never waits for (`view`). That thread has a runtime of
//! its own; it adds up what is shown (`snapshot`, `history`), hands it to whoever looks (`server`,
//! `page`, `metrics`, `report`), and asks who may (`guard`). What comes back is a stop, and `marks`.

mod guard;
mod history;
mod line;
mod marks;
mod metrics;
mod page;
mod report;
mod server;
mod snapshot;
mod told;
mod view;

pub use guard::LiveAddress;
pub use line::Lines;
pub use view::{LiveError, View, Watched};
