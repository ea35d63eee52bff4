//! A stall is charged to every request that would have met it, or to the session that it holds up.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use run_log::format::{Judgement, LatencyKind};
use run_log::outcome::Outcome;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace, judged_but_for_lag};

/// Sessions of requests 100 ms apart; each begins 2 ms after the one before.
const SESSIONS: u64 = 50;
const REQUESTS: u64 = 180;
const APART_MS: u64 = 100;

/// How long the target is frozen after so many milliseconds: 1 s in every 5 s, from 2 s on.
fn frozen_ms(at: u64) -> u64 {
    let into = at % 5000;
    if (2000..3000).contains(&into) { 3000 - into } else { 0 }
}

/// A target that answers in 1 ms and freezes, asked 500 times a second for 18 s.
fn frozen(options: &[&str]) -> Ran {
    let mut trace = TraceBuilder::default();
    for session in 0..SESSIONS {
        let steps: Vec<(u64, &str, &str)> =
            (0..REQUESTS).map(|step| (2 * session + step * APART_MS, "GET", "/")).collect();
        trace = trace.session(&format!("s{session}"), &steps);
    }
    // From the first request on, however long the replayer took to begin.
    let begun = OnceLock::new();
    let server = Server::start(move |_| {
        let begun = begun.get_or_init(Instant::now);
        let frozen = frozen_ms(begun.elapsed().as_millis() as u64);
        Answer::Late(Duration::from_millis(frozen + 1), 200, "{}".into())
    });
    let place = Workplace::new(&trace.in_order(), 0);
    let ran = place.run(&server.url(), &[&["--no-probe", "--duration", "18s"], options].concat());
    let run = ran.checked();
    assert_eq!(run.totals.planned, SESSIONS * REQUESTS);
    assert_eq!(run.totals.outcomes[Outcome::Completed], SESSIONS * REQUESTS, "{}", ran.stderr);
    ran
}

/// The time in milliseconds that so large a share of the requests took at most.
fn ms(ran: &Ran, kind: LatencyKind, share: f64) -> f64 {
    let all = ran.recorded(kind);
    assert_eq!(all.len(), SESSIONS * REQUESTS);
    all.value_at_quantile(share) as f64 / 1e3
}

/// By arithmetic, of every 2,500 requests 500 meet the freeze and wait 0 to 1,000 ms, evenly: of
/// 9,000 the 2,000 of four freezes, so that p90 is 550 ms in and p99 955. A tool that waits for
/// answers before it goes on would send a few slow requests and show a p90 of milliseconds.
#[test]
fn a_freeze_is_seen_by_every_independent_request_that_would_have_met_it() {
    let ran = frozen(&["--independent"]);
    let run = ran.checked();
    assert!(run.config.independent);
    assert!(run.limitations.iter().any(|it| it.contains("each request stands for itself")));
    let response = |share| ms(&ran, LatencyKind::ResponseOk, share);
    println!("p50 {} ms, p90 {} ms, p99 {} ms", response(0.5), response(0.9), response(0.99));
    // A busy machine makes it slower, never faster; to the millisecond it is on paused time, in
    // the engine's tests.
    assert!(response(0.9) > 459.0, "p90 {} ms", response(0.9));
    assert!(response(0.99) > 857.0, "p99 {} ms", response(0.99));
}

/// Each freeze holds a session up, whose later requests all come later: no response but one of
/// each freeze is slow, and the time since due has all of it.
#[test]
fn a_freeze_shifts_a_session_and_its_time_since_due_says_so() {
    let ran = frozen(&[]);
    let mut since_due: Vec<u64> = (0..SESSIONS)
        .flat_map(|session| {
            let mut done = 0;
            (0..REQUESTS).map(move |step| {
                let due = 2 * session + step * APART_MS;
                let ready = if step == 0 { due } else { due.max(done + APART_MS - 1) };
                done = ready + frozen_ms(ready) + 1;
                done - due
            })
        })
        .collect();
    since_due.sort_unstable();
    let expected = since_due[since_due.len() * 9 / 10] as f64;
    let measured = ms(&ran, LatencyKind::SinceDue, 0.9);
    println!("p90 since due {measured} ms, by arithmetic {expected} ms");
    // As above: what a busy machine adds, each later request of the session has too.
    assert!(measured > 0.9 * expected, "{measured} ms, by arithmetic {expected} ms");
    let response = ms(&ran, LatencyKind::ResponseOk, 0.9);
    assert!(response < measured / 4.0, "what waits is not asked meanwhile: {response} ms");
    let verdicts = judged_but_for_lag(&ran.reader()).verdicts;
    let held =
        verdicts.iter().find(|verdict| verdict.expectation.to_string() == "load_held >= 98%");
    assert_eq!(held.unwrap().result, Judgement::Missed, "{verdicts:?}");
}
