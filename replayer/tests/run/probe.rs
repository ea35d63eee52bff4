//! `replayer probe`: what fails is shown before any load, and nothing is changed by it.

use trace::format::{Binding, Body, Encoding, FreshId, Origin, Part};

use super::preflight::row;
use crate::support::trace::{answer, at, gives, logs_in, request, takes};
use crate::support::{Answer, PASSWORD, Server, TraceBuilder, Workplace};

/// Ten requests to one endpoint, an hour apart.
fn place() -> Workplace {
    let steps: Vec<(u64, &str, &str)> = (0..10).map(|n| (n * 3_600_000, "GET", "/one")).collect();
    Workplace::new(&TraceBuilder::default().session_with_login("s", &steps), 1)
}

fn token() -> Answer {
    Answer::Json(200, r#"{"access_token":"s3cret-t0ken-of-17"}"#.into())
}

#[test]
fn a_good_target_is_good_and_is_asked_without_think_times() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/login" => token(),
        _ => Answer::Json(200, "{}".into()),
    });
    let ran = place().probe(&server.url(), &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.ends_with("\n11 requests sent, 0 failed\n"), "{}", ran.stdout);
    assert_eq!(server.asked().len(), 11);
}

#[test]
fn every_failing_request_is_shown_with_its_answer() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/login" => token(),
        _ => Answer::Json(500, r#"{"detail":"no table s3cret-t0ken-of-17"}"#.into()),
    });
    let ran = place().probe(&server.url(), &[]);
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    // What is the same is said once.
    let said =
        "10 of 10 failed: GET /one of visitor: 500 {\"detail\":\"no table [redacted]\"} (10 times)";
    assert_eq!(row(&ran.stdout, "reads"), format!("failed {said}"));
    let json = place().probe(&server.url(), &["--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["sent"], &json["failed"]), (&11.into(), &10.into()));
    assert_eq!(json["failures"].as_array().unwrap().len(), 10);
}

#[test]
fn a_persona_that_cannot_log_in_is_named() {
    for (status, detail) in [(401, "wrong password"), (422, "not an address"), (503, "busy")] {
        let server =
            Server::start(move |_| Answer::Json(status, format!(r#"{{"detail":"{detail}"}}"#)));
        let ran = place().probe(&server.url(), &[]);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        let words = ["visitor (account visitor1) cannot log in: POST /login answered", detail];
        for word in words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {}", ran.stderr);
        }
        assert!(ran.stderr.contains(&status.to_string()) && !ran.stderr.contains(PASSWORD));
        assert_eq!(server.asked().len(), 1, "a refused login is not repeated");
    }
}

/// What a session does that registers, and works on what is there and on what it makes itself.
fn busy() -> TraceBuilder {
    let mut of = TraceBuilder::default();
    let mut register = request("r", "s", 0, "POST", "/users");
    register.prologue = true;
    register.headers.push(("Content-Type".into(), "application/json".into()));
    register.body = Some(Body::Text(r#"{"name":"ann17","password":""}"#.into()));
    let fresh = Origin::Fresh { key: "k".into(), like: FreshId::Hex(5) };
    for (start, end, from) in [(9, 14, fresh), (28, 28, Origin::Account("password".into()))] {
        let encode = Encoding::Json;
        register.bind.push(Binding {
            part: Part::Body,
            start,
            end,
            from,
            encode,
            ambiguous: false,
        });
    }
    of.requests.push(register);
    of.requests.push(logs_in("l", "s", 10, "/login", "access_token"));
    let mut list = request("a", "s", 20, "GET", "/list");
    gives(&mut list, "id", at("/id"));
    let mut one = request("b", "s", 30, "GET", "/list/17");
    takes(&mut one, 6..8, "a", "id");
    let mut make = request("c", "s", 40, "POST", "/list");
    gives(&mut make, "id", at("/id"));
    let mut made = request("d", "s", 50, "GET", "/list/18/made");
    takes(&mut made, 6..8, "c", "id");
    let mut change = request("e", "s", 60, "PUT", "/list/17");
    takes(&mut change, 6..8, "a", "id");
    let mut gone = request("f", "s", 70, "GET", "/gone");
    answer(&mut gone).status = 404;
    of.requests.extend([list, one, make, made, change, gone]);
    of.in_order()
}

fn busy_server() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/login" => token(),
        "/gone" => Answer::Json(404, "{}".into()),
        _ => Answer::Json(200, r#"{"id":17}"#.into()),
    })
}

fn asked(server: &Server) -> Vec<String> {
    server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
}

const SAFE: [&str; 4] = ["POST /login", "GET /list", "GET /list/17", "GET /gone"];

#[test]
fn what_writes_is_not_tried_and_a_failure_that_was_recorded_is_none() {
    let (place, server) = (Workplace::new(&busy(), 1), busy_server());
    let ran = place.probe(&server.url(), &["--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(asked(&server), SAFE);
    for (name, count) in
        [("POST /users", 1), ("POST /list", 1), ("GET /list/18/made", 1), ("PUT /list/17", 1)]
    {
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(json["not_tried"][name], count);
        let said = format!("{name} ({count})");
        let row = row(&place.probe(&server.url(), &[]).stdout, "writes");
        assert!(
            row.starts_with("not tried GET /list/18/made (1), ") && row.contains(&said),
            "{row}"
        );
    }
}

#[test]
fn all_of_a_session_is_tried_where_that_is_asked_for() {
    let (place, server) = (Workplace::new(&busy(), 1), busy_server());
    let ran = place.probe(&server.url(), &["--full"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    // Those that are no login.
    assert_eq!(row(&ran.stdout, "writes"), "good 2 of 2 answered as recorded");
    assert_eq!(row(&ran.stdout, "reads"), "good 4 of 4 answered as recorded");
    assert_eq!(asked(&server).len(), 8);
}

#[test]
fn a_run_tries_what_it_is_told_to_and_nothing_before_it_compares() {
    for (options, before) in [
        (&[][..], 4),
        (&["--probe", "full"], 8),
        (&["--no-probe"], 0),
        (&["--no-preflight"], 0),
        (&["--verify", "--min-fidelity", "0"], 0),
    ] {
        let (place, server) = (Workplace::new(&busy(), 1), busy_server());
        let ran = place.run(&server.url(), options);
        let run = ran.checked();
        assert_eq!(run.totals.extra.probes, before, "{options:?} {}", ran.stderr);
        assert_eq!(asked(&server).len() as u64, before + 8, "{options:?}");
    }
    let place = Workplace::new(&busy(), 1);
    let ran = place.run("http://127.0.0.1:9", &["--verify", "--probe", "full"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn requests_of_a_plan_that_keeps_no_order_are_tried_in_their_order() {
    let (place, server) = (Workplace::new(&busy(), 1), busy_server());
    place.run(&server.url(), &["--independent", "--quiet"]).checked();
    assert_eq!(asked(&server)[..4], SAFE);
}

#[test]
fn a_target_is_asked_for_its_metrics_unless_it_is_not_to_be_observed() {
    for (options, is_asked) in [(&[][..], true), (&["--no-observe"], false)] {
        let (place, server) = (Workplace::new(&busy(), 1), busy_server());
        let run = place.run(&server.url(), options).checked();
        assert_eq!(run.totals.extra.observations > 0, is_asked);
        assert_eq!(run.totals.extra.observations, server.looks());
    }
}

#[test]
fn why_a_run_ended_is_on_the_screen() {
    let (place, server) = (Workplace::new(&busy(), 1), busy_server());
    let ran = place.run(&server.url(), &["--quiet"]);
    assert!(ran.stdout.contains(" s: the plan had no further request\n"), "{}", ran.stdout);
    let server = Server::start(|asked| match asked.path.as_str() {
        "/users" => Answer::Json(422, r#"{"detail":"taken"}"#.into()),
        _ => Answer::Json(200, "{}".into()),
    });
    let ran = place.run(&server.url(), &["--no-probe", "--quiet", "--force"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stdout.contains(" s: the target refused too many logins\n"), "{}", ran.stdout);
    let said = r#"POST /users of visitor was answered 422 {"detail":"taken"}"#;
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}
