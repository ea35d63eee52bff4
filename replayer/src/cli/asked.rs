//! What is asked for of a run.

use super::input::Input;
use super::load::LoadArgs;
use super::run_args::Conduct;
use super::start_at::StartAt;
use run_log::format::Shard;

/// All of it, typed or not.
pub(super) struct Asked<'a> {
    pub input: &'a Input,
    pub load: &'a LoadArgs,
    pub conduct: &'a Conduct,
    /// Compare every answer with the recorded one, its shape included.
    pub verify: bool,
    pub shard: Option<Shard>,
    pub start_at: Option<StartAt>,
    /// Whether a lead is at the other end of standard input.
    pub led: bool,
}
