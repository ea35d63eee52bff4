//! A slow target is a failed run; a slow generator is a doubtful or invalid one.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use run_log::format::ValidityState;
use run_log::outcome::Outcome;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::trace::{at, gives, request, takes};
use crate::support::{Answer, Server, TraceBuilder, Workplace};

fn scenario(place: &Workplace) -> String {
    place.scenario("expect = [\"p95 < 200ms\", \"failures < 1%\"]\n[load]\nclones = 1")
}

#[test]
fn a_target_that_collapses_fails_the_run_and_does_not_make_it_invalid() {
    let count = AtomicU64::new(0);
    // Slower with each request, then refusing.
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        n @ 0..60 => Answer::Late(Duration::from_millis(n * 10), 200, "{}".into()),
        _ => Answer::Json(503, "{}".into()),
    });
    let mut trace = TraceBuilder::default();
    for session in 0..10 {
        let steps: Vec<(u64, &str, &str)> = (0..20).map(|n| (n * 100, "GET", "/")).collect();
        trace = trace.session(&format!("s{session}"), &steps);
    }
    let place = Workplace::new(&trace, 0);
    let scenario = scenario(&place);
    let ran = place.run(&server.url(), &["--no-probe", "--scenario", &scenario, "--grace", "1s"]);
    let run = ran.checked();
    assert_ne!(run.validity.state, ValidityState::Invalid, "{:?}", run.validity);
    assert!(run.totals.failed_status > 0);
    // A machine that is busy with other things may make the run doubtful, which is exit code 12.
    match run.validity.state {
        ValidityState::Valid => assert_eq!(ran.code, Some(10), "{}", ran.stdout),
        _ => assert_eq!(ran.code, Some(12), "{}", ran.stdout),
    }
}

#[test]
fn requests_that_lack_a_value_make_the_run_invalid_and_do_not_fail_the_target() {
    let mut list = request("list", "s", 0, "GET", "/things");
    gives(&mut list, "id", at("/0"));
    let mut detail = request("detail", "s", 5, "GET", "/things/recorded");
    takes(&mut detail, 8..16, "list", "id");
    let trace = TraceBuilder { requests: vec![list, detail], ..TraceBuilder::default() };
    // It answers well, but not with what the recording found there.
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&trace, 0);
    let scenario = scenario(&place);
    let ran = place.run(&server.url(), &["--no-probe", "--scenario", &scenario]);
    let run = ran.checked();
    assert_eq!(ran.code, Some(12), "invalid, not failed: {}", ran.stdout);
    assert_eq!(run.totals.outcomes[Outcome::Unbound], 1);
    let reason = "1 requests (50.00 %) lacked a value that they need";
    assert!(run.validity.reasons.iter().any(|text| text == reason), "{:?}", run.validity);
    assert!(ran.stdout.contains(reason), "{}", ran.stdout);
    // The counts stay what they are.
    assert!(ran.stdout.contains("failures < 1%: 50.000 %"), "{}", ran.stdout);
}

/// The target stops the generator over and over, for 300 ms, while it holds an answer back for
/// it: each tenth request ends 300 ms later than the target thinks.
#[test]
fn a_generator_that_is_stopped_says_so() {
    let steps: Vec<(u64, &str, &str)> = (0..60).map(|n| (n * 20, "GET", "/")).collect();
    let trace = TraceBuilder::default().session("s", &steps);
    for pacing in ["open", "closed"] {
        let generator = Arc::new(AtomicI32::new(0));
        let (pid, count) = (Arc::clone(&generator), AtomicU64::new(0));
        let server = Server::start(move |_| {
            let pid = Pid::from_raw(pid.load(Ordering::SeqCst));
            if count.fetch_add(1, Ordering::SeqCst) % 10 == 5
                && let Some(pid) = pid
            {
                kill_process(pid, Signal::STOP).unwrap();
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(300));
                    kill_process(pid, Signal::CONT).unwrap();
                });
            }
            Answer::Json(200, "{}".into())
        });
        let place = Workplace::new(&trace, 0);
        let options = ["--no-probe", "--quiet", "--pacing", pacing];
        let mut tool = place.command(&server.url(), &options);
        let tool = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        generator.store(tool.id().cast_signed(), Ordering::SeqCst);
        let ran = place.ran(tool.wait_with_output().unwrap());
        let run = ran.checked();
        assert_ne!(run.validity.state, ValidityState::Valid, "{pacing}: {:?}", run.validity);
        let reason = &run.validity.reasons[0];
        assert!(reason.contains("without the generator's own delays"), "{pacing}: {reason}");
        let gap = ran.reader().seconds().unwrap().map(|row| row.unwrap().gap_max_us).max();
        assert!(gap >= Some(200_000), "{pacing}: {gap:?}");
        assert!(run.lag.max_us >= 200_000, "{pacing}: {:?}", run.lag);
    }
}
