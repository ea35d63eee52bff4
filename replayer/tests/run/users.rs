//! How many users there are, and for how long.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use run_log::format::{Judgement, Run, Window};
use run_log::timeline::Second;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace, judged_but_for_lag};

fn quick_server() -> Server {
    Server::start_forgetful(|_| Answer::Json(200, "{}".into()))
}

fn steps(count: u64, gap_ms: u64) -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..count).map(|n| (n * gap_ms, "GET", "/")).collect();
    TraceBuilder::default().session("s", &steps)
}

/// A workplace with a scenario that expects this.
fn expecting(trace: &TraceBuilder, expect: &str, load: &str) -> (Workplace, String) {
    let place = Workplace::new(trace, 0);
    let scenario = place.scenario(&format!("expect = [\"{expect}\"]\n[load]\n{load}"));
    (place, scenario)
}

fn judged(ran: &Ran, run: &Run) -> Vec<Second> {
    let Window { start_s, end_s, .. } = run.plateau;
    let rows = ran.reader().seconds().unwrap().map(Result::unwrap);
    rows.filter(|row| (start_s..end_s).contains(&row.second)).collect()
}

/// The flagship's shape, scaled down: everybody is there up to the end of the plateau, though
/// the last requests of many end shortly before it or after it.
#[test]
fn users_are_there_until_the_plateau_ends() {
    let server = quick_server();
    for pacing in ["closed", "open"] {
        let load = format!("pacing = \"{pacing}\"\nusers = 60\nspawn_rate = \"120/s\"");
        let load = format!("{load}\nduration = \"3s\"");
        let (place, scenario) = expecting(&steps(3, 370), "users >= 60", &load);
        let ran = place.run(&server.url(), &["--no-probe", "--scenario", &scenario]);
        let run = ran.checked();
        assert_eq!(run.plateau, Window::new(1, 3.0));
        let verdict = &judged_but_for_lag(&ran.reader()).verdicts[0];
        assert_eq!(verdict.result, Judgement::Met, "{pacing}: {verdict:?}");
        assert!(judged(&ran, &run).iter().all(|row| row.users == 60));
    }
}

/// Whatever ends first when a generator that was stopped goes on: answers, the second, or the
/// plan.
#[test]
fn a_generator_that_wakes_after_the_end_has_lost_no_user() {
    let server = quick_server();
    let load = "pacing = \"closed\"\nusers = 60\nduration = \"2s\"";
    let (place, scenario) = expecting(&steps(200, 7), "users >= 60", load);
    let mut child = place
        .command(&server.url(), &["--no-probe", "--scenario", &scenario])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    };
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The line of second 0.
    lines.next().unwrap().unwrap();
    signal("-STOP");
    std::thread::sleep(Duration::from_millis(1_500));
    signal("-CONT");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let ran = place.ran(child.wait_with_output().unwrap());
    let run = ran.checked();
    assert_eq!(run.plateau, Window::new(0, 2.0), "{rest:?}");
    let users: Vec<u64> = judged(&ran, &run).iter().map(|row| row.users).collect();
    assert_eq!(users, [60, 60], "{rest:?}");
}

#[test]
fn the_last_second_of_a_run_has_its_users_and_counts_by_its_length() {
    let server = quick_server();
    let load = "users = 10\nduration = \"2500ms\"";
    let (place, scenario) = expecting(&steps(40, 100), "requests >= 1/s", load);
    let ran = place.run(&server.url(), &["--no-probe", "--scenario", &scenario]);
    let run = ran.checked();
    assert_eq!((run.plateau, run.minor), (Window::new(0, 2.5), run_log::format::MINOR_OF_ALL));
    assert_eq!(run.totals.planned, 250);
    let users: Vec<u64> = judged(&ran, &run).iter().map(|row| row.users).collect();
    assert_eq!(users, [10, 10, 10]);
    let measured = judged_but_for_lag(&ran.reader()).verdicts[0].measured.value.unwrap();
    // What a busy machine answers after second 2 is not counted.
    assert!((90.0..=100.0).contains(&measured), "{measured}/s, and not 250 in 3 s");
}

/// By the server's own clock.
#[test]
fn clones_of_one_session_arrive_one_by_one_and_leave_with_it() {
    let begun = std::sync::Mutex::new(Vec::new());
    let begun = std::sync::Arc::new(begun);
    let seen = std::sync::Arc::clone(&begun);
    let server = Server::start(move |asked| {
        if asked.path == "/first" {
            seen.lock().unwrap().push(std::time::Instant::now());
        }
        Answer::Json(200, "{}".into())
    });
    let trace = TraceBuilder::default()
        .session("s", &[(0, "GET", "/first"), (900, "GET", "/"), (1_500, "GET", "/")]);
    let place = Workplace::new(&trace, 0);
    let ran = place.run(&server.url(), &["--no-probe", "--clones", "10"]);
    ran.checked();
    let mut begun = begun.lock().unwrap().clone();
    begun.sort_unstable();
    let apart = begun.windows(2).filter(|pair| pair[1] - pair[0] > Duration::from_millis(1));
    assert!(apart.count() >= 5, "{begun:?}");
    let spread = begun[9] - begun[0];
    assert!(spread > Duration::from_millis(100), "up to a third of 1.5 s: {spread:?}");
    let users: Vec<u64> = ran.reader().seconds().unwrap().map(|row| row.unwrap().users).collect();
    assert_eq!((users[0], users.last()), (10, Some(&0)), "{users:?}");
}
