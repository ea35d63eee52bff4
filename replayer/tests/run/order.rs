//! A session keeps its order, whatever the target does.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use run_log::format::LatencyKind;
use run_log::outcome::Outcome;
use trace::format::Body;

use crate::support::trace::answer;
use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

/// Sessions that look at two things at once, and then create, change and delete one.
fn editing(sessions: usize) -> TraceBuilder {
    let mut trace = TraceBuilder::default();
    for session in 0..sessions {
        let thing = format!("/things/{session}");
        let begin = session as u64 * 40;
        trace = trace.session(
            &format!("s{session}"),
            &[
                (begin, "GET", "/a"),
                (begin, "GET", "/b"),
                (begin + 80, "POST", &thing),
                (begin + 160, "PUT", &thing),
                (begin + 240, "DELETE", &thing),
                (begin + 320, "GET", "/a"),
            ],
        );
    }
    trace.in_order()
}

/// A target that takes its time, to create something four times as long, and remembers which
/// things there are.
fn slow_target(takes: Duration) -> Server {
    let things: Mutex<HashSet<String>> = Mutex::default();
    Server::start(move |asked| {
        sleep(if asked.method == "POST" { takes * 4 } else { takes });
        let mut things = things.lock().unwrap();
        let is_there = things.contains(&asked.path);
        let status = match (asked.method.as_str(), is_there) {
            ("POST", false) => {
                things.insert(asked.path.clone());
                201
            }
            ("POST", true) => 409,
            ("DELETE", true) => {
                things.remove(&asked.path);
                200
            }
            ("PUT" | "DELETE", false) => 404,
            _ => 200,
        };
        Answer::Json(status, "{}".into())
    })
}

fn failed(ran: &Ran) -> u64 {
    ran.checked().totals.failed_status
}

#[test]
fn a_slow_target_at_four_times_the_speed_gets_what_a_client_would_send() {
    let place = Workplace::new(&editing(10), 0);
    let options = ["--no-probe", "--speed", "4"];
    let ran = place.run(&slow_target(Duration::from_millis(100)).url(), &options);
    assert_eq!(failed(&ran), 0, "{}", ran.stdout);
    let more = ["--independent", "--force"];
    let ran =
        place.run(&slow_target(Duration::from_millis(100)).url(), &[&options[..], &more].concat());
    assert!(failed(&ran) > 0, "each for itself overtakes the one before: {}", ran.stdout);
}

/// How much later than due requests were ready, in milliseconds: half of them, and the latest.
fn delays_ms(ran: &Ran) -> [f64; 2] {
    let all = ran.recorded(LatencyKind::SessionDelay);
    [all.value_at_quantile(0.5), all.max()].map(|us| us as f64 / 1e3)
}

#[test]
fn a_target_as_fast_as_recorded_delays_no_session_as_long_as_its_answers_fit() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let mut trace = TraceBuilder::default();
    for session in 0..5 {
        let steps: Vec<(u64, &str, &str)> =
            (0..20).map(|n| (session * 7 + n * 200, "GET", "/")).collect();
        trace = trace.session(&format!("s{session}"), &steps);
    }
    // A busy machine answers late: these 45 ms are recorded, and fit 50 ms.
    for line in &mut trace.requests {
        answer(line).total_us = 45_000;
    }
    let place = Workplace::new(&trace.in_order(), 0);
    for speed in ["1", "4"] {
        let ran = place.run(&server.url(), &["--no-probe", "--force", "--speed", speed]);
        let run = ran.checked();
        assert_eq!(run.totals.planned, 100);
        let held = run.load_held.unwrap();
        assert_eq!(held.ready, held.planned, "speed {speed}");
        // To the millisecond it is on paused time, in the engine's tests.
        let [half, _] = delays_ms(&ran);
        assert!(half < 1.0, "speed {speed}: {half} ms");
    }
}

/// What is left out took no time, and what came after it still comes after what is left.
#[test]
fn where_requests_are_left_out_the_rest_keeps_its_order() {
    let mut trace = TraceBuilder::default().session(
        "s",
        &[
            (0, "GET", "/first"),
            (0, "GET", "/beside"),
            (50, "POST", "/left-out"),
            (100, "POST", "/big"),
            (150, "GET", "/last"),
        ],
    );
    trace.requests[3].body = Some(Body::Truncated { size: 1 << 30, sha256: "00".repeat(32) });
    let place = Workplace::new(&trace.in_order(), 0);
    for option in ["--read-only", "--skip-truncated"] {
        let server = Server::start(|asked| {
            let takes = if asked.path == "/first" { 400 } else { 1 };
            Answer::Late(Duration::from_millis(takes), 200, "{}".into())
        });
        let ran = place.run(&server.url(), &["--no-probe", "--force", option]);
        let kept = if option == "--read-only" { 3 } else { 4 };
        assert_eq!(ran.checked().totals.planned, kept, "{option}: {}", ran.stderr);
        // By the plan it goes out after 150 ms, on a second connection.
        let [_, latest] = delays_ms(&ran);
        assert!(latest > 240.0, "{option}: {latest} ms");
    }
}

#[test]
fn closed_pacing_has_an_order_of_its_own() {
    let place = Workplace::new(&editing(1), 0);
    let options = ["--independent", "--pacing", "closed"];
    let ran = place.run("http://127.0.0.1:9", &options);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--independent: by closed pacing"), "{}", ran.stderr);
}

/// A chain of many costs each of its requests the same, also while all of them are late.
#[test]
fn a_session_of_ten_thousand_late_requests_is_sent_as_fast_as_it_is_answered() {
    let steps: Vec<(u64, &str, &str)> = (0..10_000).map(|n| (n / 10, "GET", "/")).collect();
    let mut trace = TraceBuilder::default().session("s", &steps);
    for (index, line) in trace.requests.iter_mut().enumerate() {
        (line.at, answer(line).total_us) = (index as u64 * 100, 50);
    }
    let place = Workplace::new(&trace.in_order(), 0);
    let server = Server::start_forgetful(|_| Answer::Json(200, "{}".into()));
    let run = place.run(&server.url(), &["--no-probe", "--grace", "60s"]).checked();
    assert_eq!(run.totals.outcomes[Outcome::Completed], 10_000);
    assert!(run.elapsed_s < 50.0, "{} s", run.elapsed_s);
}
