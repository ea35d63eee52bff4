//! The reporter on run directories, from end to end.

mod alone;
mod audit;
mod charts;
mod damaged;
mod figures;
mod golden;
mod help;
mod hostile;
mod report;
mod rewrites;
mod states;
mod stress;
mod synthetic;
