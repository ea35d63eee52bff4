//! Scenarios one after the other, against one target: what is needed beside the runs themselves.
//!
//! `before` puts data back by a command of the user's, `calm` tells whether the target is as it
//! was, `journal` keeps what is done and the `figures` of it, so that a suite goes on where it was
//! cut off, and `table` is what people read at the end.

pub mod before;
pub mod calm;
pub mod figures;
pub mod journal;
pub mod table;
