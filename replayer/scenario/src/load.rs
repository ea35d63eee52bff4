//! The load of a scenario: how many, how fast, for how long.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::axis::Axis;
use super::expectation::Expectation;
use super::rate::{Rate, RateGoal, Speed};
use super::stages::Stages;

/// Which of a scenario's loads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    #[default]
    Full,
    /// Scaled down in users and length: shown, never judged.
    Quick,
}

/// When a request is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pacing {
    /// By the schedule, whatever the target does.
    #[default]
    Open,
    /// After the previous answer and the recorded think time.
    Closed,
}

impl Pacing {
    /// As it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Whether a session keeps its order: what each of its requests came after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// What had ended before a request began ends before it.
    #[default]
    Session,
    /// Each request stands for itself: only for values that it needs does it wait.
    None,
}

impl Order {
    /// As it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::None => "none",
        }
    }
}

/// What a user does at the end of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// The next session of its persona, on the same connection, account and token.
    #[default]
    SameUser,
    /// A new user takes its place, and logs in.
    NewUser,
}

impl Restart {
    /// As it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SameUser => "same-user",
            Self::NewUser => "new-user",
        }
    }
}

/// A load, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub axis: Axis,
    pub pacing: Pacing,
    pub order: Order,
    pub speed: Speed,
    /// Users started a second; none means all at once.
    pub spawn_rate: Option<Rate>,
    /// None means until the plan is done.
    pub duration: Option<Duration>,
    /// The plan ends with this request.
    pub max_requests: Option<u64>,
    /// After the ramp, before the plateau that is judged.
    pub warmup: Duration,
    pub restart: Restart,
    /// Personas that take part; empty means all of the trace.
    pub personas: Vec<String>,
    /// Ends the run when it holds over the last ten seconds.
    pub stop_on: Option<Expectation>,
    /// Until then, from the start, it may hold.
    pub stop_not_before: Duration,
    /// Of a load in stages: once it is over, the users of the first step stay for at most so long,
    /// until the target is what it was then.
    pub recovery: Option<Duration>,
}

/// The shortest bound on a recovery: five seconds in a row have to be as at the first step, and the
/// load may end within one.
pub const LEAST_RECOVERY: Duration = Duration::from_secs(6);

impl Load {
    /// Every session once, at its recorded arrival and pace.
    pub fn as_recorded() -> Self {
        Self {
            axis: Axis::Clones(1),
            pacing: Pacing::Open,
            order: Order::Session,
            speed: Speed::default(),
            spawn_rate: None,
            duration: None,
            max_requests: None,
            warmup: Duration::ZERO,
            restart: Restart::SameUser,
            personas: Vec::new(),
            stop_on: None,
            stop_not_before: Duration::ZERO,
            recovery: None,
        }
    }

    /// What of this load is not as `planned` has it, each such as `users 20 instead of users 1000`.
    pub fn changes(&self, planned: &Self) -> Vec<String> {
        self.parts()
            .into_iter()
            .zip(planned.parts())
            .filter(|(mine, its)| mine != its)
            .map(|(mine, its)| format!("{mine} instead of {its}"))
            .collect()
    }

    /// How long the condition to stop may hold, in words such as ` after 30s`; empty where from the
    /// start on it may not.
    pub fn stop_grace(&self) -> String {
        match self.stop_not_before {
            Duration::ZERO => String::new(),
            from => format!(" after {}", humantime::format_duration(from)),
        }
    }

    /// All that makes a load, in words; the same number of them for every load.
    fn parts(&self) -> [String; 12] {
        let length = |duration: Duration| humantime::format_duration(duration);
        [
            self.axis.to_string(),
            format!("{} pacing", self.pacing.name()),
            format!("order {}", self.order.name()),
            format!("speed {}", self.speed.factor()),
            self.spawn_rate.map_or_else(
                || "all users at once".to_owned(),
                |rate| format!("{rate} users started"),
            ),
            self.duration.map_or_else(
                || "until the plan is done".to_owned(),
                |duration| format!("for {}", length(duration)),
            ),
            self.max_requests.map_or_else(
                || "any number of requests".to_owned(),
                |most| format!("at most {most} requests"),
            ),
            format!("a warm-up of {}", length(self.warmup)),
            format!("restart {}", self.restart.name()),
            match self.personas.as_slice() {
                [] => "all personas".to_owned(),
                some => format!("personas {}", some.join(", ")),
            },
            self.stop_on.as_ref().map_or_else(
                || "no condition to stop".to_owned(),
                |condition| format!("stop on `{condition}`{}", self.stop_grace()),
            ),
            self.recovery.map_or_else(
                || "no recovery".to_owned(),
                |bound| format!("recovery within {}", length(bound)),
            ),
        ]
    }
}

/// The table as it is typed; every key may be left out.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    clones: Option<NonZeroU64>,
    users: Option<NonZeroU64>,
    rate: Option<RateGoal>,
    stages: Option<Stages>,
    pacing: Option<Pacing>,
    order: Option<Order>,
    speed: Option<Speed>,
    spawn_rate: Option<Rate>,
    #[serde(default, deserialize_with = "duration")]
    duration: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    warmup: Option<Duration>,
    restart: Option<Restart>,
    personas: Option<Vec<String>>,
    stop_on: Option<Expectation>,
    #[serde(default, deserialize_with = "duration")]
    stop_not_before: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    recovery: Option<Duration>,
}

impl Typed {
    /// Each key of `self`, else of `other`; the four ways to say how many count as one key.
    pub(super) fn or(self, other: Self) -> Self {
        let says_how_many = self.axes() > 0;
        let axis = if says_how_many { &self } else { &other };
        let stages = axis.stages;
        Self {
            clones: axis.clones,
            users: axis.users,
            rate: axis.rate.clone(),
            stages,
            pacing: self.pacing.or(other.pacing),
            order: self.order.or(other.order),
            speed: self.speed.or(other.speed),
            spawn_rate: self.spawn_rate.or(other.spawn_rate),
            duration: self.duration.or(other.duration),
            warmup: self.warmup.or(other.warmup),
            restart: self.restart.or(other.restart),
            personas: self.personas.or(other.personas),
            stop_on: self.stop_on.or(other.stop_on),
            stop_not_before: self.stop_not_before.or(other.stop_not_before),
            recovery: self.recovery.or(other.recovery.filter(|_| stages.is_some())),
        }
    }

    fn axes(&self) -> usize {
        [self.clones.is_some(), self.users.is_some(), self.rate.is_some(), self.stages.is_some()]
            .into_iter()
            .filter(|is_set| *is_set)
            .count()
    }

    pub(super) fn resolve(self) -> Result<Load, &'static str> {
        let pacing = self.pacing.unwrap_or_default();
        let order = self.order.unwrap_or_default();
        if order == Order::None && pacing == Pacing::Closed {
            return Err("order = \"none\" needs pacing = \"open\"");
        }
        if self.axes() > 1 {
            return Err("more than one of clones, users, rate and stages");
        }
        let axis = match (self.clones, self.users, self.rate, self.stages) {
            (Some(clones), ..) => Axis::Clones(clones.get()),
            (_, Some(users), ..) => Axis::Users(users.get()),
            (_, _, Some(_), _) if pacing == Pacing::Closed => {
                return Err("a rate needs pacing = \"open\"");
            }
            (_, _, Some(goal), _) => Axis::Rate(goal),
            (.., Some(stages)) => Axis::Stages(stages),
            (None, None, None, None) => return Err("none of clones, users, rate and stages"),
        };
        let duration = match (&axis, self.duration) {
            (_, Some(duration)) if duration.is_zero() => return Err("duration is zero"),
            (_, Some(duration)) => Some(duration),
            (Axis::Stages(stages), None) => Some(stages.duration()),
            (Axis::Clones(_), None) => None,
            (Axis::Users(_) | Axis::Rate(_), None) => return Err("duration is missing"),
        };
        if self.stop_on.as_ref().is_some_and(|condition| condition.phase().is_some()) {
            return Err(
                "stop_on is taken over the last ten seconds, and so of no phase; see stop_not_before",
            );
        }
        if self.stop_on.is_none() && self.stop_not_before.is_some() {
            return Err("stop_not_before needs stop_on");
        }
        if let Some(bound) = self.recovery {
            if !matches!(axis, Axis::Stages(_)) {
                return Err("recovery needs stages");
            }
            if bound < LEAST_RECOVERY {
                return Err("recovery is under 6s");
            }
        }
        Ok(Load {
            axis,
            pacing,
            order,
            speed: self.speed.unwrap_or_default(),
            spawn_rate: self.spawn_rate,
            duration,
            max_requests: None,
            warmup: self.warmup.unwrap_or_default(),
            restart: self.restart.unwrap_or_default(),
            personas: self.personas.unwrap_or_default(),
            stop_on: self.stop_on,
            stop_not_before: self.stop_not_before.unwrap_or_default(),
            recovery: self.recovery,
        })
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(|error| {
        serde::de::Error::custom(format!("{text:?} is not a duration such as 90s or 5m: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_of_a_load_was_run_otherwise_is_said() {
        let planned = Load {
            axis: Axis::Users(1000),
            duration: Some(Duration::from_secs(300)),
            ..Load::as_recorded()
        };
        assert!(planned.changes(&planned).is_empty());
        let other = Load {
            axis: Axis::Users(20),
            pacing: Pacing::Closed,
            order: Order::None,
            speed: "2".parse().unwrap(),
            spawn_rate: Some("5/s".parse().unwrap()),
            duration: Some(Duration::from_secs(6)),
            max_requests: Some(9),
            warmup: Duration::from_secs(1),
            restart: Restart::NewUser,
            personas: vec!["A".to_owned(), "B".to_owned()],
            stop_on: Some("p95 > 1s".parse().unwrap()),
            stop_not_before: Duration::from_secs(30),
            recovery: Some(Duration::from_secs(60)),
        };
        assert_eq!(
            other.changes(&planned),
            [
                "users 20 instead of users 1000",
                "closed pacing instead of open pacing",
                "order none instead of order session",
                "speed 2 instead of speed 1",
                "5/s users started instead of all users at once",
                "for 6s instead of for 5m",
                "at most 9 requests instead of any number of requests",
                "a warm-up of 1s instead of a warm-up of 0s",
                "restart new-user instead of restart same-user",
                "personas A, B instead of all personas",
                "stop on `p95 > 1s` after 30s instead of no condition to stop",
                "recovery within 1m instead of no recovery",
            ]
        );
    }
}
