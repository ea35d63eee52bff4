//! What must hold for every plan.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::walk::each_request;
use super::{PlannedUser, Policy, Schedule, ScheduleError, walk};
use crate::prepare::{
    Bindings, Body, LeftOut, Offset, Prepared, Request, Session, Template, TracePersona,
};
use crate::time::At;
use run_log::format::{Shard, TraceRef};
use scenario::{Axis, Load, Speed};

/// A session: persona, arrival, gaps between requests in microseconds, requests of its prologue.
pub(super) type Shape = (usize, u64, Vec<u64>, usize);

pub(super) fn shape() -> impl Strategy<Value = Shape> {
    // Gaps of zero and a coarse grid: requests that are due at the same time.
    let gap = prop_oneof![Just(0_u64), (1_u64..10).prop_map(|n| n * 50_000)];
    (0_usize..3, 0_u64..20, prop::collection::vec(gap, 1..8), 0_usize..2)
        .prop_map(|(persona, arrival, gaps, prologue)| (persona, arrival * 100_000, gaps, prologue))
}

pub(super) fn plan_of(shapes: &[Shape]) -> Prepared {
    let mut personas: Vec<TracePersona> = (0..3)
        .map(|n| TracePersona {
            name: format!("p{n}"),
            weight: 0.0,
            sessions: Vec::new(),
            login_slots: Arc::default(),
            needs_account: false,
            account: None,
        })
        .collect();
    let mut sessions = Vec::new();
    for (index, (persona, arrival, gaps, prologue)) in shapes.iter().enumerate() {
        personas[*persona].sessions.push(index);
        personas[*persona].weight = 1.0 + index as f64;
        sessions.push(session(index, *persona, *arrival, gaps, (*prologue).min(gaps.len() - 1)));
    }
    Prepared {
        file: TraceRef { file: String::new(), digest: String::new(), requests: 0, sessions: 0 },
        manifest: None,
        endpoints: vec!["GET /".to_owned(), "GET /odd".to_owned()],
        personas,
        sessions,
        shapes: Vec::new(),
        bindings: Bindings::default(),
        left_out: LeftOut::default(),
        rewrites: Vec::new(),
        recorded_failures: None,
    }
}

fn session(index: usize, persona: usize, arrival: u64, gaps: &[u64], prologue: usize) -> Session {
    let mut offset = Duration::ZERO;
    let mut offsets = Vec::new();
    for (number, gap) in gaps.iter().enumerate() {
        if number > 0 {
            offset += Duration::from_micros(*gap);
        }
        offsets.push(Offset::from_micros(offset.as_micros() as u64));
    }
    let prologue_length =
        prologue.checked_sub(1).map_or(Duration::ZERO, |last| offsets[last].duration());
    Session {
        name: format!("session-{index}"),
        persona,
        arrival: Duration::from_micros(arrival),
        prologue,
        prologue_length,
        body_length: offset - prologue_length + Duration::from_millis(200),
        offsets: offsets.into(),
        body: Body::Held((0..gaps.len()).map(request).collect()),
        captures: 0,
        gives: Box::default(),
        needs: Box::default(),
        refresh: None,
        width: 1,
    }
}

/// Every second one is to another endpoint.
fn request(number: usize) -> Request {
    Request {
        endpoint: number % 2,
        template: Template::default(),
        idempotent: true,
        is_safe: true,
        is_head: false,
        waits: Box::default(),
        dependents: Box::default(),
        next_free: 0,
        took_us: 0,
        captures: Vec::new(),
        recorded: None,
        has_token: false,
        mark: None,
    }
}

fn axis() -> impl Strategy<Value = Axis> {
    prop_oneof![(1_u64..5).prop_map(Axis::Clones), (1_u64..12).prop_map(Axis::Users)]
}

pub(super) fn load(axis: Axis, speed: f64) -> Load {
    Load {
        axis,
        speed: Speed::try_from(speed).unwrap(),
        duration: Some(Duration::from_secs(5)),
        ..Load::as_recorded()
    }
}

pub(super) fn schedule(plan: &Prepared, load: &Load, seed: u64) -> Schedule {
    let policy = Policy { load: load.clone(), seed, rate_tolerance: 1.0 };
    Schedule::new(plan, &policy).unwrap()
}

/// Every request of the plan: when it is due, and whose it is.
fn all(plan: &Prepared, schedule: &Schedule, load: &Load) -> Vec<(At, usize, usize, usize)> {
    let mut found = Vec::new();
    for (index, user) in schedule.users.iter().enumerate() {
        each_request(plan, user, load, schedule.until(), |run, request, due| {
            found.push((due, index, run.number, request));
        });
    }
    found
}

fn key(user: &PlannedUser) -> (usize, u64) {
    (user.persona, user.ordinal)
}

proptest! {
    #[test]
    fn a_users_requests_are_due_in_order_and_none_before_he_starts(
        shapes in prop::collection::vec(shape(), 1..8), axis in axis(), speed in 0.1_f64..8.0,
    ) {
        let (plan, load) = (plan_of(&shapes), load(axis, speed));
        let schedule = schedule(&plan, &load, 1);
        for user in &schedule.users {
            let mut last = user.start;
            each_request(&plan, user, &load, schedule.until(), |_, _, due| {
                assert!(due >= last, "{due} after {last}");
                last = due;
            });
        }
    }

    #[test]
    fn speed_divides_every_due_time(
        shapes in prop::collection::vec(shape(), 1..8), clones in 1_u64..4, speed in 0.1_f64..50.0,
    ) {
        let plan = plan_of(&shapes);
        let as_recorded = Load { duration: None, ..load(Axis::Clones(clones), 1.0) };
        let faster = Load { duration: None, ..load(Axis::Clones(clones), speed) };
        let dues = |load: &Load| {
            let mut dues = all(&plan, &schedule(&plan, load, 1), load);
            dues.sort_unstable();
            dues.into_iter().map(|(due, ..)| due).collect::<Vec<_>>()
        };
        let (recorded, scaled) = (dues(&as_recorded), dues(&faster));
        prop_assert_eq!(recorded.len(), scaled.len());
        for (recorded, scaled) in recorded.iter().zip(&scaled) {
            let exact = recorded.nanos() as f64 / speed;
            // A nanosecond for the arrival, one for the offset, one for the exact figure here.
            prop_assert!((scaled.nanos() as f64 - exact).abs() <= 3.0, "{scaled:?}, not {exact}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_plan(
        shapes in prop::collection::vec(shape(), 1..8), axis in axis(), seed in any::<u64>(),
    ) {
        let (plan, load) = (plan_of(&shapes), load(axis, 1.0));
        prop_assert_eq!(schedule(&plan, &load, seed).users, schedule(&plan, &load, seed).users);
    }

    #[test]
    fn shards_are_disjoint_and_complete(
        shapes in prop::collection::vec(shape(), 1..8), axis in axis(), of in 1_u32..6,
    ) {
        let (plan, load) = (plan_of(&shapes), load(axis, 1.0));
        let whole = schedule(&plan, &load, 7);
        let shards: Vec<Schedule> =
            (1..=of).map(|index| whole.clone().of_shard(&plan, Shard { index, of })).collect();
        // Each user is there once, exactly as in the whole, its account included.
        let mut users: Vec<PlannedUser> =
            shards.iter().flat_map(|shard| shard.users.clone()).collect();
        users.sort_by_key(key);
        let mut expected = whole.users.clone();
        expected.sort_by_key(key);
        prop_assert_eq!(users, expected);
        for persona in 0..3 {
            let sum: u64 = shards.iter().map(|shard| shard.shares[persona]).sum();
            prop_assert_eq!(sum, whole.shares[persona]);
        }
        let requests = |schedule: &Schedule| {
            walk(&plan, &schedule.users, &load, schedule.ends()).requests
        };
        prop_assert_eq!(shards.iter().map(requests).sum::<u64>(), requests(&whole));
    }

    #[test]
    fn a_plan_of_n_requests_holds_the_first_n_by_due_time(
        shapes in prop::collection::vec(shape(), 1..8), axis in axis(),
        has_end in any::<bool>(), most in 1_u64..60, of in 1_u32..4,
    ) {
        let plan = plan_of(&shapes);
        let mut load = load(axis, 1.0);
        if !has_end {
            load.duration = None;
        }
        let whole = schedule(&plan, &load, 3);
        let limited = whole.clone().at_most(&plan, &load, most);
        // What it must be: everything due within longer than that takes, in order, cut after the n-th.
        let within = Schedule { end: whole.end.or(Some(At::from_nanos(240_000_000_000))), ..whole };
        let mut expected = all(&plan, &within, &load);
        expected.sort_unstable();
        let total = expected.len() as u64;
        expected.truncate(most as usize);
        let mut found = all(&plan, &limited, &load);
        found.sort_unstable();
        prop_assert_eq!(limited.is_limited, total >= most);
        prop_assert_eq!(&found, &expected);
        let parts = (1..=of).map(|index| {
            let shard = limited.clone().of_shard(&plan, Shard { index, of });
            walk(&plan, &shard.users, &load, shard.ends()).requests
        });
        prop_assert_eq!(parts.sum::<u64>(), most.min(total));
    }
}

/// A plan without a duration is as long as its requests are due, and not up to the next second.
#[test]
fn the_last_second_of_a_plan_counts_by_its_length() {
    // 100 requests a second for 10.5 s.
    let plan = plan_of(&[(0, 0, vec![10_000; 1_050], 0)]);
    let as_recorded = Load { duration: None, ..load(Axis::Clones(1), 1.0) };
    let whole = schedule(&plan, &as_recorded, 1);
    let rate = 1_050.0 / whole.judged(&plan, &as_recorded).unwrap().end();
    assert!((rate - 100.0).abs() < 0.2, "{rate}");
    let longer = Load { duration: Some(Duration::from_secs(60)), ..as_recorded.clone() };
    let ended = schedule(&plan, &longer, 1);
    assert_eq!(ended.judged(&plan, &longer), whole.judged(&plan, &as_recorded));
    // One that goes on is as long as it is to last.
    let users = Load { duration: Some(Duration::from_millis(3_500)), ..load(Axis::Users(2), 1.0) };
    assert_eq!(schedule(&plan, &users, 1).length_s(&plan, &users), 3.5);
}

#[test]
fn more_users_than_can_be_held_are_no_plan() {
    let plan = plan_of(&[(0, 0, vec![100_000; 10], 0)]);
    for axis in [Axis::Clones(1 << 32), Axis::Clones(u64::MAX), Axis::Users(u64::MAX)] {
        let policy = Policy { load: load(axis, 1.0), seed: 1, rate_tolerance: 0.02 };
        let refused = Schedule::new(&plan, &policy).unwrap_err();
        assert!(matches!(refused, ScheduleError::TooMany { .. }), "{refused}");
    }
}

#[test]
fn clones_of_one_session_do_not_leave_together() {
    // Ten requests, 100 ms apart.
    let plan = plan_of(&[(0, 0, vec![100_000; 10], 0)]);
    for speed in [1.0, 4.0] {
        let load = Load { duration: None, ..load(Axis::Clones(10), speed) };
        let starts: Vec<i64> =
            schedule(&plan, &load, 1).users.iter().map(|user| user.start.nanos()).collect();
        assert_eq!(starts[0], 0, "the first clone is as recorded");
        let most = (110e6 / speed) as i64;
        assert!(starts.iter().all(|start| (0..=most).contains(start)), "{starts:?}");
        let apart = starts.windows(2).filter(|pair| pair[1] - pair[0] > 1_000_000 / 4).count();
        assert!(apart >= 7, "{starts:?}");
    }
}
