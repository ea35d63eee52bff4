//! The plan of a run, looked at before anything is sent.

use std::sync::Arc;

use super::asked::Asked;
use super::input::Ready;
use crate::config::{self, ConfigError, Room, Share};
use crate::error::Error;
use crate::schedule::{Policy, Schedule, Walk};
use run_log::format::{Phase, Shard, Window};
use run_log::phase::first_step;
use scenario::{Load, Pacing};

/// What this process is to send.
pub(super) struct Planned {
    pub schedule: Schedule,
    /// What is counted beforehand, without running it.
    pub mine: Walk,
    pub plateau: Window,
    pub phases: Vec<Phase>,
    /// What each process has of it, where there are several.
    pub shards: Vec<Share>,
    /// What each takes of what there is.
    pub room: Room,
}

impl Planned {
    /// What is due, by second; nothing by closed pacing.
    pub(super) fn due(&self, pacing: Pacing) -> Vec<u64> {
        match pacing {
            Pacing::Open => self.mine.by_second.clone(),
            Pacing::Closed => Vec::new(),
        }
    }
}

/// Plans and checks the whole, of which this process may run a part.
///
/// # Errors
/// When it cannot be planned, or does not fit into what there is.
pub(super) fn plan(asked: &Asked<'_>, load: &Load, ready: &mut Ready) -> Result<Planned, Error> {
    let policy = Policy {
        load: load.clone(),
        seed: asked.input.seed,
        rate_tolerance: asked.load.rate_tolerance / 100.0,
    };
    let of_shard = |schedule: &Schedule, shard: Option<Shard>| match shard {
        Some(shard) => schedule.clone().of_shard(&ready.plan, shard),
        None => schedule.clone(),
    };
    let max_rate = asked.conduct.max_rate;
    config::check_goal(load, max_rate)?;
    let mut whole = Schedule::new(&ready.plan, &policy)?;
    // First, as it is quick where the plan is too big to be walked.
    let mine = of_shard(&whole, asked.shard);
    let asked_for = match (asked.conduct.processes, asked.shard) {
        (Some(processes), _) => Some(processes.get()),
        (None, Some(_)) => Some(1),
        (None, None) => None,
    };
    let shards = config::shards(&ready.plan, &mine, asked_for)?;
    if let (Some(most), Pacing::Open) = (load.max_requests, load.pacing) {
        whole = whole.at_most(&ready.plan, load, most);
    }
    let planned = config::planned(&ready.plan, &whole, load);
    let peak = config::check_rate(&planned, max_rate)?;
    let plateau = config::plateau(&ready.plan, &whole, load)?;
    let phases = whole.phases(load, plateau);
    if load.recovery.is_some() && first_step(&phases).is_none() {
        let message = "the first step has no second of its own to go back to: its users take all \
                       of it to start"
            .to_owned();
        return Err(ConfigError::Option { option: "--recovery", message }.into());
    }
    let schedule = of_shard(&whole, asked.shard);
    let mine = config::planned(&ready.plan, &schedule, load);
    let connections = shards.iter().map(|shard| shard.connections).max().unwrap_or(0);
    let ports = config::ports_for(connections, &ready.http.destination, &asked.input.source_ip)?;
    if let Some(destination) = Arc::get_mut(&mut ready.http.destination) {
        destination.connect_from(ports.sources);
    }
    let descriptors = shards.iter().map(|shard| shard.fit).min().unwrap_or(0);
    let processes = shards.len();
    let room = Room { processes, connections, descriptors, ports: ports.fit, peak, max_rate };
    Ok(Planned { schedule, mine, plateau, phases, shards, room })
}
