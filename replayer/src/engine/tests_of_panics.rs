//! A panic of a lane ends the run, with its place.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::coordinator::{EngineError, Job, run};
use super::settings::{FidelityMode, Settings};
use super::tests::{plan, run_users, session, settings};
use super::transport::Http;
use crate::observe::Observer;
use crate::prepare::{Body, Prepared, Recorded, Request, Session};
use crate::schedule::{Bound, Chain, PlannedUser, Schedule, Stay};
use crate::time::At;
use common_net::signals::Interrupt;
use http1::Destination;
use run_log::format::{Run, Window};
use run_log::outcome::Outcome;
use run_log::writer::RunWriter;
use scenario::Load;

const HOUR_MS: u64 = 3_600_000;

/// Of the session's requests, the first breaks what the engine takes for granted: there is no
/// such shape.
fn panicking(mut session: Session, width: usize) -> Session {
    let Body::Held(requests) = &mut session.body else { panic!("it is held") };
    let requests: &mut [Request] = Arc::get_mut(requests).unwrap();
    requests[0].recorded = Some(Recorded { status: 200, shape: Some(7) });
    session.width = width;
    session
}

/// One session that panics, and one that goes on for an hour.
fn two_sessions(width: usize) -> Prepared {
    let mut plan = plan(panicking(session(&[100, HOUR_MS], 1), width));
    plan.sessions.push(session(&[50, 101, HOUR_MS], 0));
    plan.personas[0].sessions.push(1);
    plan
}

fn comparing() -> Settings {
    Settings { fidelity: FidelityMode::StatusAndShape, ..settings(Load::as_recorded()) }
}

fn users() -> Vec<PlannedUser> {
    let user = |session| PlannedUser {
        persona: 0,
        ordinal: session as u64,
        start: At::START,
        chain: Chain::Once { session },
        bound: Bound::NONE,
        stay: Stay::WithLoad,
    };
    vec![user(0), user(1)]
}

#[tokio::test(start_paused = true)]
async fn with_a_lane_that_panics_its_worker_ends_and_notes_what_it_cut_off() {
    // By the second lane the user goes on as well: it waits for the end of the login.
    for width in [1, 2] {
        let begun = Instant::now();
        let ms = Duration::from_millis;
        let delays = [ms(1), ms(20), Duration::MAX];
        let (batches, sent) = run_users(two_sessions(width), comparing(), users(), &delays).await;
        assert!(batches.iter().any(|batch| batch.panicked), "{width} lanes");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(sent.len(), 3);
        let outcomes: Vec<Outcome> =
            batches.iter().flat_map(|batch| &batch.samples).map(|sample| sample.outcome).collect();
        assert_eq!(outcomes, [Outcome::Completed, Outcome::CutOff], "{width} lanes");
    }
}

#[tokio::test]
async fn a_panic_of_a_lane_ends_the_run_with_its_place() {
    common::panics::tell_first_place("replayer");
    let target = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = target.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut connection in target.incoming().flatten() {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            drop(connection.write_all(answer));
            open.push(connection);
        }
    });
    let destination = Arc::new(Destination::http("127.0.0.1", port, &[]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let golden = include_str!("../../../fixtures/runs/01-baseline/run.json");
    let record: Run = serde_json::from_str(golden).unwrap();
    let job = Job {
        plan: Arc::new(two_sessions(1)),
        schedule: Schedule {
            users: users(),
            shares: vec![2],
            end: None,
            is_limited: false,
            recovery: Duration::ZERO,
            ramp_end: At::START,
            rate: None,
        },
        stream: None,
        settings: Arc::new(comparing()),
        http: Http { destination: Arc::clone(&destination) },
        threads: 2,
        start: Instant::now(),
        plateau: Window { end_s: u64::MAX, ..Window::default() },
        writer: RunWriter::create(&folder.path().join("out"), false, &record).unwrap(),
        run: record,
        observer: Observer::default(),
        probes: 0,
        stop: None,
        is_led: false,
        expectations: Vec::new(),
        cuts: tokio::sync::watch::channel(None).1,
        planned: Vec::new(),
    };
    let (_interrupt, interrupts) = watch::channel(Interrupt::None);
    let ended = tokio::time::timeout(Duration::from_secs(60), run(job, interrupts, |_| {}));
    let Err(error) = ended.await.expect("it does not take an hour") else {
        panic!("nothing was measured")
    };
    let EngineError::Panicked { place } = &error else { panic!("{error}") };
    assert!(place.contains("replayer/src/engine/settle.rs:"), "{error}");
}
