//! `--verify`: the same answer is the same, and another is not.

use crate::support::trace::{answer, request};
use crate::support::{Answer, Server, TraceBuilder, Workplace};
use trace::shape::Shape;

/// Path, status, content type and body; and whether the recorder kept the body to look into it.
type Case = (&'static str, u16, &'static str, fn() -> String, bool);

const CASES: [Case; 10] = [
    ("/json", 200, "application/json", || r#"{"größe":[{"名":1}]}"#.into(), true),
    ("/json-as-text", 200, "text/plain", || r#"{"a":[1,2]}"#.into(), true),
    ("/json-as-html", 200, "text/html; charset=utf-8", || r#"{"a":[1,2]}"#.into(), true),
    ("/number", 200, "application/json", || "42".into(), true),
    ("/number-as-text", 200, "text/plain", || "42".into(), true),
    ("/page", 200, "text/html", || "<p>42</p>".into(), true),
    ("/unchanged", 304, "application/json", String::new, true),
    ("/nothing", 204, "application/json", String::new, true),
    ("/refused", 404, "application/problem+json", || r#"{"title":"no"}"#.into(), true),
    // Over what the proxy keeps of a body.
    ("/large", 200, "application/json", || format!("[\"{}\"]", "x".repeat(2 << 20)), false),
];

/// A trace of them, their shapes taken as the recorder takes them.
fn recorded() -> TraceBuilder {
    let mut trace = TraceBuilder::default();
    for (number, (path, status, content_type, body, is_kept)) in CASES.into_iter().enumerate() {
        let mut line = request(&format!("r{number}"), "s", number as u64 * 20, "GET", path);
        let body = body();
        let kept = is_kept.then_some(body.as_bytes());
        let recorded = answer(&mut line);
        (recorded.status, recorded.size) = (status, body.len() as u64);
        if let Some(shape) = Shape::of_body(status, content_type, kept) {
            recorded.shape = Some(shape.digest());
            trace.shapes.insert(shape.digest(), shape);
        }
        trace.requests.push(line);
    }
    trace
}

/// A server that gives each path what was recorded, the body as `change` makes it.
fn server(change: fn(&str, String) -> String) -> Server {
    Server::start(move |asked| {
        let case = CASES.iter().find(|(path, ..)| *path == asked.path);
        let (path, status, content_type, body, _) = case.unwrap();
        let body = change(path, body());
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n");
        let length = match status {
            204 | 304 => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        Answer::RawThenClose(format!("{head}{length}Connection: close\r\n\r\n{body}").into())
    })
}

#[test]
fn the_same_answers_are_the_same_whatever_they_are_said_to_be() {
    let place = Workplace::new(&recorded(), 0);
    let server = server(|_, body| body);
    let ran = place.run(&server.url(), &["--no-probe", "--verify", "--quiet"]);
    let run = ran.checked();
    let fidelity = run.fidelity;
    assert_eq!(fidelity.shapes_compared, CASES.len() as u64);
    assert_eq!(fidelity.same_status_and_shape, CASES.len() as u64, "{}", ran.stdout);
    assert_ne!(ran.code, Some(11), "{}", ran.stdout);
}

#[test]
fn what_has_changed_since_or_has_not_is_the_same_answer() {
    let place = Workplace::new(&recorded(), 0);
    let server = Server::start(|asked| {
        let case = CASES.iter().find(|(path, ..)| *path == asked.path);
        let (_, status, content_type, body, _) = case.unwrap();
        let status = match status {
            200 => 304,
            304 => 200,
            other => *other,
        };
        let body = if matches!(status, 204 | 304) { String::new() } else { body() };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
        );
        Answer::RawThenClose(format!("{head}Connection: close\r\n\r\n{body}").into())
    });
    let ran = place.run(&server.url(), &["--no-probe", "--verify", "--quiet"]);
    let fidelity = ran.checked().fidelity;
    assert_eq!(fidelity.same_status_and_shape, CASES.len() as u64, "{}", ran.stdout);
}

#[test]
fn another_answer_is_another() {
    let place = Workplace::new(&recorded(), 0);
    let server = server(|path, body| match path {
        "/json" => r#"{"grösse":[]}"#.into(),
        "/json-as-text" => "42".into(),
        "/number" => r#""42""#.into(),
        "/number-as-text" => r#"{"n":42}"#.into(),
        "/refused" => r#"{"title":"no","#.into(),
        _ => body,
    });
    let ran = place.run(&server.url(), &["--no-probe", "--verify", "--quiet"]);
    if ran.code_but_for_lag() == ran.code {
        assert_eq!(ran.code, Some(11), "{}", ran.stdout);
    }
    assert_eq!(ran.checked().fidelity.same_status_and_shape, CASES.len() as u64 - 5);
}
