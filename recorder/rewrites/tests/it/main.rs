//! Files of rewrites, and what they make of requests.

use std::path::PathBuf;

use proptest::prelude::*;
use rewrites::{Applied, Rewrites, Traps};
use tempfile::TempDir;
use trace::format::{
    Answer, Binding, Body, ClockFormat, Encoding, FreshId, Origin, Part, RecordedResult, Request,
};

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("r.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn read(text: &str) -> Rewrites {
    let (_folder, path) = file(text);
    Rewrites::read(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn request(method: &str, path: &str, body: Option<&str>) -> Request {
    Request {
        id: "r1".into(),
        at: 0,
        session: "s".into(),
        persona: Some("AlertIngestion".into()),
        account: None,
        name: format!("{method} {path}"),
        http: "1.1".into(),
        method: method.into(),
        path: format!("/api/v1{path}"),
        headers: vec![("Accept".into(), "*/*".into()), ("Authorization".into(), "Bearer ".into())],
        body: body.map(|text| Body::Text(text.into())),
        bind: vec![bound(Part::Header(1), 7, 7, Encoding::Raw, of_login())],
        after: vec![],
        prologue: false,
        result: RecordedResult::Answer(Answer {
            status: 201,
            header_us: 1,
            total_us: 1,
            size: 2,
            shape: None,
            capture: vec![],
            body: None,
        }),
    }
}

fn of_login() -> Origin {
    Origin::Capture { of: "r0".into(), name: "access_token".into() }
}

fn bound(part: Part, start: usize, end: usize, encode: Encoding, from: Origin) -> Binding {
    Binding { part, start, end, from, encode, ambiguous: false }
}

fn text(request: &Request) -> &str {
    match &request.body {
        Some(Body::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// An alert with a value of the client's own in a string, and a time without quotes.
fn alert() -> Request {
    let body = r#"{"title":"Smoke \"9\"","location":{"latitude":45.5},"payload":{"device":"d-17","sequence":1764}}"#;
    let mut alert = request("POST", "/alerts/ingest", Some(body));
    let at = |text: &str| (body.find(text).unwrap(), body.find(text).unwrap() + text.len());
    let (start, end) = at("d-17");
    let fresh = Origin::Fresh { key: "r1.1".into(), like: FreshId::Uuid };
    alert.bind.push(bound(Part::Body, start, end, Encoding::Json, fresh));
    let (start, end) = at("1764");
    let clock = Origin::Clock(ClockFormat::UnixMillis);
    alert.bind.push(bound(Part::Body, start, end, Encoding::Raw, clock));
    alert
}

const INCIDENT: &str = r#"
base = "/api/v1"
[[rewrite]]
match = "POST /alerts/ingest"
send = "POST /incidents"
body = """{'title': body.title ~ ' / ' ~ body.payload.device, 'priority': integer(1, 5),
           'location': body.location, 'seen': body.payload.sequence, 'was': route}"""
means = "alerts/s is incidents/s"
"#;

#[test]
fn another_request_is_sent_and_bound_values_stay_bound() {
    let rewrites = read(INCIDENT);
    let (mut sent, recorded) = (alert(), alert());
    let change = rewrites.apply(&mut sent).unwrap();
    assert_eq!((change.applied, change.rules), (Applied::Sent, vec![0]));
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/api/v1/incidents"));
    assert_eq!((&sent.name, &sent.result), (&recorded.name, &recorded.result));
    let json: serde_json::Value = serde_json::from_str(text(&sent)).unwrap();
    assert_eq!(json["title"], "Smoke \"9\" / d-17");
    assert_eq!((&json["seen"], &json["location"]["latitude"]), (&1764.into(), &45.5.into()));
    assert_eq!(json["was"], "POST /alerts/ingest");
    assert!((1..=5).contains(&json["priority"].as_i64().unwrap()));
    let ranges: Vec<(&str, Encoding)> = sent
        .bind
        .iter()
        .filter(|binding| binding.part == Part::Body)
        .map(|binding| (&text(&sent)[binding.start..binding.end], binding.encode))
        .collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert!(ranges.contains(&("d-17", Encoding::Json)), "{ranges:?}");
    assert!(ranges.contains(&("1764", Encoding::Raw)), "{ranges:?}");
    // The token of the header, and the type of the body.
    assert!(sent.bind.iter().any(|b| b.from == of_login() && b.part == Part::Header(1)));
    assert!(sent.headers.contains(&("Content-Type".into(), "application/json".into())));
    let mut again = alert();
    rewrites.apply(&mut again).unwrap();
    assert_eq!(again, sent, "the same request is always made the same");
}

#[test]
fn a_request_of_another_route_stays_as_it_is() {
    let (mut other, recorded) =
        (request("GET", "/alerts/pending", None), request("GET", "/alerts/pending", None));
    let change = read(INCIDENT).apply(&mut other).unwrap();
    assert_eq!((change.applied, change.rules.len()), (Applied::Sent, 0));
    assert_eq!(other, recorded);
}

#[test]
fn headers_are_set_changed_and_removed_and_values_of_the_environment_are_slots() {
    // Every test runner has it.
    let rewrites = read(
        "[[rewrite]]\nmatch = '* /**'\nheaders = { accept = 'text/{{ method|lower }}', Authorization = false, \
         X-Api-Key = 'Key {{ env.PATH }}', X-From = '{{ persona }}' }\n",
    );
    let mut sent = request("GET", "/a", None);
    rewrites.apply(&mut sent).unwrap();
    let headers = [("Accept", "text/get"), ("X-Api-Key", "Key "), ("X-From", "AlertIngestion")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(sent.headers, headers);
    let slot = bound(Part::Header(1), 4, 4, Encoding::Raw, Origin::Slot("PATH".into()));
    assert_eq!(sent.bind, [slot]);
    assert_eq!(rewrites.secrets()["PATH"].expose(), std::env::var("PATH").unwrap());
    assert!(!format!("{rewrites:?}").contains(rewrites.secrets()["PATH"].expose()));
}

#[test]
fn a_bound_value_of_a_path_goes_where_it_is_put() {
    let rewrites = read(
        "base = '/api/v1'\n[[rewrite]]\nmatch = 'POST /alerts/{id}/acknowledge'\n\
         send = \"GET /audit/{{ (path|split('/'))[4] }}?by={{ 'a&b' }}\"\n",
    );
    let mut sent = request("POST", "/alerts/a%20b/acknowledge", Some("{}"));
    let of = || Origin::Capture { of: "r0".into(), name: "alert".into() };
    sent.bind.push(bound(Part::Path, 15, 20, Encoding::Percent, of()));
    rewrites.apply(&mut sent).unwrap();
    assert_eq!(sent.path, "/api/v1/audit/a%20b?by=a%26b");
    assert_eq!((sent.method.as_str(), sent.body), ("GET", None));
    let path = sent.bind.iter().find(|binding| binding.part == Part::Path).unwrap();
    assert_eq!((&sent.path[path.start..path.end], &path.from), ("a%20b", &of()));
}

#[test]
fn requests_are_dropped_kept_and_answered_by_route() {
    let rewrites = read(
        "[[rewrite]]\nmatch = ['GET /a', 'GET /b']\nkeep = true\n[[rewrite]]\nmatch = 'GET /b'\ndrop = true\n\
         [[rewrite]]\nmatch = 'GET /a/{id}'\nanswer = true\n",
    );
    let of = |method, path, prologue| {
        let mut request = Request { prologue, ..request(method, path, None) };
        rewrites.apply(&mut request).unwrap().applied
    };
    assert_eq!(of("GET", "/a", false), Applied::Sent);
    assert_eq!(of("GET", "/b", false), Applied::Dropped);
    assert_eq!(of("GET", "/c", false), Applied::Dropped);
    assert_eq!(of("POST", "/login", true), Applied::Sent, "a login is kept");
    assert_eq!(of("GET", "/a/7", false), Applied::Answered);
}

#[test]
fn what_is_in_force_is_said_in_words() {
    let rewrites =
        read(&format!("{INCIDENT}[[rewrite]]\nmatch = ['GET /x', '* /y/**']\ndrop = true\n"));
    let said: Vec<_> = rewrites.in_force().into_iter().map(|of| (of.rule, of.means)).collect();
    assert_eq!(
        said,
        [
            (
                "POST /alerts/ingest: sent as POST /incidents, another body".to_owned(),
                Some("alerts/s is incidents/s".to_owned())
            ),
            ("GET /x, * /y/**: not sent".to_owned(), None),
        ]
    );
}

#[test]
fn mistakes_are_one_line_with_file_line_and_key() {
    for (text, expected) in [
        ("", "missing field `rewrite`"),
        ("rewrite = []", "it has no [[rewrite]]"),
        ("base = 'x'\n[[rewrite]]\nmatch = 'GET /a'\ndrop = true", "base \"x\" is not a path"),
        ("[[rewrite]]\nmatch = 'GET /a'", "line 2: rewrite 1, match: a rule does one of"),
        (
            "[[rewrite]]\nmatch = 'GET /a'\ndrop = true\nkeep = true",
            "rewrite 1, match: a rule does",
        ),
        (
            "[[rewrite]]\nmatch = '/a'\ndrop = true",
            "line 2: rewrite 1, match: \"/a\" is not a route",
        ),
        (
            "[[rewrite]]\nmatch = 'GET /a'\ndrop = true\n[[rewrite]]\nmatch = 'GET /b'\nsend = 'x'",
            "line 6: rewrite 2, send:",
        ),
        ("[[rewrite]]\nmatch = 'GET /a'\nbody = '{'", "line 3: rewrite 1, body:"),
        (
            "[[rewrite]]\nmatch = 'GET /a'\nbody = 'nobody.x'",
            "line 3: rewrite 1, body: there is no nobody",
        ),
        ("[[rewrite]]\nmatch = 'GET /a'\nbody = 'env.X'", "env.… stands alone"),
        (
            "[[rewrite]]\nmatch = 'GET /a'\n[rewrite.headers]\nX-A = true",
            "line 4: rewrite 1, headers.X-A:",
        ),
        ("[[rewrite]]\nmatch = 'GET /a'\nheaders = { 'X A' = 'x' }", "rewrite 1, headers.X A:"),
        ("[[rewrite]]\nmatch = 'GET /a'\nheaders = { Host = 'x' }", "made anew"),
        (
            "[[rewrite]]\nmatch = 'GET /a'\nheaders = { X-Api-Key = 'plain' }",
            "put it into the environment",
        ),
        (
            "[[rewrite]]\nmatch = 'GET /a'\nheaders = { X-A = '{{ env.NO_SUCH_VARIABLE }}' }",
            "the environment has no variable NO_SUCH_VARIABLE",
        ),
        (
            "[[rewrite]]\nmatch = 'GET /a'\nheaders = { X-A = \"x\\ny\" }",
            "headers.X-A: its header value holds",
        ),
        ("[[rewrite]]\nmatch = 'GET /a'\ncolour = 1", "line 3: unknown field `colour`"),
        ("[[rewrite]]\nmatch = 'GET /a'\nsend = 'CONNECT'", "send: CONNECT asks for a tunnel"),
    ] {
        let (_folder, path) = file(text);
        let error = Rewrites::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("r.toml"), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_has_no_more_expressions_than_fit_into_memory() {
    let header = |count| {
        format!("[[rewrite]]\nmatch = 'GET /a'\nheaders = {{ X-A = '{}' }}", "{{1}}".repeat(count))
    };
    let (_folder, path) = file(&header(10_001));
    let error = Rewrites::read(&path).unwrap_err().to_string();
    assert!(error.contains("headers.X-A: a file has at most 10000 expressions"), "{error}");
    let (_folder, path) = file(&header(10_000));
    assert!(Rewrites::read(&path).is_ok());
}

#[test]
fn traps_are_no_more_than_one_line_has_room_for() {
    let trap = |says: &str| {
        format!("[[trap]]\nnumber = 3\nmatch = 'GET /a'\nstatus = 500\nsays = '{says}'\n")
    };
    for (text, expected) in [
        (trap("x").repeat(1_001), "it has more than 1000 traps"),
        (trap(&"x".repeat(501)), "line 5: trap 1, says: it has more than 500 letters"),
    ] {
        let (_folder, path) = file(&text);
        let error = Traps::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (_folder, path) = file(&trap(&"x".repeat(500)).repeat(1_000));
    assert_eq!(Traps::read(&path).unwrap().shown_by("GET /a", 500).len(), 3);
}

#[test]
fn a_request_does_not_grow_without_end() {
    let rule = |does: &str| format!("[[rewrite]]\nmatch = 'POST /alerts/ingest'\n{does}\n");
    for (rules, expected) in [
        (rule("send = 'POST /a/{{ path }}'").repeat(1_000), ", send: it makes more than 64 KiB"),
        (
            rule("body = \"'x' * 9000000\""),
            "rewrite 1 of r.toml, body: it makes more than 8192 KiB",
        ),
        (rule("headers = { X-A = \"{{ 'x' * 70000 }}\" }"), ", headers: it makes more than 64 KiB"),
    ] {
        let error = read(&rules).apply(&mut alert()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_expression_that_fails_names_rule_and_key() {
    for (body, expected) in [
        ("body.nothing.at.all", "rewrite 1 of r.toml, body:"),
        ("body.nothing", "rewrite 1 of r.toml, body: it gives nothing"),
        ("body.payload.device[:2]", "was cut"),
    ] {
        let rewrites =
            read(&format!("[[rewrite]]\nmatch = 'POST /alerts/ingest'\nbody = '{body}'\n"));
        let error = rewrites.apply(&mut alert()).unwrap_err().to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
}

proptest! {
    /// Whatever a value is, where it goes into another body it is there as it was, and bound.
    #[test]
    fn any_bound_value_is_bound_and_the_same_where_it_is_put(
        value in "\\PC{0,12}", before in "\\PC{0,8}", is_secret: bool
    ) {
        let json = serde_json::to_string(&value).unwrap();
        let inner = &json[1..json.len() - 1];
        let prefix = format!("{{\"a\":{},\"b\":\"", serde_json::to_string(&before).unwrap());
        let stored = if is_secret { "" } else { inner };
        let body = format!("{prefix}{stored}\"}}");
        prop_assume!(!body.contains(['\u{e000}', '\u{e001}', '\u{e002}']));
        let mut sent = request("POST", "/x", Some(&body));
        let from = Origin::Account("b".into());
        let end = prefix.len() + stored.len();
        sent.bind.push(bound(Part::Body, prefix.len(), end, Encoding::Json, from.clone()));
        let rewrites = read("[[rewrite]]\nmatch = 'POST /x'\nbody = \"{'c': [body.b ~ '!', body.a]}\"\n");
        rewrites.apply(&mut sent).unwrap();
        let found: serde_json::Value = serde_json::from_str(text(&sent)).unwrap();
        let shown = if is_secret { "" } else { value.as_str() };
        prop_assert_eq!(&found["c"][0], &format!("{shown}!"));
        prop_assert_eq!(&found["c"][1], &before);
        let binding = sent.bind.iter().find(|binding| binding.from == from).unwrap();
        prop_assert_eq!(&text(&sent)[binding.start..binding.end], stored);
    }
}
