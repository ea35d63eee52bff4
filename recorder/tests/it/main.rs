//! Integration tests, one binary.

mod auditing;
mod bad_input;
mod checking;
mod diffing;
mod editing;
mod goldens;
mod help;
mod hostile;
mod importing;
mod memory;
mod minors;
mod proxy;
mod recording;
mod rewriting;
mod secrets;
mod traces;
mod vigilia;
mod world;
