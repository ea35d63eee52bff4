//! From what was typed to what will run: every choice made, every bound checked.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::exit::Exit;
use common::target::OptionError;
use manifest::format::Account;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::engine::SharedAccount;
use crate::prepare::{Prepared, TracePersona};
use crate::schedule::{Chain, MOST_SECONDS, PlannedUser, Schedule, walk};
use crate::time::At;
use http1::{Destination, ephemeral_ports};
use run_log::format::{Shard, Window};
use scenario::Rate;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Target(#[from] OptionError),
    #[error("{option}: {message}")]
    Option { option: &'static str, message: String },
    #[error(
        "the trace's persona {persona} logs in, but {}", known.as_ref().map_or_else(
            || "no manifest is given; give it with --manifest".to_owned(),
            |known| format!("the manifest has no account of it; it has {known}"),
        )
    )]
    NoAccount { persona: String, known: Option<String> },
    #[error("{place}: the plan has no {kind} of the name {name:?}{hint}; it has {known}")]
    UnknownName { place: String, kind: &'static str, name: String, hint: String, known: String },
    #[error("{place}: {message}")]
    Audit { place: String, message: String },
    #[error("{place}: the environment has no variable {variable}")]
    NoVariable { place: String, variable: String },
    #[error("{place}: {name:?} is left out of this run, so nothing of it can be measured")]
    LeftOut { place: String, name: String },
    #[error("{what} leaves nothing of {length} to judge")]
    NoPlateau { what: String, length: String },
    #[error(
        "the plan peaks at {peak}/s, over the bound of {bound}/s; raise it with --max-rate if the target is yours"
    )]
    OverMaxRate { peak: u64, bound: f64 },
    #[error(
        "the plan is longer than {} days, since requests of the trace lie that far apart; bound it \
         with --duration, or bring its parts together with recorder merge --align start",
        MOST_SECONDS / 86_400
    )]
    TooLong,
    #[error(
        "a process would hold {connections} connections, and {fit} fit into its descriptors: run fewer users, \
         raise the hard limit (ulimit -Hn), or share them among more processes (--processes)"
    )]
    Descriptors { connections: u64, fit: u64 },
    #[error(
        "{connections} connections need more local ports than there are to one target from {sources} address(es); \
         {fit} fit: run fewer users, or add addresses with --source-ip"
    )]
    Ports { connections: u64, sources: usize, fit: u64 },
    #[error(
        "--start-at: {start} has passed, or there is too little time to get ready for it, at {now}"
    )]
    StartPassed { start: DateTime<Utc>, now: DateTime<Utc> },
}

impl ConfigError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::OverMaxRate { .. } => Exit::Refused,
            _ => Exit::Usage,
        }
    }
}

/// The accounts of each persona of the trace, of those that a manifest has, if there is one.
///
/// # Errors
/// When a persona needs an account and there is none.
pub fn accounts(
    plan: &Prepared,
    accounts: Option<Vec<Account>>,
) -> Result<Vec<Vec<Arc<SharedAccount>>>, ConfigError> {
    let mut by_persona: BTreeMap<String, Vec<Arc<SharedAccount>>> = BTreeMap::new();
    let is_given = accounts.is_some();
    for account in accounts.into_iter().flatten() {
        let shared = Arc::new(SharedAccount::new(account));
        by_persona.entry(shared.persona.clone()).or_default().push(shared);
    }
    // A persona may have been recorded with the accounts of another.
    let recorded = |persona: &TracePersona| {
        let name = persona.account.as_ref()?;
        by_persona.values().find(|of| of.iter().any(|account| account.name == *name))
    };
    plan.personas
        .iter()
        .map(|persona| match recorded(persona).or_else(|| by_persona.get(&persona.name)) {
            Some(accounts) => Ok(accounts.clone()),
            None if persona.needs_account => Err(ConfigError::NoAccount {
                persona: persona.name.clone(),
                known: is_given.then(|| by_persona.keys().cloned().collect::<Vec<_>>().join(", ")),
            }),
            None => Ok(Vec::new()),
        })
        .collect()
}

/// The seconds that are judged.
///
/// # Errors
/// When ramp and warm-up leave less than one.
pub fn plateau(
    plan: &Prepared,
    schedule: &Schedule,
    load: &scenario::Load,
) -> Result<Window, ConfigError> {
    schedule.judged(plan, load).ok_or_else(|| {
        let what = format!("a ramp of {} and a warm-up of {:?}", schedule.ramp_end, load.warmup);
        let length = format!("{} s", schedule.length_s(plan, load));
        ConfigError::NoPlateau { what, length }
    })
}

/// Connections that the users of a schedule may have at once, at most.
pub fn connections(plan: &Prepared, schedule: &Schedule) -> u64 {
    let width = |session: &usize| plan.sessions[*session].width as u64;
    let of_persona = |persona: &TracePersona| persona.sessions.iter().map(width).max();
    let widest: Vec<u64> =
        plan.personas.iter().map(|persona| of_persona(persona).unwrap_or(1)).collect();
    let of_user = |chain: Chain, persona: usize| match chain {
        Chain::Once { session } => width(&session),
        Chain::Cycle { .. } => widest[persona],
    };
    let all = schedule.users.iter().map(|user| of_user(user.chain, user.persona)).sum();
    let is_cycle = |user: &PlannedUser| matches!(user.chain, Chain::Cycle { .. });
    if schedule.users.iter().any(is_cycle) {
        return all;
    }
    // Clones end as they began: no more are alive than overlap.
    most_at_once(plan, schedule).min(all)
}

/// The most sessions that run at once by the plan, with a margin for a slow target.
fn most_at_once(plan: &Prepared, schedule: &Schedule) -> u64 {
    let mut changes: Vec<(At, i64)> = Vec::new();
    for user in &schedule.users {
        if let Chain::Once { session } = user.chain {
            let session = &plan.sessions[session];
            let length = session.prologue_length + session.body_length + Duration::from_secs(10);
            let width = session.width as i64;
            changes.push((user.start, width));
            changes.push((user.start + length, -width));
        }
    }
    changes.sort_unstable();
    let mut now = 0;
    let most = changes.iter().map(|(_, change)| {
        now += change;
        now
    });
    most.max().unwrap_or(0).unsigned_abs()
}

/// Descriptors kept for everything but the users' connections.
const SPARE_DESCRIPTORS: u64 = 200;

/// No more processes than this are taken by themselves, unless there are more cores: each has the
/// whole trace.
const FEW_PROCESSES: u32 = 4;

/// What one of several processes has of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub users: usize,
    /// At most.
    pub connections: u64,
    /// So many would fit into its descriptors.
    pub fit: u64,
}

/// What each process of a plan takes at most, and what there is.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub processes: usize,
    /// Of the one that has most of them.
    pub connections: u64,
    /// Connections that fit into descriptors and local ports; none where that is not known.
    pub descriptors: u64,
    pub ports: Option<u64>,
    /// Requests in the busiest second, of all processes, and how many there may be.
    pub peak: u64,
    pub max_rate: Rate,
}

/// Local ports for the connections of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// So many connections fit; none where that is not known.
    pub fit: Option<u64>,
    /// Addresses that they have to come from, where the target's own choice is not enough.
    pub sources: Vec<IpAddr>,
}

/// The shares of so many processes, or of as few as have the descriptors for it.
///
/// # Errors
/// When a process needs more descriptors than it may have, with how many would fit.
pub fn shards(
    plan: &Prepared,
    schedule: &Schedule,
    processes: Option<u32>,
) -> Result<Vec<Share>, ConfigError> {
    let share = |schedule: &Schedule| Share {
        users: schedule.users.len(),
        connections: connections(plan, schedule),
        fit: 0,
    };
    let of = |of: u32| -> Vec<Share> {
        if of == 1 {
            return vec![share(schedule)];
        }
        let shards = (1..=of).map(|index| Shard { index, of });
        shards.map(|shard| share(&schedule.clone().of_shard(plan, shard))).collect()
    };
    let widest = |shares: &[Share]| shares.iter().map(|share| share.connections).max().unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = u32::try_from(cores).unwrap_or(FEW_PROCESSES).max(FEW_PROCESSES);
    let mut found = of(processes.unwrap_or(1));
    let fit = descriptors_for(widest(&found));
    let mut more = u32::try_from(widest(&found).div_ceil(fit.max(1))).unwrap_or(u32::MAX);
    while widest(&found) > fit && processes.is_none() && more <= most {
        found = of(more);
        more += 1;
    }
    match widest(&found) {
        connections if connections > fit => Err(ConfigError::Descriptors { connections, fit }),
        _ if found.iter().any(|share| share.users == 0) && found.len() > 1 => {
            let message = format!(
                "{} processes are too many for {} users",
                found.len(),
                schedule.users.len()
            );
            Err(ConfigError::Option { option: "--processes", message })
        }
        _ => Ok(found.into_iter().map(|share| Share { fit, ..share }).collect()),
    }
}

/// How many connections or files this process may have beside its own, its limit raised where so many
/// ask for it.
pub fn descriptors_for(asked: u64) -> u64 {
    let needed = asked + SPARE_DESCRIPTORS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut soft = current.unwrap_or(u64::MAX);
    if soft < needed {
        let raised = maximum.unwrap_or(u64::MAX);
        if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
            soft = raised;
        }
    }
    soft.saturating_sub(SPARE_DESCRIPTORS)
}

/// What local ports there are for so many connections of a process; where it has not enough, none
/// was typed, and others are free to take, with further addresses.
///
/// # Errors
/// When it has not enough, and may not.
pub fn ports_for(
    connections: u64,
    destination: &Destination,
    typed: &[IpAddr],
) -> Result<Ports, ConfigError> {
    let Some(ports) = ephemeral_ports().map(|ports| ports.len() as u64) else {
        return Ok(Ports { fit: None, sources: Vec::new() });
    };
    let sources = destination.sources();
    let fit = ports * sources as u64;
    if fit >= connections {
        return Ok(Ports { fit: Some(fit), sources: Vec::new() });
    }
    if !has_free_sources(destination) || !typed.is_empty() {
        return Err(ConfigError::Ports { connections, sources, fit });
    }
    let needed = u32::try_from(connections.div_ceil(ports.max(1))).unwrap_or(u32::MAX);
    let fit = Some(ports.saturating_mul(needed.into()));
    Ok(Ports { fit, sources: (1..=needed).map(source).collect() })
}

/// Whether connections to this target may come from any address of 127.0.0.0/8.
pub fn has_free_sources(destination: &Destination) -> bool {
    let is_free = |address: &std::net::SocketAddr| address.is_ipv4() && address.ip().is_loopback();
    cfg!(target_os = "linux") && destination.addresses().iter().all(is_free)
}

/// The n-th address of 127.0.0.0/8, from 1.
pub fn source(number: u32) -> IpAddr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 0)) | (number & 0x00ff_ffff)).into()
}

/// Requests in the busiest second of a plan, which is refused where it is too long, or where they
/// are over the bound.
///
/// # Errors
/// When it is.
pub fn check_rate(planned: &crate::schedule::Walk, bound: Rate) -> Result<u64, ConfigError> {
    if planned.is_too_long() {
        return Err(ConfigError::TooLong);
    }
    let peak = planned.by_second.iter().copied().max().unwrap_or(0);
    let bound = bound.per_second();
    if peak as f64 > bound { Err(ConfigError::OverMaxRate { peak, bound }) } else { Ok(peak) }
}

/// Refuses a rate that is over the bound, before it is planned.
///
/// # Errors
/// When it is.
pub fn check_goal(load: &scenario::Load, bound: Rate) -> Result<(), ConfigError> {
    match &load.axis {
        scenario::Axis::Rate(goal) if goal.rate > bound => {
            let peak = goal.rate.per_second().ceil() as u64;
            Err(ConfigError::OverMaxRate { peak, bound: bound.per_second() })
        }
        _ => Ok(()),
    }
}

/// A walk of the schedule to its end; by closed pacing as if the target answered as recorded.
pub fn planned(
    plan: &Prepared,
    schedule: &Schedule,
    load: &scenario::Load,
) -> crate::schedule::Walk {
    walk(plan, &schedule.users, load, schedule.ends())
}
