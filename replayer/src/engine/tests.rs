//! The release rule on paused time, with a fake target behind the transport.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, advance, sleep};

use super::checks::Checks;
use super::settings::{FidelityMode, Settings};
use super::transport::Transport;
use super::worker::{Stop, Worker};
use crate::measure::{Batch, Sample};
use crate::pacer::Pacer;
use crate::prepare::{
    Bindings, Body, LeftOut, Offset, Prepared, Recorded, Request, Session, Template, TracePersona,
    Wait, link,
};
use crate::schedule::{Bound, Chain, Ends, PlannedUser, Stay};
use crate::time::{At, Clock};
use http1::{Exchange, Method, Progress, SendError, Sink};
use run_log::format::TraceRef;
use run_log::outcome::Outcome;
use scenario::{Load, Pacing};

/// How a request is answered.
#[derive(Clone, Copy)]
pub(super) struct Answered {
    after: Duration,
    /// The whole process stops then, and for so long.
    frozen: Duration,
    /// What the kernel says of how long the answer was not read.
    unread_for: Option<Duration>,
    /// How long a connection for it takes to open, where it needs one.
    opened_after: Duration,
    /// What of that the kernel says is the generator's own.
    opened_late: Option<Duration>,
    /// The whole process stops for so long in the middle of the request.
    frozen_midway: Duration,
}

impl From<Duration> for Answered {
    fn from(after: Duration) -> Self {
        Self {
            after,
            frozen: Duration::ZERO,
            unread_for: None,
            opened_after: Duration::ZERO,
            opened_late: None,
            frozen_midway: Duration::ZERO,
        }
    }
}

/// How a request is answered, by its number and by when it is sent.
type Script = dyn Fn(usize, At) -> Answered;

struct Fake {
    script: Rc<Script>,
    clock: Clock,
    sent: Rc<RefCell<Vec<At>>>,
}

struct FakeConnection {
    script: Rc<Script>,
    clock: Clock,
    sent: Rc<RefCell<Vec<At>>>,
    progress: Progress,
}

impl Transport for Fake {
    type Connection = FakeConnection;

    async fn connect(&self, _: Instant) -> Result<(FakeConnection, Option<Duration>), SendError> {
        let number = self.sent.borrow().len();
        let Answered { opened_after, opened_late, .. } =
            (self.script)(number, self.clock.at(Instant::now()));
        if opened_after > Duration::ZERO {
            sleep(opened_after).await;
        }
        let connection = FakeConnection {
            script: Rc::clone(&self.script),
            clock: self.clock,
            sent: Rc::clone(&self.sent),
            progress: Progress::default(),
        };
        Ok((connection, opened_late))
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
        let at = connection.clock.at(begun);
        connection.sent.borrow_mut().push(at);
        sink.sent();
        let Answered { after, frozen, unread_for, frozen_midway, .. } =
            (connection.script)(number, at);
        if frozen_midway > Duration::ZERO {
            advance(frozen_midway).await;
        }
        connection.progress.all_sent = Some(Instant::now());
        sleep(after).await;
        if frozen > Duration::ZERO {
            advance(frozen).await;
        }
        sink.head(200, &[]);
        let done = Instant::now();
        Ok(Exchange {
            status: 200,
            first_byte_sent: begun,
            first_byte_received: done,
            done,
            unread_for,
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

/// Each is answered after 1 ms.
const NO_DELAYS: &[Duration] = &[];

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Answered after 1 ms when it was recorded.
pub(super) fn request() -> Request {
    Request {
        endpoint: 0,
        template: Template::default(),
        idempotent: true,
        is_safe: true,
        is_head: false,
        waits: Box::default(),
        dependents: Box::default(),
        next_free: 0,
        took_us: 1000,
        captures: Vec::new(),
        recorded: Some(Recorded { status: 200, shape: None }),
        has_token: false,
        mark: None,
    }
}

/// Requests at these offsets, each answered after 1 ms when it was recorded.
pub(super) fn session(offsets_ms: &[u64], prologue: usize) -> Session {
    let end = |index: usize| ms(offsets_ms[index] + 1);
    let mut requests: Vec<Request> = offsets_ms.iter().map(|_| request()).collect();
    link(&mut requests);
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
        gives: Box::default(),
        needs: Box::default(),
        refresh: None,
        width: 1,
    }
}

/// As [`session`], each request after the one before it.
fn in_order(offsets_ms: &[u64], prologue: usize) -> Session {
    let mut session = session(offsets_ms, prologue);
    for (index, request) in requests(&mut session).iter_mut().enumerate().skip(1) {
        // All that follows waits for the prologue.
        if index != prologue {
            request.waits = after(index - 1);
        }
    }
    session
}

fn after(request: usize) -> Box<[Wait]> {
    [Wait { request: request as u32, thinks: true }].into()
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
async fn run<A: Into<Answered> + Copy>(session: Session, load: Load, answers: &[A]) -> Ran {
    let chain = match load.duration {
        Some(_) => Chain::Cycle { first: 0 },
        None => Chain::Once { session: 0 },
    };
    let user = PlannedUser {
        persona: 0,
        ordinal: 0,
        start: At::START,
        chain,
        bound: Bound::NONE,
        stay: Stay::WithLoad,
    };
    let (batches, sent) = run_users(plan(session), settings(load), vec![user], answers).await;
    Ran { samples: batches.into_iter().flat_map(|batch| batch.samples).collect(), sent }
}

/// These users of one worker run against a target that answers the n-th request as the n-th of
/// these, and after 1 ms where nothing is said of it; returns what the worker said, and when
/// requests were sent.
pub(super) async fn run_users<A: Into<Answered> + Copy>(
    plan: Prepared,
    settings: Settings,
    users: Vec<PlannedUser>,
    answers: &[A],
) -> (Vec<Batch>, Vec<At>) {
    let answers: Vec<Answered> = answers.iter().map(|answer| (*answer).into()).collect();
    let script = move |number: usize, _| answers.get(number).copied().unwrap_or(ms(1).into());
    run_scripted(plan, settings, users, Rc::new(script)).await
}

async fn run_scripted(
    plan: Prepared,
    settings: Settings,
    users: Vec<PlannedUser>,
    script: Rc<Script>,
) -> (Vec<Batch>, Vec<At>) {
    let load = settings.load.duration.map_or(At::NEVER, |duration| At::START + duration);
    let ends = Ends { load, rest: load + settings.load.recovery.unwrap_or_default() };
    let clock = Clock::starting(Instant::now());
    let sent = Rc::new(RefCell::new(Vec::new()));
    let fake = Fake { script, clock, sent: Rc::clone(&sent) };
    let pacer = Pacer::on_runtime_clock(clock);
    let worker = Worker::new(0, Arc::new(plan), Arc::new(settings), clock, pacer, fake, ends);
    let (_stop, stopped) = watch::channel(Stop { ends, now: false });
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
        excuses_recorded: false,
        max_queue: 1000,
        error_samples: 3,
        login_rate: 20.0,
        budget: None,
        accepted: vec![None],
        checks: vec![Checks::default()],
        check_names: Vec::new(),
        marking: None,
        secrets: BTreeMap::new(),
        accounts: vec![Vec::new()],
        host: "h".to_owned(),
        secure: false,
        started: Utc::now(),
    }
}

/// One persona with one session.
pub(super) fn plan(mut session: Session) -> Prepared {
    link(requests(&mut session));
    let persona = TracePersona {
        name: "p".to_owned(),
        weight: 1.0,
        sessions: vec![0],
        login_slots: Arc::new(vec![0, 1]),
        needs_account: false,
        account: None,
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
        rewrites: Vec::new(),
        recorded_failures: None,
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
    requests(&mut session)[2].waits = after(0);
    requests(&mut session)[3].waits = after(2);
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
        requests(&mut session)[second].waits = after(0);
    }
    session.width = 2;
    let ran = run(session, Load::as_recorded(), &[ms(1000), ms(1000), ms(1000)]).await;
    let sent: Vec<u128> = ran.sent.iter().map(|at| at.since(At::START).as_millis()).collect();
    assert_eq!(sent, [0, 1099, 1099, 5000]);
    assert!(ran.samples.iter().all(|sample| rounded_ms(sample.queue_us) == 0));
}

/// When each request of a session in order is sent, in milliseconds; the n-th is answered after the
/// n-th delay.
async fn sent_in_order(offsets: &[u64], speed: f64, delays: &[Duration]) -> Vec<u64> {
    let speed = scenario::Speed::try_from(speed).unwrap();
    let ran = run(in_order(offsets, 0), Load { speed, ..Load::as_recorded() }, delays).await;
    ran.sent.iter().map(|at| at.since(At::START).as_millis() as u64).collect()
}

#[tokio::test(start_paused = true)]
async fn a_session_keeps_its_plan_while_the_target_is_as_fast_as_recorded() {
    let offsets = [0, 100, 108, 400];
    assert_eq!(sent_in_order(&offsets, 1.0, NO_DELAYS).await, offsets);
    assert_eq!(sent_in_order(&offsets, 4.0, NO_DELAYS).await, [0, 25, 27, 100]);
    // At a hundred times the speed there is no time left for what an answer takes.
    assert_eq!(sent_in_order(&offsets, 100.0, NO_DELAYS).await, [0, 1, 2, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_stall_shifts_a_session_as_it_shifts_a_person() {
    let offsets: Vec<u64> = (0..6).map(|n| n * 100).collect();
    let delays = [ms(1), ms(501), ms(1), ms(41)];
    assert_eq!(sent_in_order(&offsets, 1.0, &delays).await, [0, 100, 700, 800, 940, 1040]);
    // Of the 25 ms between two requests the recorded answer leaves 24.
    assert_eq!(sent_in_order(&offsets, 4.0, &delays).await, [0, 25, 550, 575, 640, 665]);
}

/// Where the recording does not say how long an answer took, all of the time between two requests
/// may have been that.
#[tokio::test(start_paused = true)]
async fn what_took_nobody_knows_how_long_delays_others_only_by_what_does_not_fit() {
    let mut session = in_order(&[0, 100, 200, 300], 0);
    requests(&mut session).iter_mut().for_each(|request| request.took_us = 0);
    let ran = run(session, Load::as_recorded(), &[ms(60), ms(150)]).await;
    let sent: Vec<u128> = ran.sent.iter().map(|at| at.since(At::START).as_millis()).collect();
    assert_eq!(sent, [0, 100, 250, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_all_that_it_came_after() {
    // Two at once, and a third after both.
    for delays in [[ms(300), ms(1)], [ms(1), ms(300)]] {
        let mut session = session(&[0, 0, 100], 0);
        let wait = |request| Wait { request, thinks: true };
        requests(&mut session)[2].waits = [wait(0), wait(1)].into();
        session.width = 2;
        let ran = run(session, Load::as_recorded(), &delays).await;
        let sent: Vec<u128> = ran.sent.iter().map(|at| at.since(At::START).as_millis()).collect();
        assert_eq!(sent, [0, 0, 399]);
    }
}

#[tokio::test(start_paused = true)]
async fn closed_pacing_keeps_the_recorded_think_times_whatever_the_target_does() {
    let load = Load { pacing: Pacing::Closed, ..Load::as_recorded() };
    let offsets = [0, 51, 102, 153, 204];
    let delays = [ms(1), ms(300), ms(7), ms(40), ms(1)];
    let ran = run(in_order(&offsets, 0), load, &delays).await;
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
        let session = if pacing == Pacing::Open { session } else { in_order };
        let ran = run(session(&[0, 101, 202], 0), load, NO_DELAYS).await;
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
    assert!(ran.samples.iter().all(|sample| sample.ready_second.is_some()), "all had waited");
}

/// What waits for an answer that does not come is never ready: it has no latency, not one of 0.
#[tokio::test(start_paused = true)]
async fn what_waits_for_what_is_cut_off_never_becomes_ready() {
    let load = Load { duration: Some(Duration::from_secs(2)), ..Load::as_recorded() };
    let offsets: Vec<u64> = (0..20).map(|n| n * 100).collect();
    let mut session = session(&offsets, 0);
    // Each of the first ten comes after the one before; the others stand for themselves.
    for index in 1..10 {
        requests(&mut session)[index].waits = after(index - 1);
    }
    session.width = 2;
    let ran = run(session, load, &[ms(1), ms(1), ms(1), Duration::from_secs(50)]).await;
    // A session is 1,901 ms long, so that another begins.
    assert_eq!(ran.samples.len(), 21);
    let cut: Vec<&Sample> =
        ran.samples.iter().filter(|sample| sample.outcome == Outcome::CutOff).collect();
    let (waited, never): (Vec<&Sample>, Vec<&Sample>) =
        cut.into_iter().partition(|sample| sample.ready_second.is_some());
    // The fourth hung; the six that need it, one after another, were never ready.
    assert_eq!((waited.len(), never.len()), (1, 6));
    assert_eq!(rounded_ms(waited[0].response_us), 11_700);
    assert!(never.iter().all(|sample| !sample.was_sent && sample.session_delay_us.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_part_of_the_load_of_the_second_in_which_it_becomes_ready() {
    let mut session = session(&[950, 990, 995], 0);
    // Of two that need the first at once, one is due later by less than what that is late.
    for second in [1, 2] {
        requests(&mut session)[second].waits = after(0);
    }
    let seconds = |ran: Ran| -> Vec<u32> {
        ran.samples.iter().map(|sample| sample.ready_second.unwrap()).collect()
    };
    let hardly_late = run(session, Load::as_recorded(), &[ms(100)]).await;
    assert_eq!(seconds(hardly_late), [0, 0, 0], "60 ms later than due are none held back");
    let mut late = self::session(&[950, 990, 995], 0);
    requests(&mut late)[1].waits = after(0);
    assert_eq!(seconds(run(late, Load::as_recorded(), &[ms(700)]).await), [0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn by_closed_pacing_a_lane_with_nothing_to_do_waits_for_the_other() {
    let load = Load { pacing: Pacing::Closed, ..Load::as_recorded() };
    let offsets: Vec<u64> = (0..20).map(|n| n * 10).collect();
    let mut session = in_order(&offsets, 0);
    // The second was sent while the first was under way; the other 18 follow one by one.
    requests(&mut session)[1].waits = Box::default();
    session.width = 2;
    let ran = run(session, load, &[ms(500), ms(700)]).await;
    assert_eq!(ran.samples.len(), 20);
}

/// How long a target is frozen after so many milliseconds: 1 s in every 5 s, from 2 s on.
fn frozen_ms(at: u64) -> u64 {
    let into = at % 5000;
    if (2000..3000).contains(&into) { 3000 - into } else { 0 }
}

/// What 50 users found who run a session each, one 2 ms after the other, against a target that
/// answers in 1 ms and freezes.
async fn frozen(session: Session) -> Vec<Sample> {
    let frozen_from_2_s =
        |_, at: At| ms(frozen_ms(at.since(At::START).as_millis() as u64) + 1).into();
    let users = (0..50).map(|ordinal| PlannedUser {
        persona: 0,
        ordinal,
        start: At::START + ms(2 * ordinal),
        chain: Chain::Once { session: 0 },
        bound: Bound::NONE,
        stay: Stay::WithLoad,
    });
    let (plan, settings) = (plan(session), settings(Load::as_recorded()));
    let script = Rc::new(frozen_from_2_s);
    let (batches, _) = run_scripted(plan, settings, users.collect(), script).await;
    batches.into_iter().flat_map(|batch| batch.samples).collect()
}

/// By arithmetic, of every 2,500 requests 500 meet the freeze and wait 0 to 1,000 ms, evenly.
#[tokio::test(start_paused = true)]
async fn a_freeze_is_seen_by_every_request_that_would_have_met_it() {
    let offsets: Vec<u64> = (0..200).map(|n| n * 100).collect();
    let samples = frozen(session(&offsets, 0)).await;
    let mut times: Vec<u32> = samples.iter().map(|sample| sample.response_us).collect();
    times.sort_unstable();
    assert_eq!(times.len(), 10_000);
    let [p50, p90, p99] = [5000, 9000, 9900].map(|rank| rounded_ms(times[rank - 1]));
    assert_eq!(p50, 1);
    // And 1 ms for each that the same user has waiting before it.
    assert!((500..=512).contains(&p90) && (950..=955).contains(&p99), "p90 {p90}, p99 {p99}");
}

/// Of a session in order only one request meets a freeze, and all later ones come later by what
/// that waited: the time since due has it.
#[tokio::test(start_paused = true)]
async fn a_freeze_that_shifts_a_session_is_in_the_time_since_due() {
    let offsets: Vec<u64> = (0..180).map(|n| n * 100).collect();
    let samples = frozen(in_order(&offsets, 0)).await;
    let since_due = |sample: &Sample| sample.session_delay_us.unwrap() + sample.response_us;
    let mut measured: Vec<u32> = samples.iter().map(since_due).map(rounded_ms).collect();
    let mut expected: Vec<u32> = Vec::new();
    for user in 0..50_u64 {
        let mut done = 0;
        for offset in &offsets {
            let due = 2 * user + offset;
            let ready = if *offset == 0 { due } else { due.max(done + 99) };
            done = ready + frozen_ms(ready) + 1;
            expected.push((done - due) as u32);
        }
    }
    measured.sort_unstable();
    expected.sort_unstable();
    let [measured, expected] = [measured[8_100], expected[8_100]].map(f64::from);
    assert!((measured / expected - 1.0).abs() < 0.1, "{measured} ms, by arithmetic {expected} ms");
    let late = samples.iter().filter(|sample| sample.response_us > 100_000).count();
    assert_eq!(late, 50 * 4, "one of each user in each freeze");
}

/// What is left of a response time without the generator share, in milliseconds.
fn without_lag_ms(sample: &Sample) -> u32 {
    rounded_ms(sample.response_us - sample.lag_us)
}

#[tokio::test(start_paused = true)]
async fn a_slow_target_is_no_lag_of_the_generator() {
    let offsets: Vec<u64> = (0..20).map(|n| n * 100).collect();
    for pacing in [Pacing::Open, Pacing::Closed] {
        let session = if pacing == Pacing::Open { session } else { in_order };
        let load = Load { pacing, ..Load::as_recorded() };
        let ran = run(session(&offsets, 0), load, &[ms(1), ms(3000), ms(700)]).await;
        assert_eq!(rounded_ms(ran.samples[1].response_us), 3000);
        let most = ran.samples.iter().map(|sample| sample.lag_us).max();
        assert!(most < Some(1000), "{pacing:?}: {most:?} us");
    }
}

/// The answer is there after 1 ms, but the process stops before it is read.
#[tokio::test(start_paused = true)]
async fn a_generator_that_stops_is_charged_with_all_that_it_held_up() {
    let offsets: Vec<u64> = (0..20).map(|n| n * 100).collect();
    let stopped = Answered { frozen: ms(800), ..ms(1).into() };
    for unread_for in [Some(ms(800)), None] {
        for pacing in [Pacing::Open, Pacing::Closed] {
            let session = if pacing == Pacing::Open { session } else { in_order };
            let load = Load { pacing, ..Load::as_recorded() };
            let answers = [ms(1).into(), ms(1).into(), Answered { unread_for, ..stopped }];
            let ran = run(session(&offsets, 0), load, &answers).await;
            assert_eq!(rounded_ms(ran.samples[2].response_us), 801);
            let late = ran.samples.iter().filter(|sample| sample.response_us > 50_000).count();
            // By open pacing those that were due meanwhile are late, too.
            assert_eq!(late, if pacing == Pacing::Open { 8 } else { 1 }, "{pacing:?}");
            for sample in &ran.samples {
                // A gap begins somewhere between two beats of the heart.
                assert!(without_lag_ms(sample) <= 12, "{pacing:?} {unread_for:?} {sample:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_noticed_late_was_there_before() {
    let opened = Answered { opened_after: ms(100), opened_late: Some(ms(80)), ..ms(5).into() };
    let ran = run(session(&[0], 0), Load::as_recorded(), &[opened]).await;
    let sample = &ran.samples[0];
    assert_eq!(rounded_ms(sample.response_us), 105);
    assert_eq!(rounded_ms(sample.lag_us), 80);
    assert_eq!(rounded_ms(sample.queue_us), 20);
    assert_eq!(sample.connect_us.map(rounded_ms), Some(20));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_stopped_midway_is_charged_to_the_generator() {
    let stopped =
        Answered { frozen_midway: ms(800), unread_for: Some(Duration::ZERO), ..ms(5).into() };
    let ran = run(session(&[0], 0), Load::as_recorded(), &[stopped]).await;
    assert_eq!(rounded_ms(ran.samples[0].response_us), 805);
    // A gap begins somewhere between two beats of the heart.
    assert!(without_lag_ms(&ran.samples[0]) <= 5 + 12, "{:?}", ran.samples[0]);
}

#[tokio::test(start_paused = true)]
async fn the_first_request_of_a_session_has_its_lag() {
    let user = |ordinal, at| {
        let chain = Chain::Once { session: 0 };
        let start = At::START + ms(at);
        PlannedUser { persona: 0, ordinal, start, chain, bound: Bound::NONE, stay: Stay::WithLoad }
    };
    // The first stops the process while the others are to begin.
    let stopped = Answered { frozen: ms(500), ..ms(1).into() };
    let settings = settings(Load::as_recorded());
    let users = (0..10).map(|n| user(n, n * 50)).collect();
    let (batches, _) = run_users(plan(session(&[0], 0)), settings, users, &[stopped]).await;
    let samples: Vec<Sample> = batches.into_iter().flat_map(|batch| batch.samples).collect();
    assert_eq!(samples.len(), 10);
    for sample in &samples {
        assert!(sample.response_us > 40_000 && without_lag_ms(sample) <= 12, "{sample:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_times_out_late_had_its_time_out_and_the_rest_is_lag() {
    let stopped = Answered { frozen: ms(4000), ..ms(500).into() };
    let mut settings = settings(Load::as_recorded());
    settings.request_timeout = Duration::from_secs(2);
    let user = PlannedUser {
        persona: 0,
        ordinal: 0,
        start: At::START,
        chain: Chain::Once { session: 0 },
        bound: Bound::NONE,
        stay: Stay::WithLoad,
    };
    let hung = Answered { after: Duration::from_secs(60), ..stopped };
    let plan = plan(session(&[0, 1000], 0));
    let (batches, _) = run_users(plan, settings, vec![user], &[hung, stopped]).await;
    let samples: Vec<Sample> = batches.into_iter().flat_map(|batch| batch.samples).collect();
    assert_eq!(samples[0].outcome, Outcome::TimedOut);
    assert_eq!(rounded_ms(samples[0].response_us), 2000);
    assert!(samples[0].lag_us < 1000, "{:?}", samples[0]);
}
