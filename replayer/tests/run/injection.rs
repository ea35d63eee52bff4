//! What neither a trace nor a live answer may do: put more on the wire than was planned.

use run_log::outcome::Outcome;
use trace::format::{Binding, Body, Encoding, Origin, Part};

use crate::support::trace::{at, gives, request};
use crate::support::{Answer, Asked, Server, TraceBuilder, Workplace};

/// A change that would make one line of a trace several requests.
type Attack = fn(&mut trace::format::Request);

#[test]
fn a_line_that_would_be_more_than_one_request_is_refused_and_nothing_is_sent() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let attacks: [(&str, Attack); 9] = [
        ("path", |r| r.path = "/a HTTP/1.1\r\nHost: h\r\n\r\nDELETE /all".into()),
        ("path", |r| r.path = "/a b".into()),
        ("path", |r| r.path = "/a\0".into()),
        ("path", |r| r.path = "http://other.example/".into()),
        ("method", |r| r.method = "GET /a HTTP/1.1\r\n\r\nDELETE".into()),
        ("method", |r| r.method = String::new()),
        ("header name", |r| r.headers[0].0 = "X: y\r\nTransfer-Encoding".into()),
        ("header name", |r| r.headers[0].0 = "Content-Length ".into()),
        ("header value", |r| r.headers[0].1 = "a\r\n\r\nDELETE /all HTTP/1.1\r\n\r\n".into()),
    ];
    for (place, attack) in attacks {
        let mut line = request("line", "s", 0, "GET", "/a");
        attack(&mut line);
        let trace = TraceBuilder { requests: vec![line], ..TraceBuilder::default() };
        let ran = Workplace::new(&trace, 0).run(&server.url(), &["--max-rate", "10/s"]);
        assert_eq!(ran.code, Some(2), "{place}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("its {place} ")), "{place}: {}", ran.stderr);
    }
    // It is not sent with --read-only, and would be refused if it were: both are safe.
    let mut line = request("line", "s", 0, "GET", "/a HTTP/1.1\r\n\r\nDELETE /all");
    line.name = "GET /a".into();
    let trace = TraceBuilder { requests: vec![line], ..TraceBuilder::default() };
    assert_eq!(Workplace::new(&trace, 0).run(&server.url(), &["--read-only"]).code, Some(2));
    assert_eq!(server.asked().len(), 0);
}

/// What the target is asked where a value that it gave goes into a second request, whose
/// binding replaces `RANGE`.
fn sent_with(value: &str, part: Part, encode: Encoding, body: Option<(&str, &str)>) -> Vec<Asked> {
    let mut first = request("first", "s", 0, "GET", "/first");
    gives(&mut first, "v", at("/v"));
    let mut second = request("second", "s", 5, "POST", "/RANGE");
    second.headers.push(("X-Value".into(), "RANGE".into()));
    if let Some((kind, text)) = body {
        second.headers.push(("Content-Type".into(), kind.into()));
        second.body = Some(Body::Text(text.into()));
    }
    let text = match (part, body) {
        (Part::Path, _) => "/RANGE",
        (Part::Header(_), _) => "RANGE",
        (Part::Body, body) => body.unwrap().1,
    };
    let start = text.find("RANGE").unwrap();
    let from = Origin::Capture { of: "first".into(), name: "v".into() };
    second.bind.push(Binding { part, start, end: start + 5, from, encode, ambiguous: false });
    let trace = TraceBuilder { requests: vec![first, second], ..TraceBuilder::default() };
    let given = serde_json::json!({ "v": value }).to_string();
    let server = Server::start(move |_| Answer::Json(200, given.clone()));
    let run = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]).checked();
    assert_eq!(run.totals.outcomes[Outcome::Completed], 2);
    assert_eq!(server.asked().len(), 2, "as many as were planned");
    server.asked()
}

/// Ends everything that there is to end.
const EVIL: &str = "a\"b&c=1 HTTP/1.1\r\nX-Evil: 1\r\n\r\nDELETE /all HTTP/1.1\r\n\r\n\0";

#[test]
fn a_live_value_stays_in_the_place_that_it_is_for() {
    for encode in [Encoding::Raw, Encoding::Json, Encoding::Percent, Encoding::Form] {
        let asked = sent_with(EVIL, Part::Path, encode, None);
        assert!(asked[1].path.ends_with("%00") || encode == Encoding::Json, "{}", asked[1].path);
        assert_eq!(asked[1].header("x-evil"), None);
        let asked = sent_with(EVIL, Part::Header(1), encode, None);
        assert_eq!(asked[1].header("x-evil"), None);
        assert!(!asked[1].header("x-value").unwrap().contains(['\r', '\n', '\0']));
    }
    let next = "things?after=a%2Fb&limit=10";
    assert_eq!(sent_with(next, Part::Path, Encoding::Raw, None)[1].path, format!("/{next}"));
}

#[test]
fn a_live_value_stays_one_value_of_its_body() {
    let json = Some(("application/json", r#"{"s":"RANGE","n":1}"#));
    let body: serde_json::Value =
        serde_json::from_str(&sent_with(EVIL, Part::Body, Encoding::Raw, json)[1].body).unwrap();
    assert_eq!(body, serde_json::json!({"s": EVIL, "n": 1}));

    let json = Some(("application/problem+json; charset=utf-8", r#"{"s":"\"","n":RANGE}"#));
    for (value, expected) in
        [("17", serde_json::json!(17)), ("1,\"admin\":true", serde_json::json!("1,\"admin\":true"))]
    {
        let sent = sent_with(value, Part::Body, Encoding::Raw, json);
        let body: serde_json::Value = serde_json::from_str(&sent[1].body).unwrap();
        assert_eq!(body, serde_json::json!({"s": "\"", "n": expected}));
    }

    let form = Some(("application/x-www-form-urlencoded", "a=RANGE&b=2"));
    let sent = sent_with("x&admin=1", Part::Body, Encoding::Raw, form);
    assert_eq!(sent[1].body, "a=x%26admin%3D1&b=2");
}

/// A link to the next page, where all of the path was taken for it.
#[test]
fn a_live_value_names_no_other_host() {
    let mut first = request("first", "s", 0, "GET", "/first");
    gives(&mut first, "v", at("/v"));
    let mut second = request("second", "s", 5, "GET", "/next");
    let from = Origin::Capture { of: "first".into(), name: "v".into() };
    second.bind.push(Binding {
        part: Part::Path,
        start: 0,
        end: 5,
        from,
        encode: Encoding::Raw,
        ambiguous: false,
    });
    let trace = TraceBuilder { requests: vec![first, second], ..TraceBuilder::default() };
    let server = Server::start(|_| Answer::Json(200, r#"{"v":"http://203.0.113.7/x"}"#.into()));
    let run = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]).checked();
    assert_eq!(run.totals.outcomes[Outcome::Unbound], 1);
    assert_eq!(server.asked().len(), 1);
}
