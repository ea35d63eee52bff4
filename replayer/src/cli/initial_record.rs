//! `run.json` as far as it is known before the start.

use std::collections::BTreeMap;

use chrono::Utc;

use super::asked::Asked;
use super::audited::before_the_run;
use super::input::{Choices, Ready};
use super::planned::Planned;
use crate::engine::Settings;
use crate::measure::host;
use crate::prepare::{Prepared, Rewritten};
use crate::schedule::Schedule;
use run_log::format::{
    self, Config, FORMAT, Fidelity, Lag, MINOR_OF_ALL, PersonaRun, RewriteRef, Run, ScenarioRef,
    State, Totals, VERSION, Validity, ValidityState,
};
use scenario::{Load, Order, Pacing, Profile, Rate, Scenario};

/// Of a run that has not begun.
pub(super) fn initial_record(
    asked: &Asked<'_>,
    choices: &Choices,
    ready: &Ready,
    planned: &Planned,
    threads: usize,
    labels: BTreeMap<String, String>,
) -> Run {
    let load = &choices.load;
    let plan = &ready.plan;
    let Planned { schedule, plateau, phases, .. } = planned;
    Run {
        format: FORMAT.to_owned(),
        version: VERSION,
        // From the first second on there are histograms and columns of it.
        minor: MINOR_OF_ALL,
        tool: concat!("replayer ", env!("CARGO_PKG_VERSION")).to_owned(),
        state: State::Running,
        started: Utc::now(),
        elapsed_s: 0.0,
        ended_by: None,
        scenario: choices.scenario.as_ref().map(|scenario| ScenarioRef {
            name: scenario.name.clone(),
            digest: scenario.digest.clone(),
            profile: profile_of(asked.load.profile()),
            changed: changed(asked, load, scenario),
        }),
        config: Config {
            target: ready.target.clone(),
            target_is_local: ready.is_local,
            pacing: match load.pacing {
                Pacing::Open => format::Pacing::Open,
                Pacing::Closed => format::Pacing::Closed,
            },
            independent: load.order == Order::None,
            speed: load.speed.factor(),
            axis: load.axis.to_string(),
            users: schedule.users.len() as u64,
            spawn_rate_per_s: load.spawn_rate.map_or(0.0, Rate::per_second),
            duration_s: load.duration.map(|duration| duration.as_secs_f64()),
            warmup_s: load.warmup.as_secs_f64(),
            max_requests: load.max_requests,
            stop_on: load.stop_on.as_ref().map(ToString::to_string),
            recovery_s: load.recovery.map(|bound| bound.as_secs_f64()),
            threads: u32::try_from(threads).unwrap_or(u32::MAX),
            seed: asked.input.seed,
            connect_timeout_s: choices.connect_timeout.as_secs_f64(),
            request_timeout_s: choices.request_timeout.as_secs_f64(),
            grace_s: choices.grace.as_secs_f64(),
            insecure_tls: asked.input.insecure,
        },
        trace: plan.file.clone(),
        manifest: ready.manifest.clone(),
        labels,
        shard: asked.shard,
        host: host(),
        plateau: *plateau,
        phases: phases.clone(),
        load_held: None,
        endpoints: plan.endpoints.clone(),
        personas: personas(plan, schedule, &ready.settings),
        totals: Totals::default(),
        lag: Lag::default(),
        validity: Validity { state: ValidityState::Valid, reasons: Vec::new() },
        fidelity: Fidelity::default(),
        recovery: None,
        audit: before_the_run(asked, choices, &plan.endpoints),
        workers: Vec::new(),
        rewrites: plan.rewrites.iter().map(rewrite).collect(),
        marks: Vec::new(),
        limitations: ready.limitations.clone(),
        verdicts: Vec::new(),
    }
}

/// As run directories and suites have it.
pub(super) const fn profile_of(profile: Profile) -> format::Profile {
    match profile {
        Profile::Full => format::Profile::Full,
        Profile::Quick => format::Profile::Quick,
    }
}

fn rewrite(Rewritten { rewrite, requests }: &Rewritten) -> RewriteRef {
    RewriteRef {
        file: rewrite.file.clone(),
        digest: rewrite.digest.clone(),
        rule: rewrite.rule.clone(),
        means: rewrite.means.clone(),
        requests: *requests,
    }
}

/// What of the scenario's load is run otherwise. A shard is part of the same load.
fn changed(asked: &Asked<'_>, load: &Load, scenario: &Scenario) -> Vec<String> {
    let left_out = asked.input.read_only.then(|| "--read-only instead of all requests".to_owned());
    let changes = load.changes(scenario.load(asked.load.profile()));
    changes.into_iter().chain(left_out).collect()
}

fn personas(plan: &Prepared, schedule: &Schedule, settings: &Settings) -> Vec<PersonaRun> {
    plan.personas
        .iter()
        .zip(&settings.accounts)
        .enumerate()
        .map(|(index, (persona, accounts))| PersonaRun {
            name: persona.name.clone(),
            users: schedule.shares[index],
            accounts: accounts.len() as u64,
            users_per_account: most_of_one(schedule, index, accounts.len() as u64),
        })
        .collect()
}

/// The most users of a persona that take the same account.
fn most_of_one(schedule: &Schedule, persona: usize, accounts: u64) -> u64 {
    let mut users: BTreeMap<u64, u64> = BTreeMap::new();
    for user in schedule.users.iter().filter(|user| user.persona == persona) {
        if let Some(account) = user.ordinal.checked_rem(accounts) {
            *users.entry(account).or_default() += 1;
        }
    }
    users.into_values().max().unwrap_or(0)
}
