//! Too much load, and interrupts: nothing vanishes.

use run_log::outcome::Outcome;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use run_log::format::{EndedBy, State};

use crate::support::{Answer, Server, TraceBuilder, Workplace};

fn gets(count: u64, gap_ms: u64) -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..count).map(|n| (n * gap_ms, "GET", "/")).collect();
    TraceBuilder::default().session("s", &steps)
}

#[test]
fn what_is_over_the_bound_is_shed_and_counted_and_charted() {
    let server = Server::start(|_| Answer::Late(Duration::from_millis(500), 200, "{}".into()));
    let place = Workplace::new(&gets(100, 20), 0);
    let ran = place.run(&server.url(), &["--no-probe", "--max-queue", "5", "--grace", "20s"]);
    let run = ran.checked();
    let outcomes = run.totals.outcomes;
    // Each holds the only connection for half a second or more; the last five wait for it.
    let most = run.elapsed_s / 0.5 + 1.0;
    assert!((6.0..=most).contains(&(outcomes[Outcome::Completed] as f64)), "{outcomes:?}");
    assert_eq!(outcomes[Outcome::Completed] + outcomes[Outcome::Shed], 100, "{outcomes:?}");
    assert_eq!(
        server.asked().len() as u64,
        outcomes[Outcome::Completed],
        "what is shed is never sent"
    );
    let shed: u64 =
        ran.reader().seconds().unwrap().map(|second| second.unwrap().outcomes[Outcome::Shed]).sum();
    assert_eq!(shed, outcomes[Outcome::Shed]);
    let queued = ran.reader().seconds().unwrap().map(|second| second.unwrap().queued).max();
    assert!((1..=5).contains(&queued.unwrap()), "{queued:?}");
}

#[test]
fn a_condition_stops_the_run_when_it_holds() {
    let begun = Instant::now();
    let server = Server::start(move |_| {
        let status = if begun.elapsed() < Duration::from_secs(3) { 200 } else { 503 };
        Answer::Json(status, "{}".into())
    });
    let place = Workplace::new(&gets(50, 20), 0);
    let options = ["--no-probe", "--users", "1", "--duration", "60s"];
    let ran = place.run(&server.url(), &[&options[..], &["--stop-on", "failures > 5%"]].concat());
    let run = ran.checked();
    assert!(matches!(&run.ended_by, Some(EndedBy::StopOn(text)) if text.contains("failures > 5%")));
    assert!(run.totals.failed_status > 0);
}

#[test]
fn a_second_interrupt_cuts_off_what_is_under_way_and_still_writes() {
    let count = AtomicU64::new(0);
    // The first ten are answered, the others never.
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0..10 => Answer::Json(200, "{}".into()),
        _ => Answer::Silence,
    });
    let place = Workplace::new(&gets(1000, 20), 0);
    let mut child = place
        .command(&server.url(), &["--no-probe", "--grace", "10m"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let pid = child.id().to_string();
    let interrupt =
        || assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    lines.next().unwrap().unwrap();
    interrupt();
    let notice = lines.by_ref().map_while(Result::ok).find(|line| line.contains("a second signal"));
    assert!(notice.is_some());
    let asked = Instant::now();
    interrupt();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let ran = place.ran(child.wait_with_output().unwrap());
    assert!(asked.elapsed() < Duration::from_secs(60), "it does not wait for the grace");
    assert_eq!(ran.code, Some(130), "{rest:?}");
    let run = ran.checked();
    assert_eq!((run.state, run.ended_by), (State::Finished, Some(EndedBy::Signal(2))));
    assert_eq!(run.totals.outcomes[Outcome::Completed], 10);
    assert!(run.totals.outcomes[Outcome::CutOff] > 0);
    assert_eq!(
        run.totals.outcomes[Outcome::Completed] + run.totals.outcomes[Outcome::CutOff],
        run.totals.planned
    );
}

/// Between the second signal and the end of intake no lane may take what it would only cut off.
#[test]
fn two_signals_at_once_cut_off_what_was_under_way_and_nothing_else() {
    const USERS: u64 = 8;
    let server = Server::start_forgetful(|_| Answer::Json(200, "{}".into()));
    // Each request follows at once on the answer to the one before.
    let steps: Vec<(u64, &str, &str)> = (0..200).map(|n| (n, "GET", "/")).collect();
    let place = Workplace::new(&TraceBuilder::default().session("s", &steps), 0);
    let mut child = place
        .command(
            &server.url(),
            &["--no-probe", "--pacing", "closed", "--users", "8", "--duration", "1m"],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let pid = child.id().to_string();
    lines.next().unwrap().unwrap();
    // Two of a kind at once would be one.
    let both = format!("kill -INT {pid}; kill -TERM {pid}");
    assert!(Command::new("sh").args(["-c", &both]).status().unwrap().success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let ran = place.ran(child.wait_with_output().unwrap());
    let run = ran.checked();
    assert!(matches!(run.ended_by, Some(EndedBy::Signal(_))), "{:?} {rest:?}", run.ended_by);
    let cut_off = run.totals.outcomes[Outcome::CutOff];
    assert!(cut_off <= USERS, "{cut_off} of {USERS} users");
}
