//! What can be done with a finished trace: a part of it, several as one, whether it is whole,
//! what is in it, what in it looks like a secret, what two of them differ in, and the same in a
//! format of other tools.
//!
//! Each reads traces as streams, but for `diff`, which bounds them, and those that write one write it sorted. None knows another.

pub mod audit;
pub mod check;
pub mod cut;
pub mod diff;
pub mod export;
pub mod inspect;
pub mod merge;
