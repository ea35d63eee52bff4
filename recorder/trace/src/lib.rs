//! The timed request log.
//!
//! [`journal`] takes finished exchanges while recording, [`finish`] makes a
//! trace of it at the end; [`writer`] writes one from requests already in
//! order, [`unordered`] from any; [`reader`] streams it. `recorder/FORMAT.md` is the specification.

pub mod finish;
pub mod form;
pub mod format;
pub mod journal;
mod lines;
pub mod pointer;
pub mod prefix;
pub mod reader;
pub mod shape;
pub mod sort;
pub mod unordered;
pub mod write;
pub mod writer;
