//! The highest load at which what is expected of a target holds.
//!
//! `bisect` says which level is tried next and when the answer is known, `steady` whether a probe
//! was long enough to say anything, `probe` what a probe at a level came to, and `journal` keeps
//! them all. Nothing here sends anything: a probe is a run like any other.

pub mod bisect;
pub mod journal;
pub mod level;
pub mod probe;
pub mod steady;

#[cfg(test)]
mod tests;
