//! How many users make a rate: the number whose plan does, found by planning them.

use std::collections::BTreeMap;
use std::time::Duration;

use common::nearest;

use super::users::{Policy, Schedule, ScheduleError};
use super::walk::each_request;
use crate::prepare::{Prepared, Session};
use crate::time::At;
use scenario::{Load, RateGoal};

/// What so many users make a second; none where they leave nothing to judge.
type Tried = BTreeMap<u64, Option<f64>>;

/// Plans that are made at most to find a number of users; a handful is what it takes.
const MOST_TRIES: usize = 32;

/// Plans after which a number is looked for in the middle, and no longer by proportion.
const BY_PROPORTION: usize = 8;

/// Plans without any request of the goal after which no more users are tried.
const IN_VAIN: usize = 4;

impl Schedule {
    /// As many users as make a rate in the seconds that are judged.
    pub(super) fn of_rate(
        plan: &Prepared,
        policy: &Policy,
        goal: &RateGoal,
    ) -> Result<Self, ScheduleError> {
        let asked = goal.rate.per_second();
        let counted = Counted::of(plan, goal)?;
        let guess = asked / counted.by_one_user(plan, &policy.load);
        let guess = if guess.is_finite() { guess.round() as u64 } else { 1 };
        let tried = search(asked, guess, |users| {
            Ok(planned(plan, policy, users)?.made(plan, &policy.load, &counted))
        })?;
        let off = |made: f64| (made - asked).abs() / asked;
        let made = tried.iter().filter_map(|(users, made)| Some((*users, (*made)?)));
        let nearest = made.min_by(|(_, one), (_, other)| off(*one).total_cmp(&off(*other)));
        match nearest {
            Some((users, made)) if made > 0.0 && off(made) <= policy.rate_tolerance => {
                let rate = Some((asked, made));
                Ok(Self { rate, ..planned(plan, policy, users)? })
            }
            _ => {
                let deviation = nearest.map_or(1.0, |(_, made)| off(made)) * 100.0;
                let why = why(&tried, asked);
                Err(ScheduleError::RateOff { goal: goal.clone(), why, deviation })
            }
        }
    }

    /// For a rate: what the plan makes beside what was asked for.
    pub fn rate_text(&self) -> Option<String> {
        let (asked, planned) = self.rate?;
        let off = (planned - asked) / asked * 100.0;
        Some(format!("{}/s planned, {}/s asked ({off:+.2} %)", short(planned), short(asked)))
    }

    /// Requests a second in what is judged.
    fn made(&self, plan: &Prepared, load: &Load, counted: &Counted) -> Option<f64> {
        let window = self.judged(plan, load)?;
        let from = At::START + Duration::from_secs(window.start_s);
        let mut count = 0_u64;
        for user in &self.users {
            each_request(plan, user, load, self.until(), |run, request, due| {
                let session = &plan.sessions[run.session];
                count += u64::from(due >= from && counted.counts(session, request));
            });
        }
        Some(count as f64 / (window.end() - window.start_s as f64))
    }
}

/// So many users, up to the plan's end.
fn planned(plan: &Prepared, policy: &Policy, users: u64) -> Result<Schedule, ScheduleError> {
    let load = &policy.load;
    let mut schedule = Schedule::of_users(plan, load, users, None)?;
    schedule.end = load.duration.map(|duration| At::START + duration);
    Ok(match load.max_requests {
        Some(most) => schedule.at_most(plan, load, most),
        None => schedule,
    })
}

/// The requests that a goal is about.
enum Counted {
    All,
    Of { persona: Option<usize>, endpoint: Option<usize> },
}

impl Counted {
    /// Those that a goal names.
    ///
    /// # Errors
    /// When the trace has no such persona and no such endpoint.
    fn of(plan: &Prepared, goal: &RateGoal) -> Result<Self, ScheduleError> {
        let Some(name) = &goal.of else { return Ok(Self::All) };
        let personas = || plan.personas.iter().map(|persona| &persona.name);
        let persona = personas().position(|known| known == name);
        let endpoint = plan.endpoints.iter().position(|known| known == name);
        if persona.is_some() || endpoint.is_some() {
            return Ok(Self::Of { persona, endpoint });
        }
        let known: Vec<&str> = personas().chain(&plan.endpoints).map(String::as_str).collect();
        let hint = nearest::hint(name, known.iter().copied());
        let known = known.join(", ");
        Err(ScheduleError::UnknownRate { goal: goal.clone(), hint, known })
    }

    fn counts(&self, session: &Session, request: usize) -> bool {
        match self {
            Self::All => true,
            Self::Of { persona, endpoint } => {
                // A rate is that of users who go on, so all sessions are held.
                let sent_to = session.body.held().get(request).map(|request| request.endpoint);
                *persona == Some(session.persona) || endpoint.is_some() && *endpoint == sent_to
            }
        }
    }

    /// Requests a second of an average user over whole cycles, without logins: what a number of
    /// users makes in some seconds of a plan is another matter, and this a first guess.
    fn by_one_user(&self, plan: &Prepared, load: &Load) -> f64 {
        let weight: f64 = plan.personas.iter().map(|persona| persona.weight).sum();
        let of_persona = |sessions: &[usize]| {
            let sessions = || sessions.iter().map(|&index| &plan.sessions[index]);
            let of_session = |session: &Session| {
                (session.prologue..session.offsets.len())
                    .filter(|request| self.counts(session, *request))
                    .count()
            };
            let requests: usize = sessions().map(of_session).sum();
            let length: Duration = sessions().map(|session| session.body_length).sum();
            requests as f64 / length.as_secs_f64().max(1e-3) * load.speed.factor()
        };
        plan.personas
            .iter()
            .map(|persona| of_persona(&persona.sessions) * persona.weight / weight)
            .sum()
    }
}

/// Tries numbers of users from a guess on, up to two next to each other of which one makes too
/// little and one enough.
fn search<E>(
    asked: f64,
    guess: u64,
    mut made_by: impl FnMut(u64) -> Result<Option<f64>, E>,
) -> Result<Tried, E> {
    let mut tried = Tried::new();
    let mut users = guess.max(1);
    while tried.len() < MOST_TRIES && !tried.contains_key(&users) {
        tried.insert(users, made_by(users)?);
        users = next(&tried, asked);
    }
    Ok(tried)
}

/// What surrounds the number that is looked for.
struct Between {
    /// The most users known to make too little, and what they make.
    few: Option<(u64, f64)>,
    /// The fewest known to make enough, or to leave nothing to judge.
    many: Option<(u64, Option<f64>)>,
}

fn between(tried: &Tried, asked: f64) -> Between {
    let is_enough = |made: &Option<f64>| made.is_none_or(|made| made >= asked);
    let too_little = |(users, made): (&u64, &Option<f64>)| {
        made.filter(|made| *made < asked).map(|made| (*users, made))
    };
    let many = tried.iter().find(|(_, made)| is_enough(made));
    Between {
        few: tried.iter().rev().find_map(too_little),
        many: many.map(|(users, made)| (*users, *made)),
    }
}

/// The number to be tried next; one that was tried where there is no better.
fn next(tried: &Tried, asked: f64) -> u64 {
    let in_proportion = |users: u64, made: f64| (users as f64 * asked / made).round() as u64;
    let Between { few, many } = between(tried, asked);
    match (few, many) {
        (Some((few, made)), None) if made > 0.0 => in_proportion(few, made).max(few + 1),
        (Some((few, _)), None) if tried.len() < IN_VAIN => few * 2,
        (None, Some((1, _))) => 1,
        (None, Some((many, made))) => {
            made.map_or(many / 2, |made| in_proportion(many, made)).clamp(1, many - 1)
        }
        (Some((few, less)), Some((many, made))) if few + 1 < many => {
            let share = match made {
                Some(more) if tried.len() < BY_PROPORTION => (asked - less) / (more - less),
                _ => 0.5,
            };
            let further = (share * (many - few) as f64).round() as u64;
            (few + further).clamp(few + 1, many - 1)
        }
        (Some((users, _)), _) => users,
        (None, None) => 1,
    }
}

/// Why no number of users makes the rate.
fn why(tried: &Tried, asked: f64) -> String {
    let make = |users: u64, made: f64| match users {
        1 => format!("1 user makes {}/s", short(made)),
        _ => format!("{users} users make {}/s", short(made)),
    };
    let too_many =
        |users| format!("with {users} the ramp and the warm-up leave less than a second to judge");
    let Between { few, many } = between(tried, asked);
    match (few, many) {
        (Some((_, 0.0)), None) => {
            "however many the users, none of it is due in the seconds that are judged".to_owned()
        }
        (few, many) => {
            let few = few.map(|(users, made)| make(users, made));
            let many = many.map(|(users, made)| {
                made.map_or_else(|| too_many(users), |made| make(users, made))
            });
            few.into_iter().chain(many).collect::<Vec<_>>().join(" and ")
        }
    }
}

/// A rate to four digits or so.
fn short(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.3}") } else { format!("{rate:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(asked: f64, guess: u64, made: impl Fn(u64) -> Option<f64>) -> (Tried, Option<u64>) {
        let tried = search(asked, guess, |users| Ok::<_, ()>(made(users))).unwrap();
        let off = |made: f64| (made - asked).abs();
        let all = tried.iter().filter_map(|(users, made)| Some((*users, (*made)?)));
        let nearest = all.min_by(|(_, a), (_, b)| off(*a).total_cmp(&off(*b)));
        (tried.clone(), nearest.map(|(users, _)| users))
    }

    #[test]
    fn the_nearest_number_is_found_in_a_few_plans_whatever_the_guess() {
        for guess in [0, 1, 7, 300, 1_000_000] {
            let (tried, nearest) = found(1000.0, guess, |users| Some(users as f64 * 3.3));
            assert_eq!(nearest, Some(303), "{tried:?}");
            assert!(tried.len() <= 6, "{tried:?}");
        }
    }

    #[test]
    fn users_who_start_too_slowly_are_too_many() {
        let made = |users| (users < 40).then_some(users as f64);
        let (tried, nearest) = found(100.0, 100, made);
        assert_eq!(nearest, Some(39), "{tried:?}");
        let why = why(&tried, 100.0);
        assert!(why.starts_with("39 users make 39.0/s and with 40 the ramp"), "{why}");
    }

    #[test]
    fn what_nothing_makes_is_not_looked_for_for_ever() {
        let (tried, _) = found(10.0, 3, |_| Some(0.0));
        assert!(tried.len() <= IN_VAIN, "{tried:?}");
        assert!(why(&tried, 10.0).contains("none of it is due"), "{tried:?}");
        let (tried, nearest) = found(10.0, 3, |_| None);
        assert_eq!((nearest, tried.contains_key(&1)), (None, true));
    }
}
