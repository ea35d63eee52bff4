//! `replayer fleet status`.

use std::time::Duration;

use clap::Args as ClapArgs;
use common::exit::Exit;
use common::say::print;
use common_net::runtime;
use tokio::runtime::Builder;

use super::access::{NatsArgs, run_name};
use crate::cli::summary::print_as_json;
use crate::error::Error;
use crate::fleet::{PlanState, RunStatus, runs};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// One run alone
    #[arg(value_parser = run_name)]
    run: Option<String>,
    #[command(flatten)]
    nats: NatsArgs,
    /// The host of NATS, where it is not this machine
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let runs = runtime.block_on(async {
        let nats = args.nats.connect(&args.allow_host, Duration::ZERO).await?;
        runs(&nats, args.run.as_deref()).await
    })?;
    if args.json {
        print_as_json(&runs)?;
    } else {
        print(&shown(&runs)).map_err(Error::stdout)?;
    }
    Ok(Exit::Good)
}

fn shown(runs: &[RunStatus]) -> String {
    if runs.is_empty() {
        return "no runs\n".to_owned();
    }
    let of_run = |run: &RunStatus| {
        let state = match &run.state {
            PlanState::Gathering => "gathering".to_owned(),
            PlanState::Armed { at } => format!("armed for {}", at.format("%F %T UTC")),
            PlanState::Aborted { why } => format!("aborted: {why}"),
            PlanState::Over => "over".to_owned(),
        };
        let shards = run.shards.iter().map(|shard| {
            let worker = shard.worker.as_deref().unwrap_or("–");
            let clock = shard.clock.map_or_else(String::new, |clock| {
                let ms = |us: f64| us / 1e3;
                let offset = ms(clock.offset_us as f64);
                format!("  clock {offset:+.2} ms ± {:.2}", ms(clock.bound_us as f64))
            });
            format!(
                "  {:>4}  {:<8} {:>6} users  {worker}{clock}\n",
                shard.shard, shard.state, shard.users
            )
        });
        format!("{}  {state}\n{}", run.run, shards.collect::<String>())
    };
    runs.iter().map(of_run).collect()
}
