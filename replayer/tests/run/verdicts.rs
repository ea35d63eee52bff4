//! What a run came to stands in the first lines of its summary, and passes nothing that it was not.

use run_log::format::Judgement;
use run_log::outcome::Outcome;
use trace::format::Request;

use crate::support::trace::{at, gives, request, takes};
use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

fn steady() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..20).map(|n| (n * 50, "GET", "/")).collect();
    TraceBuilder::default().session("s", &steps)
}

/// Runs a scenario with these lines before its load of 5 users for 1 s.
fn run(place: &Workplace, target: &str, lines: &str, options: &[&str]) -> Ran {
    let load = "[load]\nusers = 5\nduration = \"1s\"\n[quick]\nusers = 2";
    let scenario = place.scenario(&format!("{lines}\n{load}"));
    let named = ["--no-probe", "--quiet", "--force", "--scenario", &scenario];
    place.run(target, &[&named[..], options].concat())
}

/// The first lines, up to the counts.
fn first_lines(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().take_while(|line| !line.contains(" planned: ")).collect()
}

/// Whether a busy machine made the run doubtful, so that nothing else stands in the first line.
fn is_doubtful(ran: &Ran) -> bool {
    ["SUSPECT", "INVALID"].iter().any(|state| ran.stdout.starts_with(state))
}

#[test]
fn a_run_of_which_most_failed_is_never_without_a_mark() {
    let server = Server::start(|_| Answer::Json(503, "{}".into()));
    let place = Workplace::new(&steady(), 0);
    let mark = "more failed than the 1 % that is allowed: 100.000 %, mostly 5xx answers";

    // Nothing is expected of it, but more than that.
    let ran = run(&place, &server.url(), "", &[]);
    assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
    let lines = first_lines(&ran).join("\n");
    assert!(lines.contains(mark), "{lines}");
    if !is_doubtful(&ran) {
        assert_eq!(lines, format!("FAILED: {mark}"));
    }

    // A quick run is not judged, and says so all the same.
    let ran = run(&place, &server.url(), "expect = [\"p95 < 1s\"]", &["--profile", "quick"]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stdout);
    assert!(first_lines(&ran).join("\n").contains(mark), "{}", ran.stdout);

    // Where the scenario names a bound, that is the one.
    let ran = run(&place, &server.url(), "expect = [\"failures < 0.1%\"]", &[]);
    assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
    let lines = first_lines(&ran).join("\n");
    assert!(lines.contains("more failed than `failures < 0.1%` allows: 100.000 %"), "{lines}");
    let ran = run(&place, &server.url(), "expect = [\"failures <= 100%\"]", &[]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stdout);
    assert!(!first_lines(&ran).join("\n").contains("more failed"), "{}", ran.stdout);

    // Without a scenario nobody expects anything: it is told.
    let ran = place.run(&server.url(), &["--no-probe", "--quiet", "--force"]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stdout);
    assert!(first_lines(&ran).join("\n").contains(mark), "{}", ran.stdout);
}

#[test]
fn a_load_that_is_not_the_scenarios_passes_nothing() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&steady(), 0);
    let expect = "expect = [\"failures < 1%\"]";
    let as_written = run(&place, &server.url(), expect, &["--users", "5"]);
    assert_eq!(as_written.code_but_for_lag(), Some(0), "{}", as_written.stdout);
    assert!(as_written.checked().scenario.unwrap().changed.is_empty());
    if !is_doubtful(&as_written) {
        assert_eq!(first_lines(&as_written), ["PASSED"]);
    }
    for (options, change) in [
        (&["--users", "2"][..], "users 2 instead of users 5"),
        (&["--duration", "2s"], "for 2s instead of for 1s"),
        (&["--speed", "2"], "speed 2 instead of speed 1"),
        (&["--pacing", "closed"], "closed pacing instead of open pacing"),
        (&["--personas", "visitor"], "personas visitor instead of all personas"),
        (&["--max-requests", "1000"], "at most 1000 requests instead of any number of requests"),
        (&["--read-only"], "--read-only instead of all requests"),
    ] {
        let ran = run(&place, &server.url(), expect, options);
        assert_eq!(ran.code_but_for_lag(), Some(10), "{options:?}: {}", ran.stdout);
        let lines = first_lines(&ran).join("\n");
        assert!(lines.contains(&format!("not the scenario's load: {change}")), "{lines}");
        let read = ran.checked();
        assert!(read.verdicts.iter().all(|verdict| verdict.result == Judgement::NotJudged));
        assert_eq!(
            (read.scenario.unwrap().changed, read.minor),
            (vec![change.to_owned()], run_log::format::MINOR_OF_ALL)
        );
    }
    // A part is judged with the others.
    let ran = run(&place, &server.url(), expect, &["--shard", "1/2"]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stdout);
    let lines = first_lines(&ran).join("\n");
    assert!(lines.contains("not the scenario's load: shard 1/2 alone"), "{lines}");
}

#[test]
fn stages_that_are_typed_have_a_length_of_their_own() {
    let place = Workplace::new(&steady(), 0);
    let stages = ["--stages", "start 1, +1 every 2s, to 3", "--dry-run", "--json"];
    for (options, seconds) in [(&[][..], 6.0), (&["--duration", "9s"], 9.0)] {
        let ran = run(&place, "http://127.0.0.1:9", "", &[&stages[..], options].concat());
        let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(plan["seconds"], seconds, "{options:?}");
    }
}

#[test]
fn what_lacks_a_value_since_the_target_failed_is_the_targets_failure() {
    let trace = TraceBuilder::default()
        .session_with_login("a", &[(0, "GET", "/one"), (20, "GET", "/two"), (40, "GET", "/three")]);
    type Script = fn() -> Answer;
    let failing: [(&str, Script); 4] = [
        ("500", || Answer::Json(500, "{}".into())),
        ("reset", || Answer::RawThenClose(vec![])),
        ("time-out", || Answer::Silence),
        ("401", || Answer::Json(401, "{}".into())),
    ];
    for (name, script) in failing {
        let server = Server::start(move |asked| match asked.path.as_str() {
            "/login" => script(),
            _ => Answer::Json(200, "{}".into()),
        });
        let place = Workplace::new(&trace, 2);
        let ran = run(
            &place,
            &server.url(),
            "expect = [\"failures < 1%\"]",
            &["--request-timeout", "300ms"],
        );
        let read = ran.checked();
        let totals = &read.totals;
        let unbound = totals.outcomes[Outcome::Unbound];
        assert!(unbound > 0, "{name}: {totals:?}");
        assert_eq!(totals.unbound_by_target, unbound, "{name}");
        let reasons = read.validity.reasons.join("; ");
        assert!(!reasons.contains("lacked a value"), "{name}: {reasons}");
        if read.ended_by == Some(run_log::format::EndedBy::LoginsRefused) {
            continue;
        }
        assert_eq!(ran.code_but_for_lag(), Some(10), "{name}: {}", ran.stdout);
    }

    // A good answer without the value is none of its failures.
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&trace, 2);
    let ran = run(&place, &server.url(), "expect = [\"failures < 1%\"]", &[]);
    let read = ran.checked();
    assert!(read.totals.outcomes[Outcome::Unbound] > 0, "{:?}", read.totals);
    assert_eq!(read.totals.unbound_by_target, 0);
    assert!(read.validity.reasons.join("; ").contains("lacked a value"), "{:?}", read.validity);
    assert_eq!(ran.code, Some(12), "{}", ran.stdout);
}

/// A request of which each answer gives an id, and which needs that of the one before.
fn link(number: u64) -> Request {
    let mut link = request(&format!("r{number}"), "s", number * 20, "GET", "/");
    link.path = format!("/{number}/");
    link.name = format!("GET /{number}/");
    gives(&mut link, "id", at("/id"));
    if let Some(before) = number.checked_sub(1) {
        takes(&mut link, 3..3, &format!("r{before}"), "id");
    }
    link
}

#[test]
fn what_needs_what_was_unbound_is_as_much_the_targets_failure() {
    let trace = TraceBuilder { requests: (0..4).map(link).collect(), ..TraceBuilder::default() };
    let place = Workplace::new(&trace, 0);
    let unbound = |fails: fn(&str) -> Option<Answer>| {
        let server = Server::start(move |asked| {
            fails(&asked.path).unwrap_or_else(|| Answer::Json(200, "{\"id\":7}".into()))
        });
        let ran = place.run(&server.url(), &["--no-probe", "--quiet", "--force"]);
        let totals = ran.checked().totals;
        (totals.outcomes[Outcome::Unbound], totals.unbound_by_target)
    };
    assert_eq!(unbound(|_| None), (0, 0));
    let fails = |path: &str| path.starts_with("/0/").then(|| Answer::Json(500, "{}".into()));
    assert_eq!(unbound(fails), (3, 3));
    // A failing answer that gives the value is as good as another.
    let gives =
        |path: &str| path.starts_with("/0/").then(|| Answer::Json(500, "{\"id\":7}".into()));
    assert_eq!(unbound(gives), (0, 0));
    // A good answer without it is the tool's miss, and so is all that follows.
    let lacks = |path: &str| path.starts_with("/1/").then(|| Answer::Json(200, "{}".into()));
    assert_eq!(unbound(lacks), (2, 0));
}
