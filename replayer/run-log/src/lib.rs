//! The run directory: what was measured.
//!
//! [`format`] has the files and their types, [`outcome`] what may become of a request, [`audit`]
//! what is known of the target's database, [`phase`] what its seconds are, [`timeline`] and
//! [`stats`] the rows of the tables; [`writer`] writes a second at a time, [`reader`] streams and
//! distrusts.

pub mod audit;
mod count;
pub mod format;
pub mod outcome;
pub mod phase;
pub mod reader;
pub mod recorded;
pub mod recovery;
pub mod stats;
pub mod timeline;
pub mod writer;
