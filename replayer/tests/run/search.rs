//! The highest load that is held, found by runs of more and less.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

/// Sessions that each send ten times a second, for a minute.
fn steady() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..600).map(|n| (n * 100, "GET", "/")).collect();
    TraceBuilder::default().session("s", &steps)
}

/// Serves so many requests a second, one after another, each in its turn.
fn limited_to(per_s: u32) -> Server {
    let next = Arc::new(Mutex::new(Instant::now()));
    Server::start_forgetful(move |_| {
        let turn = {
            let mut next = next.lock().unwrap();
            *next = (*next).max(Instant::now()) + Duration::from_secs(1) / per_s;
            *next
        };
        Answer::Late(turn.saturating_duration_since(Instant::now()), 200, "{}".into())
    })
}

fn search(place: &Workplace, target: &str, options: &[&str]) -> Ran {
    let runs = place.path("search");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_replayer"));
    command
        .args(["search", "--trace"])
        .arg(place.path("t.trace.jsonl.zst"))
        .args(["--target", target, "--quiet", "--calm-within", "1ms", "--runs"])
        .arg(&runs)
        .args(options);
    place.ran(command.output().unwrap())
}

fn journal(place: &Workplace) -> Value {
    serde_json::from_slice(&fs::read(place.path("search/search.json")).unwrap()).unwrap()
}

#[test]
fn the_rate_that_a_target_is_limited_to_lies_between_what_held_and_what_did_not() {
    let (server, place) = (limited_to(60), Workplace::new(&steady(), 0));
    let options = ["--by", "rate", "--from", "20", "--to", "80", "--within", "100"];
    let length = ["--duration", "11s", "--warmup", "1s"];
    let ran = search(
        &place,
        &server.url(),
        &[&["p95 < 200ms, failed < 1%"], &options[..], &length].concat(),
    );
    let told = journal(&place);
    let probes = told["probes"].as_array().unwrap();
    assert!(ran.stderr.contains("at most 13 probes of 11s"), "{}", ran.stderr);
    for probe in probes {
        let dir = place.path("search").join(probe["name"].as_str().unwrap());
        assert!(dir.join("run.json").exists(), "{}", dir.display());
    }
    // Where a busy machine kept the generator from its work, it says so and knows no more.
    if ran.code == Some(12) {
        assert!(ran.stdout.contains("the generator itself was late"), "{}", ran.stdout);
        return;
    }
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let answer = &told["answer"];
    let level = |name: &str| answer[name].as_f64().unwrap();
    assert!(level("held") <= 60.0 && 60.0 <= level("missed"), "{answer}");
    assert!(ran.stdout.contains("held up to 40/s, and no more at 80/s"), "{}", ran.stdout);
    let again = search(&place, &server.url(), &[&["p95 < 1s"], &options[..]].concat());
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("search.json is there already; --force"), "{}", again.stderr);
}

#[test]
fn what_cannot_be_searched_is_refused_before_anything_is_sent() {
    let (server, place) = (Server::start(|_| Answer::Silence), Workplace::new(&steady(), 0));
    let by_users = ["--by", "users", "--from", "1", "--to", "5"];
    for (options, says) in [
        (&["p95 > x"][..], "EXPECTATIONS: "),
        (&["phase ramp: p95 < 1s"], "a probe is judged as a whole"),
        (&["GET /other: p95 < 1s"], "no endpoint or persona of the name \"GET /other\""),
        (&["load_held > 9%", "--pacing", "closed"], "by closed pacing nothing is due"),
        (&["p95 < 1s", "--users", "3"], "the search itself says how many"),
        (&["p95 < 1s", "--of", "GET /"], "--of: it is for --by rate alone"),
        (&["p95 < 1s", "--within", "0"], "--within: it is a share"),
        (&["p95 < 1s", "--probes", "1"], "--probes: fewer than two"),
        (&["p95 < 1s", "--duration", "9s"], "--duration: at 1 users ramp and warm-up leave 4.0 s"),
        (&["p95 < 1s", "--max-rate", "9/s"], "over the bound of 9/s"),
        (&["p95 < 1s", "--before", "'"], "--before: expected a command"),
    ] {
        let ran = search(&place, &server.url(), &[options, &by_users].concat());
        assert!(matches!(ran.code, Some(2 | 3)), "{options:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{options:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
    let backwards = ["p95 < 1s", "--by", "users", "--from", "5", "--to", "5"];
    let ran = search(&place, &server.url(), &backwards);
    assert!(ran.stderr.contains("--to: it must be above --from, 5 users"), "{}", ran.stderr);
    assert!(server.asked().is_empty());
    assert!(!place.path("search").exists());
}

#[test]
fn what_holds_nowhere_is_a_threshold_that_failed() {
    let server = Server::start_forgetful(|_| Answer::Json(500, "{}".into()));
    let place = Workplace::new(&steady(), 0);
    let options = ["p95 < 1s", "--by", "users", "--from", "2", "--to", "9", "--json"];
    let length = ["--duration", "10s", "--warmup", "0s", "--no-preflight"];
    let ran = search(&place, &server.url(), &[&options[..], &length].concat());
    assert_eq!(ran.code, Some(10), "{}{}", ran.stdout, ran.stderr);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["probes"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!((&told["answer"]["held"], &told["answer"]["missed"]), (&Value::Null, &2.0.into()));
}
