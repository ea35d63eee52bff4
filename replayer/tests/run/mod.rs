//! `replayer run`, the whole binary against a scripted server.

mod accounting;
mod bad_input;
mod browser;
mod coordinated_omission;
mod faults;
mod help;
mod hostile;
mod imports;
mod injection;
mod large_trace;
mod limits;
mod load_held;
mod overload;
mod probe;
mod rate;
mod registering;
mod renewal;
mod secrets;
mod shards;
mod target;
mod time;
mod users;
mod validity;
mod values;
mod verdicts;
mod verify;
