//! `replayer fleet resume`, and how a run is collected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as ClapArgs;
use common::exit::Exit;
use common_net::runtime;
use run_log::writer::RunWriter;
use tokio::runtime::Builder;

use super::access::{NatsArgs, run_name};
use crate::cli::lead::{added_up, beside, parts_of, remove_parts};
use crate::cli::merge::concluded;
use crate::error::Error;
use crate::fleet::{FleetError, PlanState, Remote};

/// How long what workers send is waited for, once the load is over.
const SETTLED: Duration = Duration::from_secs(60);

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Name of the run, as `fleet status` shows it
    #[arg(value_parser = run_name)]
    run: String,
    #[command(flatten)]
    nats: NatsArgs,
    /// The host of NATS, where it is not this machine
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// How long workers that are still at it are waited for
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// Folder for the sum
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace a run that is in the folder already
    #[arg(long)]
    force: bool,
    /// Print what was measured as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let Args { run, nats, allow_host, wait, out, force, json } = args;
    RunWriter::check(out, *force)?;
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let parts = runtime.block_on(async {
        let nats = nats.connect(allow_host, Duration::ZERO).await?;
        let mut remote = Remote::resume(nats, run.clone()).await?;
        remote.settled(*wait).await;
        let users = remote.plan().shards.iter().map(|shard| shard.users);
        let parts = parts_of(users, out);
        collected(&mut remote, out).await?;
        Ok::<_, Error>(parts)
    })?;
    let merged = added_up(&parts, &BTreeMap::new(), out, *force)?;
    let exit = concluded(merged, out, *json)?;
    remove_parts(&parts, out)?;
    Ok(exit)
}

/// Waits for what the workers have measured, and fetches it.
pub(super) async fn collected(remote: &mut Remote, out: &Path) -> Result<(), Error> {
    remote.settled(SETTLED).await;
    let found = remote.collect(&beside(out)).await?;
    if found.is_empty() {
        return Err(FleetError::Nothing.into());
    }
    remote.close(PlanState::Over).await;
    Ok(())
}
