//! The audit: what the target answered, held against what is in its database after the run.
//!
//! While the run goes on, the mark of each audited request goes into the run directory, a row a
//! request (`marks.csv`). After it, and after a time for queues to drain, the marks are looked for
//! in one transaction that is rolled back, so that nothing of it stays: they go by COPY into a
//! temporary table of the session, and one statement counts the rows that have each of them. What
//! is not as the answers said is written down as it comes (`audit.csv`), all of it.
//!
//! Memory is bounded whatever the number of marks is. Here a buffer of them is held at a time; the
//! server holds them on its disk, and its hash joins spill there beyond its `work_mem`. A merge of
//! files sorted here would need all of the audited column over the network, in an order that the
//! column's type and collation decide. The temporary table has no index: every mark is looked for,
//! which a hash join does in one pass over either side.

mod database;
mod error;
mod marks;
mod record;

pub use database::{check, count};
pub use error::AuditError;
pub use marks::{marked, marking};
pub use record::record;
