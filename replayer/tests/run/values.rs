//! What users send: their own accounts, live tokens, live ids, fresh ids.

use run_log::outcome::Outcome;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use trace::format::{
    Binding, Body, CaptureFrom, ClockFormat, Encoding, FreshId, ListStep, Origin, Part,
};

use crate::support::trace::{gives, request, takes};
use crate::support::{Answer, PASSWORD, Server, TraceBuilder, Workplace};

/// Gives each login a token of its own, and knows whom it gave it to.
fn login_server() -> Server {
    let tokens: Mutex<HashMap<String, String>> = Mutex::default();
    Server::start(move |asked| {
        let mut tokens = tokens.lock().unwrap();
        if asked.path == "/login" {
            let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
            assert_eq!(body["password"], PASSWORD);
            let token = format!("token-{}", tokens.len());
            tokens.insert(token.clone(), body["email"].as_str().unwrap().to_owned());
            return Answer::Json(200, format!(r#"{{"access_token":"{token}"}}"#));
        }
        let token = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match token.and_then(|token| tokens.get(token)) {
            Some(_) => Answer::Json(200, "{}".into()),
            None => Answer::Json(401, r#"{"detail":"who are you"}"#.into()),
        }
    })
}

#[test]
fn clones_get_different_accounts_and_live_tokens() {
    let trace =
        TraceBuilder::default().session_with_login("a", &[(0, "GET", "/one"), (20, "GET", "/two")]);
    let server = login_server();
    let place = Workplace::new(&trace, 5);
    let ran = place.run(&server.url(), &["--clones", "5", "--no-probe"]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    let run = ran.checked();
    assert_eq!(run.totals.planned, 15);
    assert_eq!(run.totals.failed_status, 0);
    let logins: HashSet<String> = server
        .asked()
        .iter()
        .filter(|asked| asked.path == "/login")
        .map(|a| a.body.clone())
        .collect();
    assert_eq!(logins.len(), 5);
}

#[test]
fn accounts_are_shared_in_turn_and_the_run_says_so() {
    let trace = TraceBuilder::default().session_with_login("a", &[(0, "GET", "/one")]);
    let place = Workplace::new(&trace, 2);
    let ran = place.run(&login_server().url(), &["--clones", "5", "--no-probe"]);
    let run = ran.checked();
    assert_eq!(run.personas[0].users, 5);
    assert_eq!(run.personas[0].users_per_account, 3);
}

#[test]
fn ids_come_from_live_answers_and_a_shorter_list_is_rebound() {
    let mut list = request("list", "s", 0, "GET", "/things");
    gives(
        &mut list,
        "id",
        CaptureFrom::Json {
            pointer: "/items/4/id".into(),
            lists: vec![ListStep { token: 1, index: 4, length: 9 }],
        },
    );
    let mut detail = request("detail", "s", 5, "GET", "/things/recorded-id/parts?x=1");
    detail.name = "GET /things/{id}/parts".into();
    takes(&mut detail, 8..19, "list", "id");
    let trace = TraceBuilder { requests: vec![list, detail], ..TraceBuilder::default() };
    let server = Server::start(|asked| match asked.path.as_str() {
        "/things" => Answer::Json(200, r#"{"items":[{"id":"a/1"},{"id":"b 2"}]}"#.into()),
        _ => Answer::Json(200, "{}".into()),
    });
    let ran = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]);
    assert_eq!(server.asked()[1].path, "/things/a%2F1/parts?x=1");
    assert_eq!(ran.checked().totals.rebound, 1);
}

#[test]
fn an_id_at_the_end_of_location_is_taken_from_there() {
    let mut create = request("create", "s", 0, "POST", "/things");
    gives(&mut create, "id", CaptureFrom::HeaderSegment { name: "Location".into(), from_end: 1 });
    let mut detail = request("detail", "s", 5, "GET", "/things/recorded");
    takes(&mut detail, 8..16, "create", "id");
    let trace = TraceBuilder { requests: vec![create, detail], ..TraceBuilder::default() };
    let server = Server::start(|asked| match asked.path.as_str() {
        "/things" => Answer::RawThenClose(
            "HTTP/1.1 201 Created\r\nLocation: https://a.example/things/new-7/parts?x=/1\r\n\
             Content-Length: 0\r\n\r\n"
                .into(),
        ),
        _ => Answer::Json(200, "{}".into()),
    });
    let ran = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]);
    assert_eq!(ran.checked().totals.outcomes[Outcome::Completed], 2);
    assert_eq!(server.asked()[1].path, "/things/new-7");
}

#[test]
fn what_needs_a_value_that_is_not_there_is_unbound_and_not_sent() {
    let mut list = request("list", "s", 0, "GET", "/things");
    gives(
        &mut list,
        "id",
        CaptureFrom::Json {
            pointer: "/0".into(),
            lists: vec![ListStep { token: 0, index: 0, length: 1 }],
        },
    );
    let mut detail = request("detail", "s", 5, "GET", "/things/");
    takes(&mut detail, 8..8, "list", "id");
    let trace = TraceBuilder { requests: vec![list, detail], ..TraceBuilder::default() };
    let server = Server::start(|_| Answer::Json(200, "[]".into()));
    let ran = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]);
    let run = ran.checked();
    assert_eq!(server.asked().len(), 1);
    assert_eq!(
        (run.totals.outcomes[Outcome::Completed], run.totals.outcomes[Outcome::Unbound]),
        (1, 1)
    );
    assert_eq!(run.totals.planned_sent, 1);
    let samples: Vec<_> = ran.reader().errors().unwrap().map(Result::unwrap).collect();
    assert_eq!(samples[0].lacks.as_deref(), Some("/0 of GET /things"), "{samples:?}");
}

#[test]
fn ids_that_the_client_made_are_made_anew_and_keep_their_identity_in_a_session() {
    let body = r#"{"key":"","at":""}"#;
    let step = |id: &str, at| {
        let mut step = request(id, "s", at, "POST", "/orders");
        step.body = Some(Body::Text(body.into()));
        let bind = |start, from| Binding {
            part: Part::Body,
            start,
            end: start,
            from,
            encode: Encoding::Json,
            ambiguous: false,
        };
        step.bind = vec![
            bind(8, Origin::Fresh { key: "order".into(), like: FreshId::Uuid }),
            bind(16, Origin::Clock(ClockFormat::Rfc3339Millis)),
        ];
        step
    };
    let trace =
        TraceBuilder { requests: vec![step("one", 0), step("two", 5)], ..TraceBuilder::default() };
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&trace, 0);
    place.run(&server.url(), &["--clones", "3", "--no-probe"]).checked();
    let mut keys: HashMap<String, usize> = HashMap::new();
    for asked in server.asked() {
        let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
        chrono::DateTime::parse_from_rfc3339(body["at"].as_str().unwrap()).unwrap();
        *keys.entry(body["key"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(keys.values().copied().collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn an_expired_token_is_renewed_and_nothing_is_lost() {
    let trace = TraceBuilder::default().session_with_login(
        "a",
        &[(0, "GET", "/one"), (20, "GET", "/two"), (40, "GET", "/three"), (60, "GET", "/four")],
    );
    // Each token is good for two requests.
    let left: Mutex<HashMap<String, u32>> = Mutex::default();
    let server = Server::start(move |asked| {
        let mut left = left.lock().unwrap();
        if asked.path == "/login" {
            let token = format!("token-{}", left.len());
            left.insert(token.clone(), 2);
            return Answer::Json(200, format!(r#"{{"access_token":"{token}"}}"#));
        }
        let token = asked.header("authorization").unwrap().trim_start_matches("Bearer ");
        match left.get_mut(token) {
            Some(count) if *count > 0 => {
                *count -= 1;
                Answer::Json(200, "{}".into())
            }
            _ => Answer::Json(401, "{}".into()),
        }
    });
    let ran = Workplace::new(&trace, 1).run(&server.url(), &["--no-probe"]);
    let run = ran.checked();
    assert_eq!((run.totals.planned, run.totals.failed_status), (5, 0), "{}", ran.stderr);
    assert_eq!((run.totals.extra.renewals, run.totals.extra.retries), (1, 1));
    let sent = run.totals.planned_sent + run.totals.extra.of_users();
    assert_eq!(sent, server.asked().len() as u64, "planned sent + extra = what the target counted");
}

#[test]
fn what_is_asked_for_if_it_changed_is_asked_for_without_the_tag_of_what_never_came() {
    let poll = |number: u64| {
        let mut poll = request(&format!("r{number}"), "s", number * 5, "GET", "/news");
        gives(&mut poll, "header:etag", CaptureFrom::Header("ETag".into()));
        poll
    };
    let again = |number: u64| {
        let mut poll = poll(number);
        poll.headers.push(("If-None-Match".into(), "\"recorded\"".into()));
        poll.bind.push(Binding {
            part: Part::Header(poll.headers.len() - 1),
            start: 0,
            end: 10,
            from: Origin::Capture { of: format!("r{}", number - 1), name: "header:etag".into() },
            encode: Encoding::Raw,
            ambiguous: false,
        });
        poll
    };
    let polls = vec![poll(0), again(1), again(2)];
    let trace = TraceBuilder { requests: polls, ..TraceBuilder::default() };
    let server = Server::start(|asked| match asked.header("if-none-match") {
        None => Answer::RawThenClose(
            b"HTTP/1.1 200 OK\r\nETag: W/\"a\"\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        Some(_) => Answer::JsonThenClose(200, "{}".into()),
    });
    let ran = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]);
    let tags: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.header("if-none-match").map(String::from))
        .collect();
    assert_eq!(tags, [None, Some("W/\"a\"".to_owned()), Some("\"\"".to_owned())]);
    assert_eq!(ran.checked().totals.outcomes[Outcome::Unbound], 0);
}

#[test]
fn headers_that_name_the_site_itself_name_the_target() {
    let mut sent = request("r", "s", 0, "POST", "/notes");
    for (name, value) in
        [("Origin", "/"), ("Referer", "/notes/new?from=recorded"), ("X-Origin", "/")]
    {
        sent.headers.push((name.into(), value.into()));
    }
    sent.bind.push(Binding {
        part: Part::Header(sent.headers.len() - 2),
        start: 16,
        end: 24,
        from: Origin::Account("email".into()),
        encode: Encoding::Percent,
        ambiguous: false,
    });
    sent.persona = Some("visitor".into());
    let trace = TraceBuilder { requests: vec![sent], ..TraceBuilder::default() };
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let ran = Workplace::new(&trace, 1).run(&server.url(), &["--no-probe"]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    let asked = &server.asked()[0];
    let referer = format!("{}/notes/new?from=visitor1%40example.org", server.url());
    assert_eq!(asked.header("origin"), Some(server.url().as_str()));
    assert_eq!(asked.header("referer"), Some(referer.as_str()));
    assert_eq!(asked.header("x-origin"), Some("/"));
}
