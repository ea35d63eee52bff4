//! How many users of which persona, and when each starts.

use std::time::Duration;

use common::shares::{interleaved, largest_remainder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bound::Bound;
use super::chain::{Chain, scaled};
use super::ends::{Ends, Stay};
use crate::prepare::{Prepared, Session};
use crate::time::At;
use scenario::{Axis, Load, RateGoal, Stages};

/// What the schedule depends on beside the trace.
#[derive(Clone, Debug)]
pub struct Policy {
    pub load: Load,
    pub seed: u64,
    /// How far the rate of the plan may be from the one asked for, as a share.
    pub rate_tolerance: f64,
}

/// Every user of the run, by start.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub users: Vec<PlannedUser>,
    /// Users by persona.
    pub shares: Vec<u64>,
    /// Requests due from here on are not part of the plan.
    pub end: Option<At>,
    /// Whether the end is that of a number of requests.
    pub is_limited: bool,
    /// How long, at most, users who stay are there from the end on.
    pub recovery: Duration,
    /// When the last user of the ramp has started.
    pub ramp_end: At,
    /// For a rate: what was asked for and what the plan makes, in requests a second.
    pub rate: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedUser {
    pub persona: usize,
    /// Which of the persona's users it is, from 0: decides account and seeds.
    pub ordinal: u64,
    pub start: At,
    pub chain: Chain,
    /// Where the plan ends within requests that are due at the same time.
    pub bound: Bound,
    pub stay: Stay,
}

/// Each is held while the plan is made and run: 200 MiB at most.
const MOST_USERS: u128 = 2_000_000;

#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("rate {goal}: the trace has no request of that name{hint}; it has {known}")]
    UnknownRate { goal: RateGoal, hint: String, known: String },
    #[error(
        "rate {goal}: {why}, {deviation:.1} % off at best; \
         allow it with --rate-tolerance, or choose another rate, speed or duration"
    )]
    RateOff { goal: RateGoal, why: String, deviation: f64 },
    #[error("the plan has {users} users and clones, over the {MOST_USERS} that one is made for")]
    TooMany { users: u128 },
    #[error("persona {persona} has only logins in the trace, so its users have nothing to do")]
    NothingToDo { persona: String },
}

impl Schedule {
    /// Plans the users of a load.
    ///
    /// # Errors
    /// When a rate cannot be met, there are more users than [`MOST_USERS`], or a persona has
    /// nothing but logins to replay.
    pub fn new(plan: &Prepared, policy: &Policy) -> Result<Self, ScheduleError> {
        let load = &policy.load;
        let users = match &load.axis {
            Axis::Clones(clones) => u128::from(*clones) * plan.sessions.len() as u128,
            Axis::Users(users) => u128::from(*users),
            Axis::Stages(stages) => u128::from(stages.to),
            // Found by a search that ends at the rate.
            Axis::Rate(_) => 0,
        };
        if users > MOST_USERS {
            return Err(ScheduleError::TooMany { users });
        }
        let mut schedule = match &load.axis {
            Axis::Clones(clones) => Self::of_clones(plan, policy, *clones),
            Axis::Users(users) => Self::of_users(plan, load, *users, None)?,
            Axis::Stages(stages) => Self::of_users(plan, load, stages.to, Some(stages))?,
            Axis::Rate(goal) => return Self::of_rate(plan, policy, goal),
        };
        schedule.end = load.duration.map(|duration| At::START + duration);
        schedule.recovery = load.recovery.unwrap_or_default();
        Ok(schedule)
    }

    /// The plan's end, or never where it ends with its last request.
    pub fn until(&self) -> At {
        self.end.unwrap_or(At::NEVER)
    }

    /// When those leave who leave with the load, and those who stay longer.
    pub fn ends(&self) -> Ends {
        let load = self.until();
        Ends { load, rest: load + self.recovery }
    }

    /// Every session `clones` times at its recorded arrival; the first is exact, the
    /// others are jittered by up to [`mean_gap`].
    fn of_clones(plan: &Prepared, policy: &Policy, clones: u64) -> Self {
        let speed = policy.load.speed;
        let first = plan.sessions.iter().map(|s| s.arrival).min().unwrap_or_default();
        let mean_gap = mean_gap(&plan.sessions);
        let mut random = ChaCha8Rng::seed_from_u64(policy.seed);
        let mut users = Vec::new();
        for clone in 0..clones {
            for (index, session) in plan.sessions.iter().enumerate() {
                let jitter = if clone == 0 { 0.0 } else { random.random::<f64>() };
                let arrival = session.arrival - first + mean_gap.mul_f64(jitter);
                users.push(PlannedUser {
                    persona: session.persona,
                    ordinal: 0,
                    start: At::START + scaled(arrival, speed),
                    chain: Chain::Once { session: index },
                    bound: Bound::NONE,
                    stay: Stay::WithLoad,
                });
            }
        }
        users.sort_by_key(|user| user.start);
        let mut shares = vec![0; plan.personas.len()];
        for user in &mut users {
            user.ordinal = shares[user.persona];
            shares[user.persona] += 1;
        }
        Self::without_end(users, shares, At::START)
    }

    fn without_end(users: Vec<PlannedUser>, shares: Vec<u64>, ramp_end: At) -> Self {
        let recovery = Duration::ZERO;
        Self { users, shares, end: None, is_limited: false, recovery, ramp_end, rate: None }
    }

    pub(super) fn of_users(
        plan: &Prepared,
        load: &Load,
        total: u64,
        stages: Option<&Stages>,
    ) -> Result<Self, ScheduleError> {
        let weights: Vec<f64> = plan.personas.iter().map(|persona| persona.weight).collect();
        let shares = largest_remainder(total, &weights);
        for (persona, share) in plan.personas.iter().zip(&shares) {
            let idle = |index: &usize| is_idle(&plan.sessions[*index]);
            if *share > 0 && persona.sessions.iter().all(idle) {
                return Err(ScheduleError::NothingToDo { persona: persona.name.clone() });
            }
        }
        let starts = Starts { load, stages };
        let mut users = Vec::with_capacity(usize::try_from(total).unwrap_or_default());
        for (index, (persona, ordinal)) in interleaved(&shares).into_iter().enumerate() {
            let sessions = plan.personas[persona].sessions.len().max(1);
            users.push(PlannedUser {
                persona,
                ordinal,
                start: starts.of(index as u64),
                chain: Chain::Cycle { first: usize::try_from(ordinal).unwrap_or(0) % sessions },
                bound: Bound::NONE,
                stay: match stages {
                    Some(stages) if (index as u64) < stages.start => Stay::Longer,
                    _ => Stay::WithLoad,
                },
            });
        }
        let ramp = stages.map_or(total, |stages| stages.start);
        let ramp_end = starts.of(ramp.saturating_sub(1));
        Ok(Self::without_end(users, shares, ramp_end))
    }
}

/// The mean time between two arrivals. Where all arrive at once, as a single session does, that
/// between two requests of a session: clones that left together would send all of theirs together.
fn mean_gap(sessions: &[Session]) -> Duration {
    let arrivals = || sessions.iter().map(|session| session.arrival);
    let (first, last) =
        (arrivals().min().unwrap_or_default(), arrivals().max().unwrap_or_default());
    let (all, count) = match last - first {
        Duration::ZERO => {
            let lengths =
                sessions.iter().map(|session| session.prologue_length + session.body_length);
            (lengths.sum(), sessions.iter().map(|session| session.offsets.len()).sum())
        }
        span => (span, sessions.len() - 1),
    };
    Duration::div_f64(all, (count as f64).max(1.0))
}

/// A session that is all prologue.
fn is_idle(session: &Session) -> bool {
    session.prologue == session.offsets.len()
}

/// When user number `index` starts.
pub(super) struct Starts<'a> {
    pub(super) load: &'a Load,
    pub(super) stages: Option<&'a Stages>,
}

impl Starts<'_> {
    pub(super) fn of(&self, index: u64) -> At {
        let spawned = |number: u64| match self.load.spawn_rate {
            Some(rate) => Duration::from_secs_f64(number as f64 / rate.per_second()),
            None => Duration::ZERO,
        };
        let Some(stages) = self.stages else { return At::START + spawned(index) };
        if index < stages.start {
            return At::START + spawned(index);
        }
        let step = (index - stages.start) / stages.step;
        let within = (index - stages.start) % stages.step;
        let begins = stages.every * u32::try_from(step + 1).unwrap_or(u32::MAX);
        // A ramp that is longer than a step delays the next one, and never bunches it up.
        (At::START + begins + spawned(within)).max(At::START + spawned(index))
    }
}
