//! The timed request log.
//!
//! [`journal`] takes finished exchanges while recording, [`finish`] makes a
//! trace of it at the end; [`writer`] writes one from requests already in
//! order, [`unordered`] from any; [`reader`] streams it. [`order`] says what a request came after,
//! [`own_site`] which of its headers name the target, [`wire`] what of it may be sent. `recorder/FORMAT.md` is the specification.

mod error;
pub mod failures;
pub mod finish;
pub mod format;
mod header;
pub mod html;
pub mod journal;
mod lines;
pub mod minor;
mod note;
pub mod order;
pub mod own_site;
mod paths;
pub mod pointer;
pub mod prefix;
pub mod reader;
pub mod routes;
pub mod shape;
pub mod sort;
pub mod text;
mod unknown;
pub mod unordered;
pub mod values;
pub mod wire;
pub mod writer;
