//! `replayer fleet work`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use common::exit::{Exit, one_line};
use common_net::runtime;
use common_net::signals::Interrupt;
use tokio::runtime::Builder;
use tokio::time::sleep;

use super::access::NatsArgs;
use crate::cli::signals::WatchSignals;
use crate::error::Error;
use crate::fleet::{Conditions, FileKind, work};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    nats: NatsArgs,
    /// The manifest, of the digest that the plan names; its passwords are not sent
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The trace, if it is here already; else it is fetched
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Folder for files that were fetched and for run directories, which stay
    #[arg(long, value_name = "DIR", default_value = "fleet")]
    dir: PathBuf,
    /// Do one part of one run, and end with its exit code
    #[arg(long)]
    once: bool,
    /// Take this part of a run alone, from 1; by default any, or the one that the index of a
    /// Kubernetes job says
    #[arg(long, value_name = "I")]
    take: Option<u32>,
    /// Index of a Kubernetes job, from 0
    #[arg(long, hide = true, env = "JOB_COMPLETION_INDEX", conflicts_with = "take")]
    job_index: Option<u32>,
    /// A host, other than this machine, that may be loaded, or is that of NATS
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Value of a named secret slot of the trace: NAME=ENVIRONMENT_VARIABLE
    #[arg(long, value_name = "NAME=VAR")]
    slot: Vec<String>,
    /// Connect from this address of this machine, whatever the plan says; several take turns
    #[arg(long, value_name = "IP")]
    source_ip: Vec<IpAddr>,
    /// How long NATS is waited for at the start, and is tried to be sent what was measured
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    patience: Duration,
    /// Worker threads, whatever the plan says; if neither does, all cores
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    let Args { nats, manifest, trace, dir, allow_host, slot, source_ip, patience, threads, .. } =
        args;
    let files = [(FileKind::Manifest, manifest), (FileKind::Trace, trace)];
    let files: BTreeMap<_, _> =
        files.into_iter().filter_map(|(kind, path)| Some((kind, path.clone()?))).collect();
    let mut options: Vec<String> = slot.iter().map(|slot| format!("--slot={slot}")).collect();
    options.extend(source_ip.iter().map(|source| format!("--source-ip={source}")));
    options.extend(threads.map(|threads| format!("--threads={threads}")));
    let conditions = Conditions {
        dir: dir.clone(),
        files,
        allowed: allow_host.clone(),
        options,
        shard: args.take.or(args.job_index.map(|index| index.saturating_add(1))),
        upload: *patience,
    };
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    runtime.block_on(async {
        let mut interrupts = watch().map_err(Error::Runtime)?;
        let nats = tokio::select! {
            biased;
            Ok(()) = interrupts.changed() => return Ok(interrupts.borrow().exit()),
            nats = nats.connect(allow_host, *patience) => nats?,
        };
        common::say!("replayer: waits for a run");
        loop {
            let done = work(&nats, &conditions, &mut interrupts).await;
            let exit = interrupts.borrow().exit();
            if let Ok(Some(how)) = &done {
                common::say!("replayer: its process {how}");
            }
            match done {
                _ if *interrupts.borrow() != Interrupt::None => return Ok(exit),
                Err(error) if args.once => return Err(error.into()),
                Ok(_) if args.once => return Ok(Exit::Good),
                Err(error) => {
                    common::say!("{}", one_line("replayer", &error));
                    // What cannot be done is not tried again at once.
                    sleep(Duration::from_secs(1)).await;
                }
                Ok(_) => {}
            }
        }
    })
}
