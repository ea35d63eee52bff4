//! Scenario files: what to run, at which load, and what is expected of it.
//!
//! ```toml
//! number = 1
//! name = "baseline"
//! title = "Baseline load"
//! objective = "Normal operation."
//! expect = ["p95 < 100ms", "failures < 0.1%"]
//!
//! [load]
//! pacing = "closed"
//! users = 1000
//! spawn_rate = "50/s"
//! duration = "5m"
//!
//! [quick]          # overrides of [load] in the quick profile
//! users = 100
//! duration = "15s"
//! ```

mod audit;
mod axis;
mod check;
mod defaults;
mod expectation;
mod file;
mod load;
mod observed;
mod percentile;
mod rate;
mod stages;
mod typed;

pub use audit::{Audit, MarkPlace};
pub use axis::Axis;
pub use check::{Asks, Check, Is};
pub use defaults::{ALLOWED_FAILURES, is_default, with_defaults};
pub use expectation::{Comparison, Expectation, Metric, MetricUnit, Scope};
pub use file::{Scenario, ScenarioError};
pub use load::{LEAST_RECOVERY, Load, Order, Pacing, Profile, Restart};
pub use observed::Observed;
pub use percentile::{Percentile, PercentileError};
pub use rate::{Rate, RateGoal, Speed};
pub use stages::Stages;
