//! Rates beside arithmetic on what was recorded.

use std::time::Duration;

use proptest::prelude::*;

use super::tests::{Shape, load, plan_of, schedule, shape};
use super::{Policy, Schedule, ScheduleError};
use scenario::{Axis, Load, Restart};

proptest! {
    #[test]
    fn a_rate_is_what_the_plan_makes_in_the_judged_seconds_or_an_error(
        shapes in prop::collection::vec(shape(), 1..8), asked in 0.5_f64..80.0,
        of in prop::sample::select(vec!["", "p1=", "GET /odd="]), speed in 0.3_f64..3.0,
        spawn in prop::option::of(1_u32..20), warmup in 0_u64..3, half_seconds in 4_u64..16,
        new_user in any::<bool>(),
    ) {
        let plan = plan_of(&shapes);
        let goal: scenario::RateGoal = format!("{of}{asked}/s").parse().unwrap();
        let load = Load {
            spawn_rate: spawn.map(|rate| format!("{rate}/s").parse().unwrap()),
            warmup: Duration::from_secs(warmup),
            duration: Some(Duration::from_millis(half_seconds * 500)),
            restart: if new_user { Restart::NewUser } else { Restart::SameUser },
            ..load(Axis::Rate(goal), speed)
        };
        let policy = Policy { load: load.clone(), seed: 1, rate_tolerance: 0.02 };
        match Schedule::new(&plan, &policy) {
            Ok(schedule) => {
                let (start_s, made) = made_by(&shapes, &schedule, &load, of);
                let (was_asked, planned) = schedule.rate.unwrap();
                prop_assert!((was_asked - asked).abs() < 1e-9);
                prop_assert!((planned - made).abs() <= 1e-6 * made, "{planned} planned, {made} made");
                prop_assert!((made - asked).abs() <= 0.02 * asked + 1e-9, "{made}, not {asked}");
                let window = schedule.judged(&plan, &load).unwrap();
                prop_assert_eq!((window.start_s, window.end()), (start_s, half_seconds as f64 / 2.0));
            }
            Err(ScheduleError::RateOff { why, deviation, .. }) => {
                prop_assert!(deviation > 2.0 && !why.is_empty(), "{why}, {deviation} %");
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// Where users are all alike and there at once, each one more adds to the rate.
    #[test]
    fn an_error_is_right_that_no_number_of_users_makes_the_rate(
        gaps in prop::collection::vec(1_u64..20, 1..8), asked in 0.5_f64..30.0,
    ) {
        let gaps: Vec<u64> = gaps.iter().map(|gap| gap * 50_000).collect();
        let shapes = [(0, 0, gaps, 0)];
        let plan = plan_of(&shapes);
        let goal: scenario::RateGoal = format!("{asked}/s").parse().unwrap();
        let load = load(Axis::Rate(goal), 1.0);
        let policy = Policy { load: load.clone(), seed: 1, rate_tolerance: 0.02 };
        let is_made = (1..=60).any(|users| {
            let users = schedule(&plan, &Load { axis: Axis::Users(users), ..load.clone() }, 1);
            let made = made_by(&shapes, &users, &load, "").1;
            (made - asked).abs() <= 0.02 * asked
        });
        prop_assert_eq!(Schedule::new(&plan, &policy).is_ok(), is_made);
    }
}

/// The first judged second, and requests a second from there to the end, by arithmetic on the
/// shapes alone.
fn made_by(shapes: &[Shape], schedule: &Schedule, load: &Load, of: &str) -> (u64, f64) {
    let ns = |us: u64| (us as f64 * 1000.0 / load.speed.factor()) as i64;
    let ramp = schedule.users.iter().map(|user| user.start.nanos()).max().unwrap();
    let start_s = (ramp as u64).div_ceil(1_000_000_000) + load.warmup.as_secs();
    let (begin, end) = (start_s as i64 * 1_000_000_000, load.duration.unwrap().as_nanos() as i64);
    let mut count = 0;
    for user in &schedule.users {
        let mine: Vec<&Shape> = shapes.iter().filter(|shape| shape.0 == user.persona).collect();
        let mut start = user.start.nanos();
        for run in 0.. {
            let (_, _, gaps, prologue) = mine[(user.ordinal as usize + run) % mine.len()];
            let prologue = (*prologue).min(gaps.len() - 1);
            let at: Vec<u64> = (0..gaps.len()).map(|n| gaps[1..=n].iter().sum()).collect();
            let logged_in = prologue.checked_sub(1).map_or(0, |last| at[last]);
            let logs_in = run == 0 || load.restart == Restart::NewUser;
            let skipped = if logs_in { 0 } else { logged_in };
            for (number, at) in at.iter().enumerate().skip(if logs_in { 0 } else { prologue }) {
                let due = start + ns(at - skipped);
                let is_counted = match of {
                    "" => true,
                    "p1=" => user.persona == 1,
                    _ => number % 2 == 1,
                };
                count += u64::from(is_counted && (begin..end).contains(&due));
            }
            start += ns(at[gaps.len() - 1] - skipped + 200_000);
            if start >= end {
                break;
            }
        }
    }
    (start_s, count as f64 / ((end - begin) as f64 / 1e9))
}
