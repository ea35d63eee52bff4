//! Every figure that is judged or printed, and the one judge of them.
//!
//! What was recorded in a second ([`Histograms`], or [`Recorded`] from a file) adds up to
//! [`Group`]s, of which [`Plateau`] holds those that are judged. [`judge`] holds them
//! against a scenario's expectations, [`validity`] against what a valid measurement is,
//! [`judged`] says what a run came to, [`steps`] what each step of a load in stages did, and
//! [`knee`] where they make the most. The replayer uses them while it runs, at its end and in
//! `merge`, the reporter when it reads a run: a figure has one definition.

pub mod conclusion;
mod counts;
mod few;
mod group;
mod histograms;
pub mod judge;
pub mod judged;
pub mod knee;
mod marks;
mod plateau;
mod reading;
pub mod recovery;
pub mod stats;
pub mod steps;
mod times;
pub mod validity;

pub use counts::Counts;
pub use few::Few;
pub use group::Group;
pub use histograms::{Histograms, is_endpoint};
pub use plateau::{Names, Plateau, UnknownTag};
pub use reading::Reading;
pub use run_log::recorded::Recorded;
pub use times::{ResponseTimes, histogram, max, mean, percentile, value_at};
