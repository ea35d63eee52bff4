//! `replayer probe`: what fails is shown before any load.

use crate::support::{Answer, PASSWORD, Ran, Server, TraceBuilder, Workplace};

fn probe(place: &Workplace, target: &str, options: &[&str]) -> Ran {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_replayer"));
    command.arg("probe").arg("--trace").arg(place.path("t.trace.jsonl.zst"));
    command.arg("--manifest").arg(place.path("manifest.json"));
    command.args(["--target", target]).args(options);
    place.ran(command.output().unwrap())
}

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
    let ran = probe(&place(), &server.url(), &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.stdout, "11 requests sent, 0 failed\n");
    assert_eq!(server.asked().len(), 11);
}

#[test]
fn every_failing_request_is_shown_with_its_answer() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/login" => token(),
        _ => Answer::Json(500, r#"{"detail":"no table s3cret-t0ken-of-17"}"#.into()),
    });
    let ran = probe(&place(), &server.url(), &[]);
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    let shown: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(shown.len(), 10, "{shown:?}");
    for line in shown {
        assert!(
            line.contains(r#"GET /one of visitor: 500 {"detail":"no table [redacted]"}"#),
            "{line}"
        );
    }
    let json = probe(&place(), &server.url(), &["--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["sent"], &json["failed"]), (&11.into(), &10.into()));
    assert_eq!(json["failures"].as_array().unwrap().len(), 10);
}

#[test]
fn a_persona_that_cannot_log_in_is_named() {
    for (status, detail) in [(401, "wrong password"), (422, "not an address"), (503, "busy")] {
        let server =
            Server::start(move |_| Answer::Json(status, format!(r#"{{"detail":"{detail}"}}"#)));
        let ran = probe(&place(), &server.url(), &[]);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        let words = ["visitor (account visitor1) cannot log in: POST /login answered", detail];
        for word in words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {}", ran.stderr);
        }
        assert!(ran.stderr.contains(&status.to_string()) && !ran.stderr.contains(PASSWORD));
        assert_eq!(server.asked().len(), 1, "a refused login is not repeated");
    }
}
