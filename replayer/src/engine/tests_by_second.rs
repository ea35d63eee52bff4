//! What the rows of the timeline count, on paused time, beside the plan.

use std::time::Duration;

use super::settings::Settings;
use super::tests::{plan, request, run_users, session, settings};
use crate::measure::Collector;
use crate::prepare::Prepared;
use crate::schedule::{Bound, Chain, Ends, PlannedUser, Stay, walk};
use crate::time::At;
use figures::Names;
use run_log::format::Window;
use run_log::outcome::Outcome;
use run_log::timeline::Second;
use scenario::{Load, Pacing};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn users(count: u64, chain: Chain) -> Vec<PlannedUser> {
    let user = |ordinal| PlannedUser {
        persona: 0,
        ordinal,
        start: At::START,
        chain,
        bound: Bound::NONE,
        stay: Stay::WithLoad,
    };
    (0..count).map(user).collect()
}

/// The rows of a run of one worker.
async fn rows(
    plan: Prepared,
    settings: Settings,
    users: Vec<PlannedUser>,
    delays: &[Duration],
) -> Vec<Second> {
    let names = Names { endpoints: plan.endpoints.clone(), personas: vec!["p".to_owned()] };
    let mut collector = Collector::new(names, 1);
    let (batches, _) = run_users(plan, settings, users, delays).await;
    let mut rows = Vec::new();
    for batch in batches {
        collector.add(batch);
        rows.extend(std::iter::from_fn(|| collector.close(Window::new(0, 100.0))));
    }
    rows
}

#[tokio::test(start_paused = true)]
async fn what_becomes_ready_is_counted_in_its_second_however_long_it_waits() {
    // Long sessions, and such that many begin and end while nothing is answered.
    for offsets in [&[0, 100, 200, 300, 400][..], &[0][..]] {
        for max_queue in [1000, 4] {
            let load = Load { duration: Some(ms(5_000)), ..Load::as_recorded() };
            let settings = Settings { max_queue, ..settings(load.clone()) };
            let mut of = session(offsets, 0);
            of.body_length = ms(offsets.last().unwrap() + 83);
            let (plan, users) = (plan(of), users(3, Chain::Cycle { first: 0 }));
            let planned = walk(&plan, &users, &load, Ends::at(At::START + ms(5_000))).by_second;
            // Whoever meets the stall sends nothing for 2.6 s.
            let delays = [ms(1), ms(1), ms(1), ms(2_600), ms(2_600), ms(2_600)];
            let rows = rows(plan, settings, users, &delays).await;
            let ready: Vec<u64> = rows.iter().map(|row| row.ready).collect();
            assert_eq!(ready[..5], planned, "{} requests a session, {max_queue}", offsets.len());
            assert!(rows.iter().all(|row| row.queued <= 3 * max_queue as u64), "{rows:?}");
            assert!(rows[1].queued >= 12, "{rows:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn users_who_go_on_are_there_until_the_plan_ends_and_those_of_clones_leave() {
    for pacing in [Pacing::Open, Pacing::Closed] {
        // Ends with a second, and within one.
        for end_ms in [4_000, 4_500] {
            // The next request of each would be due at 4.8 s.
            let sparse = session(&[0, 1_600, 3_200, 4_800, 6_400], 0);
            let load = Load { pacing, duration: Some(ms(end_ms)), ..Load::as_recorded() };
            let go_on = users(7, Chain::Cycle { first: 0 });
            let rows = rows(plan(sparse), settings(load), go_on, &[]).await;
            let there: Vec<u64> = rows.iter().map(|row| row.users).collect();
            let expected = if end_ms == 4_000 { &[7; 4][..] } else { &[7; 5][..] };
            assert_eq!(there[..expected.len()], *expected, "{pacing:?}, {end_ms} ms");
            assert!(there[expected.len()..].iter().all(|users| *users == 0), "{there:?}");
        }
        let load = Load { pacing, ..Load::as_recorded() };
        let once = users(7, Chain::Once { session: 0 });
        let rows = rows(plan(session(&[0, 1_600, 3_200], 0)), settings(load), once, &[]).await;
        let there: Vec<u64> = rows.iter().map(|row| row.users).collect();
        assert_eq!(there, [7, 7, 7, 0], "{pacing:?}");
    }
}

/// Two users stay for 20 s behind a load of 4.5 s, and five leave with it.
fn two_stay(pacing: Pacing) -> (Load, Vec<PlannedUser>) {
    let load = Load {
        pacing,
        duration: Some(ms(4_500)),
        recovery: Some(ms(20_000)),
        ..Load::as_recorded()
    };
    let mut users = users(7, Chain::Cycle { first: 0 });
    users[..2].iter_mut().for_each(|user| user.stay = Stay::Longer);
    (load, users)
}

#[tokio::test(start_paused = true)]
async fn without_the_load_those_of_the_first_step_are_there_and_all_that_is_planned_is_counted() {
    for pacing in [Pacing::Open, Pacing::Closed] {
        let (load, users) = two_stay(pacing);
        let ends = Ends { load: At::START + ms(4_500), rest: At::START + ms(24_500) };
        let plan = plan(session(&[0, 700, 1_400], 0));
        let planned = walk(&plan, &users, &load, ends);
        let rows = rows(plan, settings(load), users, &[]).await;
        let there: Vec<u64> = rows.iter().map(|row| row.users).collect();
        assert_eq!((&there[..5], &there[5..25]), (&[7; 5][..], &[2; 20][..]), "{pacing:?}");
        assert!(there[25..].iter().all(|users| *users == 0), "{there:?}");
        if pacing == Pacing::Open {
            assert_eq!(rows.iter().map(Second::done).sum::<u64>(), planned.requests);
            let ready: Vec<u64> = rows.iter().map(|row| row.ready).collect();
            assert_eq!(ready[..planned.by_second.len()], planned.by_second);
        }
        let late: u64 = rows[6..24].iter().map(Second::done).sum();
        assert!((70..=84).contains(&late), "two users' worth and no more: {late}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_leave_with_the_load_have_the_grace_from_there_on() {
    for pacing in [Pacing::Open, Pacing::Closed] {
        let (load, users) = two_stay(pacing);
        let ends = Ends { load: At::START + ms(4_500), rest: At::START + ms(24_500) };
        let plan = plan(session(&[0, 700, 1_400], 0));
        let planned = walk(&plan, &users, &load, ends).requests;
        // The first request of each who leaves hangs; what was due behind it by open pacing, too.
        let delays = [ms(1), ms(1), ms(50_000), ms(50_000), ms(50_000), ms(50_000), ms(50_000)];
        let rows = rows(plan, settings(load), users, &delays).await;
        let cut: Vec<u64> = rows.iter().map(|row| row.outcomes[Outcome::CutOff]).collect();
        let total: u64 = cut.iter().sum();
        assert_eq!(cut[14], total, "after the grace of 10 s: {cut:?}");
        let done: u64 = rows.iter().map(Second::done).sum();
        match pacing {
            Pacing::Open => assert_eq!((done, total >= 5), (planned, true)),
            Pacing::Closed => assert_eq!(total, 5),
        }
        // Those who stay go on.
        assert!(rows[15..24].iter().map(Second::done).sum::<u64>() >= 15, "{rows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_another_is_not_ready() {
    let load = Load { duration: Some(ms(3_000)), ..Load::as_recorded() };
    let mut of = session(&[0, 400, 500], 0);
    if let crate::prepare::Body::Held(requests) = &mut of.body {
        let requests = std::sync::Arc::get_mut(requests).unwrap();
        requests[2] = crate::prepare::Request {
            waits: [crate::prepare::Wait { request: 1, thinks: true }].into(),
            ..request()
        };
    }
    let go_on = users(1, Chain::Cycle { first: 0 });
    let rows = rows(plan(of), settings(load), go_on, &[ms(2_700)]).await;
    let ready: Vec<u64> = rows.iter().map(|row| row.ready).collect();
    // Of the six sessions that begin, one every 501 ms, the last requests come later, one by one.
    assert_eq!(ready[..2], [4, 4]);
    assert_eq!(ready.iter().sum::<u64>(), 17, "that of the sixth lies past the end");
}
