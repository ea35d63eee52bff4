//! How many users of which persona, and when each starts.

use std::time::Duration;

use common::nearest;
use common::shares::{interleaved, largest_remainder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bound::Bound;
use super::chain::{Chain, scaled};
use crate::prepare::{Body, Prepared, Session};
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
}

#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("rate {goal}: the trace has no request of that name{hint}; it has {known}")]
    UnknownRate { goal: RateGoal, hint: String, known: String },
    #[error(
        "rate {goal}: {users} users make {planned:.1}/s, {deviation:.1} % off; \
         allow it with --rate-tolerance, or choose another rate or speed"
    )]
    RateOff { goal: RateGoal, users: u64, planned: f64, deviation: f64 },
    #[error("persona {persona} has only logins in the trace, so its users have nothing to do")]
    NothingToDo { persona: String },
}

impl Schedule {
    /// Plans the users of a load.
    ///
    /// # Errors
    /// When a rate cannot be met, or a persona has nothing but logins to replay.
    pub fn new(plan: &Prepared, policy: &Policy) -> Result<Self, ScheduleError> {
        let load = &policy.load;
        let mut schedule = match &load.axis {
            Axis::Clones(clones) => Self::of_clones(plan, policy, *clones),
            Axis::Users(users) => Self::of_users(plan, load, *users, None)?,
            Axis::Stages(stages) => Self::of_users(plan, load, stages.to, Some(stages))?,
            Axis::Rate(goal) => {
                let users = users_for(plan, load, goal)?;
                let mut schedule = Self::of_users(plan, load, users, None)?;
                let planned = schedule.rate_of(plan, load, goal);
                let asked = goal.rate.per_second();
                let deviation = (planned - asked).abs() / asked;
                if deviation > policy.rate_tolerance {
                    let (goal, deviation) = (goal.clone(), deviation * 100.0);
                    return Err(ScheduleError::RateOff { goal, users, planned, deviation });
                }
                schedule.rate = Some((asked, planned));
                schedule
            }
        };
        schedule.end = load.duration.map(|duration| At::START + duration);
        Ok(schedule)
    }

    /// The plan's end, or never where it ends with its last request.
    pub fn until(&self) -> At {
        self.end.unwrap_or(At::NEVER)
    }

    /// Every session `clones` times at its recorded arrival; the first is exact, the
    /// others are jittered by up to the mean time between two arrivals.
    fn of_clones(plan: &Prepared, policy: &Policy, clones: u64) -> Self {
        let speed = policy.load.speed;
        let first = plan.sessions.iter().map(|s| s.arrival).min().unwrap_or_default();
        let last = plan.sessions.iter().map(|s| s.arrival).max().unwrap_or_default();
        let mean_gap = (last - first) / u32::try_from(plan.sessions.len()).unwrap_or(u32::MAX);
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
                });
            }
        }
        users.sort_by_key(|user| user.start);
        let mut shares = vec![0; plan.personas.len()];
        for user in &mut users {
            user.ordinal = shares[user.persona];
            shares[user.persona] += 1;
        }
        Self { users, shares, end: None, is_limited: false, ramp_end: At::START, rate: None }
    }

    fn of_users(
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
            });
        }
        let ramp = stages.map_or(total, |stages| stages.start);
        let ramp_end = starts.of(ramp.saturating_sub(1));
        Ok(Self { users, shares, end: None, is_limited: false, ramp_end, rate: None })
    }

    /// Requests a second that the users make on the plateau, of what the goal names.
    fn rate_of(&self, plan: &Prepared, load: &Load, goal: &RateGoal) -> f64 {
        let rates = rates(plan, load, goal);
        self.shares.iter().zip(rates).map(|(users, rate)| *users as f64 * rate).sum()
    }
}

/// A session that is all prologue.
fn is_idle(session: &Session) -> bool {
    session.prologue == session.offsets.len()
}

/// When user number `index` starts.
struct Starts<'a> {
    load: &'a Load,
    stages: Option<&'a Stages>,
}

impl Starts<'_> {
    fn of(&self, index: u64) -> At {
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

/// Requests a second that one user of each persona makes, of what the goal names.
fn rates(plan: &Prepared, load: &Load, goal: &RateGoal) -> Vec<f64> {
    plan.personas
        .iter()
        .map(|persona| {
            let counts = |session: &Session| {
                // A rate is that of users who go on, so all sessions are held.
                let Body::Held(requests) = &session.body else { return 0 };
                requests[session.prologue..]
                    .iter()
                    .filter(|request| match &goal.of {
                        None => true,
                        Some(of) => *of == persona.name || *of == plan.endpoints[request.endpoint],
                    })
                    .count()
            };
            let sessions = || persona.sessions.iter().map(|&index| &plan.sessions[index]);
            let requests: usize = sessions().map(counts).sum();
            let length: Duration = sessions().map(|session| session.body_length).sum();
            if requests == 0 {
                return 0.0;
            }
            requests as f64 / length.as_secs_f64().max(1e-3) * load.speed.factor()
        })
        .collect()
}

/// The number of users, rounded, that a rate needs.
fn users_for(plan: &Prepared, load: &Load, goal: &RateGoal) -> Result<u64, ScheduleError> {
    let weight: f64 = plan.personas.iter().map(|persona| persona.weight).sum();
    let per_user: f64 = rates(plan, load, goal)
        .iter()
        .zip(&plan.personas)
        .map(|(rate, persona)| rate * persona.weight / weight)
        .sum();
    if per_user <= 0.0 {
        let personas = plan.personas.iter().map(|persona| persona.name.as_str());
        let known: Vec<&str> = personas.chain(plan.endpoints.iter().map(String::as_str)).collect();
        let name = goal.of.as_deref().unwrap_or_default();
        let hint = nearest::hint(name, known.iter().copied());
        let known = known.join(", ");
        return Err(ScheduleError::UnknownRate { goal: goal.clone(), hint, known });
    }
    Ok((goal.rate.per_second() / per_user).round().max(1.0) as u64)
}
