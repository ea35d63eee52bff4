//! The run directory: what was measured.

pub mod format;
pub mod reader;
pub mod stats;
pub mod writer;
