//! The reporter on run directories, from end to end.

mod alone;
mod audit;
mod charts;
mod context;
mod damaged;
mod figures;
mod fleet;
mod golden;
mod help;
mod hostile;
mod markers;
mod outputs;
mod page;
mod report;
mod reports;
mod rewrites;
mod sentences;
mod states;
mod stress;
mod synthetic;
mod verdict;
