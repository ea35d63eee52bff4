//! The options that say how much load, when it is not a scenario that does.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::input::Choices;
use super::names::Wanted;
use crate::config::ConfigError;
use scenario::{
    Axis, Expectation, LEAST_RECOVERY, Load, Order, Pacing, Profile, Rate, RateGoal, Restart,
    Scenario, Speed, Stages,
};

/// In percent.
const RATE_TOLERANCE: f64 = 2.0;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadArgs {
    /// Scenario file; the options below override what it says, and another load passes nothing
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Which load of the scenario: full, or scaled down
    #[arg(long, value_enum, default_value_t = ProfileArg::Full, requires = "scenario")]
    pub profile: ProfileArg,
    /// Divide offsets and think times by this
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<Speed>,
    /// Run every recorded session so many times
    #[arg(long, value_name = "K", group = "axis")]
    pub clones: Option<NonZeroU64>,
    /// So many users at once, shared among the personas by weight
    #[arg(long, value_name = "N", group = "axis")]
    pub users: Option<NonZeroU64>,
    /// As many users as make this rate: 1000/s, PERSONA=1000/s or 'POST /path=1000/s'
    #[arg(long, value_name = "RATE", group = "axis")]
    pub rate: Option<RateGoal>,
    /// Users in steps: 'start 100, +50 every 30s, to 400'
    #[arg(long, value_name = "STAGES", group = "axis")]
    pub stages: Option<Stages>,
    /// How long requests are released, such as 90s or 5m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// End the plan with its N-th request, over all shards
    #[arg(long, value_name = "N")]
    pub max_requests: Option<NonZeroU64>,
    /// Only these personas of the trace
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub personas: Vec<String>,
    /// Users started a second, such as 50/s; all at once if not given
    #[arg(long, value_name = "RATE")]
    pub spawn_rate: Option<Rate>,
    /// Time after the ramp that is not judged
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub warmup: Option<Duration>,
    /// open: by the schedule, whatever the target does; closed: after each answer
    #[arg(long, value_enum)]
    pub pacing: Option<PacingArg>,
    /// Each request stands for itself: order within a session is not kept, only values are waited
    /// for
    #[arg(long)]
    pub independent: bool,
    /// Who runs the next session when one ends
    #[arg(long, value_enum)]
    pub restart: Option<RestartArg>,
    /// Stop when this holds over ten seconds, such as 'failures > 5%'
    #[arg(long, value_name = "CONDITION")]
    pub stop_on: Option<Expectation>,
    /// Until then, from the start, the condition to stop may hold
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub stop_not_before: Option<Duration>,
    /// After stages, keep the users of the first step until latency and failures are what they were
    /// there, for at most so long, such as 60s
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub recovery: Option<Duration>,
    /// How far the planned rate may be off the one asked for, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = RATE_TOLERANCE)]
    pub rate_tolerance: f64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ProfileArg {
    Full,
    Quick,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PacingArg {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RestartArg {
    SameUser,
    NewUser,
}

impl From<ProfileArg> for Profile {
    fn from(typed: ProfileArg) -> Self {
        match typed {
            ProfileArg::Full => Self::Full,
            ProfileArg::Quick => Self::Quick,
        }
    }
}

impl LoadArgs {
    /// The load of a scenario as its file has it.
    pub(super) fn of_scenario(path: PathBuf, profile: ProfileArg) -> Self {
        Self {
            scenario: Some(path),
            profile,
            speed: None,
            clones: None,
            users: None,
            rate: None,
            stages: None,
            duration: None,
            max_requests: None,
            personas: Vec::new(),
            spawn_rate: None,
            warmup: None,
            pacing: None,
            independent: false,
            restart: None,
            stop_on: None,
            stop_not_before: None,
            recovery: None,
            rate_tolerance: RATE_TOLERANCE,
        }
    }

    pub(super) fn profile(&self) -> Profile {
        self.profile.into()
    }

    /// The names that the plan must have.
    pub(super) fn names<'a>(&'a self, choices: &'a Choices) -> Wanted<'a> {
        let scenario = self.scenario.as_deref().zip(choices.scenario.as_ref());
        let place = match scenario {
            Some((path, _)) if self.stop_on.is_none() => {
                format!("scenario {}: stop_on", path.display())
            }
            _ => "--stop-on".to_owned(),
        };
        Wanted {
            scenario,
            profile: self.profile(),
            stop_on: choices.load.stop_on.as_ref().map(|condition| (place, condition)),
        }
    }

    /// The scenario's load with what was typed in its place; without a scenario every
    /// session once, as recorded.
    pub(super) fn resolve(&self, scenario: Option<&Scenario>) -> Result<Load, ConfigError> {
        let base = match scenario {
            Some(scenario) => scenario.load(self.profile()).clone(),
            None => Load::as_recorded(),
        };
        let axis = match (self.clones, self.users, &self.rate, self.stages) {
            (Some(clones), ..) => Axis::Clones(clones.get()),
            (_, Some(users), ..) => Axis::Users(users.get()),
            (_, _, Some(goal), _) => Axis::Rate(goal.clone()),
            (.., Some(stages)) => Axis::Stages(stages),
            (None, None, None, None) => base.axis,
        };
        let pacing = match self.pacing {
            Some(PacingArg::Open) => Pacing::Open,
            Some(PacingArg::Closed) => Pacing::Closed,
            None => base.pacing,
        };
        let order = if self.independent { Order::None } else { base.order };
        // Stages that were typed have a length of their own.
        let of_scenario = if self.stages.is_some() { None } else { base.duration };
        let duration = self.duration.or(of_scenario).or(match &axis {
            Axis::Stages(stages) => Some(stages.duration()),
            _ => None,
        });
        let option = |option, message: &str| {
            Err(ConfigError::Option { option, message: message.to_owned() })
        };
        let max_requests = self.max_requests.map(NonZeroU64::get).or(base.max_requests);
        let ends = duration.is_some() || max_requests.is_some() && pacing == Pacing::Open;
        if !ends && !matches!(axis, Axis::Clones(_)) {
            return option("--duration", "users go on for ever, so say for how long, such as 5m");
        }
        if duration.is_some_and(|duration| duration < Duration::from_secs(1)) {
            return option("--duration", "it must be at least a second");
        }
        if order == Order::None && pacing == Pacing::Closed {
            let it_says = if self.independent { "--independent" } else { "--pacing" };
            return option(
                it_says,
                "by closed pacing each request follows another, so that none stands for itself",
            );
        }
        if matches!(axis, Axis::Rate(_)) && pacing == Pacing::Closed {
            return option("--rate", "by closed pacing the target decides the rate; use --users");
        }
        let stop_on = self.stop_on.clone().or(base.stop_on);
        let needs_schedule = |condition: &Expectation| condition.metric.needs_schedule();
        if stop_on.as_ref().is_some_and(needs_schedule) && pacing == Pacing::Closed {
            return option(
                "--stop-on",
                "by closed pacing nothing is due, so that no load is held and no time is since due",
            );
        }
        if stop_on.as_ref().is_some_and(|condition| condition.phase().is_some()) {
            return option(
                "--stop-on",
                "it is taken over the last ten seconds, and so of no phase",
            );
        }
        if stop_on.as_ref().is_some_and(|condition| condition.metric.is_of_audit()) {
            return option("--stop-on", "it is known after the run alone, by the audit");
        }
        if stop_on.is_none() && self.stop_not_before.is_some() {
            return option(
                "--stop-not-before",
                "there is no condition to stop; say --stop-on, too",
            );
        }
        let is_in_stages = matches!(axis, Axis::Stages(_));
        let ends_with_a_request = max_requests.is_some() && pacing == Pacing::Open;
        if self.recovery.is_some() && !is_in_stages {
            return option(
                "--recovery",
                "it is back to the first step of stages; say --stages, too",
            );
        }
        if self.recovery.is_some() && ends_with_a_request {
            return option("--recovery", "by open pacing --max-requests ends the whole plan");
        }
        let may_recover = is_in_stages && !ends_with_a_request;
        let recovery = self.recovery.or(base.recovery.filter(|_| may_recover));
        if recovery.is_some_and(|bound| bound < LEAST_RECOVERY) {
            return option(
                "--recovery",
                "it must be at least 6s: five seconds in a row have to be as at the first step",
            );
        }
        if !(0.0..=100.0).contains(&self.rate_tolerance) {
            return option("--rate-tolerance", "it is a share from 0 to 100 percent");
        }
        Ok(Load {
            axis,
            pacing,
            order,
            duration,
            speed: self.speed.unwrap_or(base.speed),
            spawn_rate: self.spawn_rate.or(base.spawn_rate),
            warmup: self.warmup.unwrap_or(base.warmup),
            restart: match self.restart {
                Some(RestartArg::SameUser) => Restart::SameUser,
                Some(RestartArg::NewUser) => Restart::NewUser,
                None => base.restart,
            },
            personas: if self.personas.is_empty() { base.personas } else { self.personas.clone() },
            max_requests,
            stop_on,
            stop_not_before: self.stop_not_before.unwrap_or(base.stop_not_before),
            recovery,
        })
    }
}
