//! The release rule on paused time, with a fake target behind the transport.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::settings::{FidelityMode, Settings};
use super::transport::Transport;
use super::worker::{Stop, Worker};
use crate::measure::{Batch, Sample};
use crate::pacer::Pacer;
use crate::prepare::{
    Bindings, Body, LeftOut, Offset, Prepared, Recorded, Request, Session, Template, TracePersona,
    Wait, count_dependents,
};
use crate::schedule::{Bound, Chain, PlannedUser};
use crate::time::{At, Clock};
use http1::{Exchange, Method, Progress, SendError, Sink};
use run_log::format::TraceRef;
use run_log::outcome::Outcome;
use scenario::{Load, Pacing};

/// Answers the n-th request after the n-th delay, 1 ms where none is given.
struct Fake {
    delays: Rc<RefCell<Vec<Duration>>>,
    clock: Clock,
    sent: Rc<RefCell<Vec<At>>>,
}

struct FakeConnection {
    delays: Rc<RefCell<Vec<Duration>>>,
    clock: Clock,
    sent: Rc<RefCell<Vec<At>>>,
    progress: Progress,
}

impl Transport for Fake {
    type Connection = FakeConnection;

    async fn connect(&self, _: Instant) -> Result<FakeConnection, SendError> {
        Ok(FakeConnection {
            delays: Rc::clone(&self.delays),
            clock: self.clock,
            sent: Rc::clone(&self.sent),
            progress: Progress::default(),
        })
    }

    async fn exchange(
        connection: &mut FakeConnection,
        _: &[u8],
        _: Method,
        sink: &mut impl Sink,
    ) -> Result<Exchange, SendError> {
        let begun = Instant::now();
        connection.progress =
            Progress { first_byte_sent: Some(begun), bytes_sent: 1, ..Progress::default() };
        let number = connection.sent.borrow().len();
        connection.sent.borrow_mut().push(connection.clock.at(begun));
        sink.sent();
        let delay = connection.delays.borrow().get(number).copied();
        sleep(delay.unwrap_or(Duration::from_millis(1))).await;
        sink.head(200, &[]);
        let done = Instant::now();
        Ok(Exchange {
            status: 200,
            first_byte_sent: begun,
            first_byte_received: done,
            done,
            body_bytes: 0,
            bytes_sent: 1,
            bytes_received: 1,
            reusable: true,
        })
    }

    fn progress(connection: &FakeConnection) -> Progress {
        connection.progress
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn request(offset: Duration) -> Request {
    Request {
        endpoint: 0,
        offset,
        template: Template::default(),
        idempotent: true,
        is_head: false,
        sources: Vec::new(),
        predecessor: None,
        dependents: 0,
        captures: Vec::new(),
        recorded: Some(Recorded { status: 200, shape: None }),
        has_token: false,
    }
}

/// Requests at these offsets, each answered after 1 ms when it was recorded.
pub(super) fn session(offsets_ms: &[u64], prologue: usize) -> Session {
    let end = |index: usize| ms(offsets_ms[index] + 1);
    let mut requests: Vec<Request> = offsets_ms
        .iter()
        .enumerate()
        .map(|(index, offset)| Request {
            predecessor: (0..index)
                .next_back()
                .map(|request| Wait { request, gap: ms(*offset).saturating_sub(end(request)) }),
            ..request(ms(*offset))
        })
        .collect();
    count_dependents(&mut requests);
    let prologue_length = if prologue == 0 { Duration::ZERO } else { end(prologue - 1) };
    Session {
        name: "s".to_owned(),
        persona: 0,
        arrival: Duration::ZERO,
        prologue,
        prologue_length,
        body_length: end(offsets_ms.len() - 1) - prologue_length,
        offsets: offsets_ms.iter().map(|at| Offset::from_micros(at * 1000)).collect(),
        body: Body::Held(requests.into()),
        captures: 0,
        refresh: None,
        width: 1,
    }
}

fn requests(session: &mut Session) -> &mut [Request] {
    match &mut session.body {
        Body::Held(requests) => Arc::get_mut(requests).unwrap(),
        Body::Streamed(_) => panic!("it is held"),
    }
}

struct Ran {
    samples: Vec<Sample>,
    sent: Vec<At>,
}

/// One user runs the session against a target with these delays.
async fn run(session: Session, load: Load, delays: &[Duration]) -> Ran {
    let chain = match load.duration {
        Some(_) => Chain::Cycle { first: 0 },
        None => Chain::Once { session: 0 },
    };
    let user = PlannedUser { persona: 0, ordinal: 0, start: At::START, chain, bound: Bound::NONE };
    let (batches, sent) = run_users(plan(session), settings(load), vec![user], delays).await;
    Ran { samples: batches.into_iter().flat_map(|batch| batch.samples).collect(), sent }
}

/// These users of one worker run against a target with these delays; returns what the worker
/// said, and when requests were sent.
pub(super) async fn run_users(
    plan: Prepared,
    settings: Settings,
    users: Vec<PlannedUser>,
    delays: &[Duration],
) -> (Vec<Batch>, Vec<At>) {
    let end = settings.load.duration.map_or(At::NEVER, |duration| At::START + duration);
    let clock = Clock::starting(Instant::now());
    let sent = Rc::new(RefCell::new(Vec::new()));
    let fake =
        Fake { delays: Rc::new(RefCell::new(delays.to_vec())), clock, sent: Rc::clone(&sent) };
    let pacer = Pacer::on_runtime_clock(clock);
    let worker = Worker::new(0, Arc::new(plan), Arc::new(settings), clock, pacer, fake, end);
    let (_stop, stopped) = watch::channel(Stop { at: end, now: false });
    let (batches, mut received) = mpsc::channel::<Batch>(4);
    let (_spare, spare_taken) = std::sync::mpsc::channel();
    let mut said = Vec::new();
    let collect = async {
        while let Some(batch) = received.recv().await {
            said.push(batch);
        }
    };
    let work = async move { worker.run(users, None, stopped, batches, spare_taken).await };
    let tasks = LocalSet::new();
    tokio::join!(tasks.run_until(work), collect);
    let sent = sent.borrow().clone();
    (said, sent)
}

pub(super) fn settings(load: Load) -> Settings {
    Settings {
        load,
        seed: 1,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(60),
        grace: Duration::from_secs(10),
        fidelity: FidelityMode::Status,
        max_queue: 1000,
        error_samples: 3,
        login_rate: 20.0,
        budget: None,
        accepted: vec![None],
        secrets: BTreeMap::new(),
        accounts: vec![Vec::new()],
        host: "h".to_owned(),
        secure: false,
        started: Utc::now(),
    }
}

/// One persona with one session.
pub(super) fn plan(mut session: Session) -> Prepared {
    count_dependents(requests(&mut session));
    let persona = TracePersona {
        name: "p".to_owned(),
        weight: 1.0,
        sessions: vec![0],
        login_slots: 2,
        needs_account: false,
    };
    Prepared {
        file: TraceRef { file: String::new(), digest: String::new(), requests: 0, sessions: 1 },
        manifest: None,
        endpoints: vec!["GET /".to_owned()],
        personas: vec![persona],
        sessions: vec![session],
        shapes: Vec::new(),
        bindings: Bindings::default(),
        left_out: LeftOut::default(),
    }
}

/// Microseconds to milliseconds, rounded: the pacer may wake up to a tenth of one late.
fn rounded_ms(us: u32) -> u32 {
    (us + 500) / 1000
}

#[tokio::test(start_paused = true)]
async fn a_login_of_10_s_is_one_slow_response_and_a_delay_for_those_who_need_it() {
    // A login, then 30 requests 100 ms apart.
    let offsets: Vec<u64> = std::iter::once(0).chain((1..=30).map(|n| n * 100)).collect();
    let ran = run(session(&offsets, 1), Load::as_recorded(), &[Duration::from_secs(10)]).await;
    assert_eq!(ran.samples.len(), 31);
    assert_eq!(rounded_ms(ran.samples[0].response_us), 10_000);
    assert_eq!(rounded_ms(ran.samples[0].session_delay_us.unwrap()), 0);
    for sample in &ran.samples[1..] {
        assert_eq!(rounded_ms(sample.response_us), 1, "the login is charged to nobody else");
        assert_eq!(rounded_ms(sample.session_delay_us.unwrap()), 9_999);
    }
    for pair in ran.sent[1..].windows(2) {
        let gap = pair[1].since(pair[0]).as_millis();
        assert!((99..=101).contains(&gap), "no burst: {gap} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_charged_to_each_independent_request_that_meets_it() {
    let offsets: Vec<u64> = (0..20).map(|n| n * 100).collect();
    let ran = run(session(&offsets, 0), Load::as_recorded(), &[ms(1), ms(1001)]).await;
    let response: Vec<u32> = ran.samples.iter().map(|s| rounded_ms(s.response_us)).collect();
    // The second takes a second; those due meanwhile wait for what is left of it.
    assert_eq!(response[..4], [1, 1001, 902, 803]);
    assert_eq!(response[13..], [1; 7]);
    assert!(ran.samples.iter().all(|sample| rounded_ms(sample.session_delay_us.unwrap()) == 0));
}

#[tokio::test(start_paused = true)]
async fn what_needs_an_answer_moves_with_it_and_the_rest_does_not() {
    let mut session = session(&[0, 100, 200, 300], 0);
    // The third needs the first, 99 ms after its end; the fourth needs the third.
    requests(&mut session)[2].sources = vec![Wait { request: 0, gap: ms(199) }];
    requests(&mut session)[3].sources = vec![Wait { request: 2, gap: ms(99) }];
    session.width = 2;
    let ran = run(session, Load::as_recorded(), &[ms(501)]).await;
    let sent: Vec<u128> = ran.sent.iter().map(|at| at.since(At::START).as_millis()).collect();
    assert_eq!(sent, [0, 100, 700, 800]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_for_a_later_request_takes_an_earlier_one_as_soon_as_there_is_one() {
    let mut session = session(&[0, 100, 100, 5000], 0);
    // The second and the third need the first, 99 ms after its end, and were sent together.
    for second in [1, 2] {
        requests(&mut session)[second].sources = vec![Wait { request: 0, gap: ms(99) }];
    }
    session.width = 2;
    let ran = run(session, Load::as_recorded(), &[ms(1000), ms(1000), ms(1000)]).await;
    let sent: Vec<u128> = ran.sent.iter().map(|at| at.since(At::START).as_millis()).collect();
    assert_eq!(sent, [0, 1099, 1099, 5000]);
    assert!(ran.samples.iter().all(|sample| rounded_ms(sample.queue_us) == 0));
}

#[tokio::test(start_paused = true)]
async fn closed_pacing_keeps_the_recorded_think_times_whatever_the_target_does() {
    let load = Load { pacing: Pacing::Closed, ..Load::as_recorded() };
    let offsets = [0, 51, 102, 153, 204];
    let delays = [ms(1), ms(300), ms(7), ms(40), ms(1)];
    let ran = run(session(&offsets, 0), load, &delays).await;
    for (index, pair) in ran.sent.windows(2).enumerate() {
        let think = pair[1].since(pair[0]) - delays[index];
        assert_eq!(think.as_millis(), 50, "after request {index}");
    }
    assert!(ran.samples.iter().all(|sample| sample.session_delay_us.is_none()));
}

#[tokio::test(start_paused = true)]
async fn speed_divides_offsets_and_think_times() {
    for pacing in [Pacing::Open, Pacing::Closed] {
        let speed = scenario::Speed::try_from(2.0).unwrap();
        let load = Load { pacing, speed, ..Load::as_recorded() };
        let ran = run(session(&[0, 101, 202], 0), load, &[]).await;
        let last = ran.sent[2].since(At::START).as_millis();
        let expected = if pacing == Pacing::Open { 101 } else { 102 };
        assert_eq!(last, expected, "{pacing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_after_the_grace_is_cut_off_and_counted() {
    let load = Load { duration: Some(Duration::from_secs(2)), ..Load::as_recorded() };
    let offsets: Vec<u64> = (0..10).map(|n| n * 100).collect();
    // The third never comes back; the other 17 of the two sessions queue behind it.
    let ran = run(session(&offsets, 0), load, &[ms(1), ms(1), Duration::from_secs(50)]).await;
    let cut = ran.samples.iter().filter(|sample| sample.outcome == Outcome::CutOff).count();
    assert_eq!((ran.samples.len(), cut), (ran.sent.len() + cut - 1, cut));
    assert_eq!(ran.sent.len(), 3);
    // 2 s hold two sessions of 901 ms and a bit of the third.
    assert_eq!(ran.samples.len(), 22);
    let longest = ran.samples.iter().map(|sample| rounded_ms(sample.response_us)).max();
    assert_eq!(longest, Some(11_800), "censored at the 2 s and the grace of 10 s, from its 0.2 s");
}

#[tokio::test(start_paused = true)]
async fn by_closed_pacing_a_lane_with_nothing_to_do_waits_for_the_other() {
    let load = Load { pacing: Pacing::Closed, ..Load::as_recorded() };
    let offsets: Vec<u64> = (0..20).map(|n| n * 10).collect();
    let mut session = session(&offsets, 0);
    // The second was sent while the first was under way; the other 18 follow one by one.
    requests(&mut session)[1].predecessor = None;
    session.width = 2;
    let ran = run(session, load, &[ms(500), ms(700)]).await;
    assert_eq!(ran.samples.len(), 20);
}
