//! Checks: an answer that says 200 and is none.

use std::sync::atomic::{AtomicU64, Ordering};

use run_log::outcome::Outcome;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

const LOAD: &str = "[load]\nusers = 5\nduration = \"1s\"";

/// What is said of failures whose status is below 400.
const OTHERS: &str = "mostly answers that missed a check or had an unexpected status";

fn graphql() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..40).map(|n| (n * 25, "POST", "/graphql")).collect();
    TraceBuilder::default().session("s", &steps)
}

fn run(place: &Workplace, target: &str, checks: &str) -> Ran {
    let scenario = place.scenario(&format!("expect = [\"failures < 1%\"]\n{checks}\n{LOAD}"));
    place.run(target, &["--no-probe", "--quiet", "--force", "--scenario", &scenario])
}

/// Rows of `failures.csv` by their error.
fn failures(ran: &Ran) -> Vec<(String, u64)> {
    let rows = ran.reader().failures().unwrap().map(Result::unwrap);
    rows.map(|row| (row.error, row.occurrences)).collect()
}

#[test]
fn an_answer_200_that_holds_errors_is_a_failure_with_the_checks_name() {
    let (asked, bad) =
        (std::sync::Arc::new(AtomicU64::new(0)), std::sync::Arc::new(AtomicU64::new(0)));
    let (count, with_errors) = (std::sync::Arc::clone(&asked), std::sync::Arc::clone(&bad));
    let server = Server::start(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) % 50 != 49 {
            return Answer::Json(200, r#"{"data":{"id":7},"errors":null}"#.into());
        }
        with_errors.fetch_add(1, Ordering::SeqCst);
        Answer::Json(200, r#"{"data":null,"errors":[{"message":"no such field"}]}"#.into())
    });
    let place = Workplace::new(&graphql(), 0);
    let checks = "[[check]]\nname = \"no errors\"\njson = \"/errors\"\nabsent = true";
    let ran = run(&place, &server.url(), checks);
    let run = ran.checked();
    let bad = bad.load(Ordering::SeqCst);
    assert!(bad >= 2, "{bad} of {}", asked.load(Ordering::SeqCst));
    assert_eq!(run.totals.outcomes[Outcome::Completed], asked.load(Ordering::SeqCst));
    assert_eq!(run.totals.failed_status, bad);
    assert_eq!(failures(&ran), [("check no errors".to_owned(), bad)]);
    let sample = ran.reader().errors().unwrap().next().unwrap().unwrap();
    assert_eq!((sample.status, sample.check.as_deref()), (Some(200), Some("no errors")));
    assert!(sample.body.unwrap().contains("no such field"));
    assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
    assert!(ran.stdout.contains(OTHERS), "{}", ran.stdout);
}

#[test]
fn a_status_that_the_scenario_does_not_list_is_told_as_what_it_is() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&graphql(), 0);
    let ran = run(&place, &server.url(), "[statuses]\n\"POST /graphql\" = [201]");
    assert!(ran.checked().totals.failed_status > 0);
    assert!(ran.stdout.contains(OTHERS), "{}", ran.stdout);
    assert!(failures(&ran).iter().all(|(error, _)| error == "HTTP 200"), "{:?}", failures(&ran));
}

#[test]
fn each_kind_of_check_looks_at_what_it_says() {
    let server = Server::start(|_| Answer::Json(200, r#"{"ok":true,"n":3}"#.into()));
    let place = Workplace::new(&graphql(), 0);
    let all = "POST /graphql";
    for (check, is_met) in [
        ("json = \"/ok\"", true),
        ("json = \"/ok\"\nequals = false", false),
        ("json = \"/n\"\nequals = 3", true),
        ("json = \"/n\"\nabsent = true", false),
        ("text = \"ok\"", true),
        ("text = \"ok\"\nabsent = true", false),
        ("header = \"content-type\"\nequals = \"application/json\"", true),
        ("header = \"x-none\"", false),
        ("header = \"x-none\"\nabsent = true", true),
        ("size = \">= 17\"", true),
        ("size = \"< 17\"", false),
    ] {
        let ran = run(&place, &server.url(), &format!("[[check]]\nendpoint = \"{all}\"\n{check}"));
        let run = ran.checked();
        let failed = if is_met { 0 } else { run.totals.outcomes[Outcome::Completed] };
        assert!(run.totals.outcomes[Outcome::Completed] > 0, "{check}");
        assert_eq!(run.totals.failed_status, failed, "{check}: {}", ran.stdout);
    }
}

#[test]
fn a_check_that_is_none_or_of_no_endpoint_ends_the_run_before_its_first_request() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&graphql(), 0);
    for (check, told) in [
        ("[[check]]\nendpoint = \"POST /graphq\"\ntext = \"a\"", "POST /graphql"),
        ("[[check]]\ntext = \"a\"\n[[check]]\njson = \"errors\"", "[[check]] 2: json \"errors\""),
        ("[[check]]\nsize = \"much\"", "[[check]] 1: size \"much\""),
        ("[[check]]\ntxt = \"a\"", "unknown field `txt`"),
    ] {
        let ran = run(&place, &server.url(), check);
        assert_eq!(ran.code, Some(2), "{check}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    assert_eq!(server.asked().len(), 0);
}
