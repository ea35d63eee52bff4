//! The options of `replayer run`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use common::secret::Secret;

use super::input::Input;
use super::load::LoadArgs;
use super::start_at::StartAt;
use crate::lead::OBSERVE;
use crate::live::LiveAddress;
use run_log::format::Shard;
use scenario::Rate;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ProbeArg {
    Safe,
    Full,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub conduct: Conduct,
    /// Folder for what is measured
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Replace a run that is in the folder already
    #[arg(long)]
    pub force: bool,
    /// Print the plan, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Compare every answer with the recorded one, its shape included, and try nothing before;
    /// exit 11 below --min-fidelity
    #[arg(long, conflicts_with = "probe")]
    pub verify: bool,
    /// Least share of answers with the recorded status and shape, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 99.5, requires = "verify")]
    pub min_fidelity: f64,
    /// Replay only this part of the plan, such as 1/3; the others are run elsewhere
    #[arg(long, value_name = "I/N", conflicts_with = "processes")]
    pub shard: Option<Shard>,
    /// Begin second 0 then: a time such as 2026-11-24T10:00:00Z, or seconds from now such as +30
    #[arg(long, value_name = "TIME")]
    pub start_at: Option<StartAt>,
    /// A part of a run whose lead is at the other end of standard input
    #[arg(long, hide = true, requires = "shard")]
    pub led: bool,
    /// Print what was measured as JSON
    #[arg(long)]
    pub json: bool,
}

/// How a run goes about it, whatever its load is.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Conduct {
    /// What of each persona's first session the preflight tries: logins with an account's
    /// credentials and what only reads, or all of it
    #[arg(long, value_enum, default_value_t = ProbeArg::Safe)]
    pub probe: ProbeArg,
    /// Start without looking at the target and its database before
    #[arg(long, visible_alias = "no-probe", conflicts_with = "probe")]
    pub no_preflight: bool,
    /// Look at nothing while it runs: neither at GET /metrics of the target and its database, which
    /// is done once a second, nor at this machine
    #[arg(long)]
    pub no_observe: bool,
    /// What else to look at once a second: postgres=URL, redis=URL, prometheus=URL (any page of
    /// metrics), port=8000 or pid=123 (processes of this machine, with their children)
    #[arg(
        long, value_name = "WHAT=WHERE", conflicts_with = "no_observe", env = OBSERVE,
        hide_env = true, value_delimiter = '\n'
    )]
    pub observe: Vec<Secret>,
    /// Processes that share the load, shown and judged as one run; one, if not given, and as many
    /// more as the descriptors that each may have ask for
    #[arg(long, value_name = "N")]
    pub processes: Option<NonZeroU32>,
    /// Worker threads of a process; all cores, shared among them, if not given
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// The database behind the target, to compare it with the manifest and as --observe postgres=
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Note in the run directory, such as --label commit=4f2a1c
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// Refuse a plan that is busier than this in any second
    #[arg(long, value_name = "RATE", default_value = "20000/s")]
    pub max_rate: Rate,
    /// Requests of one user that may be ready and waiting; more are shed
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_queue: usize,
    /// Logins a second that may renew tokens
    #[arg(long, value_name = "RATE", default_value = "20/s")]
    pub login_rate: Rate,
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub connect_timeout: Duration,
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub request_timeout: Duration,
    /// How long requests may still take when the time is over
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub grace: Duration,
    /// Serve a page that shows it as it goes, such as at 127.0.0.1:8089; beyond loopback to nobody
    /// without the token that is printed
    #[arg(long, value_name = "ADDR")]
    pub live: Option<LiveAddress>,
    /// Serve the page so much longer when it is over
    #[arg(long, value_name = "TIME", requires = "live", value_parser = humantime::parse_duration)]
    pub live_linger: Option<Duration>,
    /// No line a second
    #[arg(long, short)]
    pub quiet: bool,
}
