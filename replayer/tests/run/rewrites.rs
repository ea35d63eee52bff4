//! `--rewrites`: another request is sent in the place of the recorded one, and the run says so.

use trace::format::{Binding, Body, Encoding, FreshId, Origin, Part, Rewrite};

use crate::support::trace::{answer, at, bears, gives, logs_in, request, takes};
use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

/// A session of an alert system, and what it looks at.
fn alerts() -> TraceBuilder {
    let mut of = TraceBuilder::default();
    of.requests.push(logs_in("l", "s", 0, "/login", "access_token"));
    let mut alert = request("a", "s", 100, "POST", "/alerts/ingest");
    let body = r#"{"title":"Smoke","device":"d-17"}"#;
    alert.body = Some(Body::Text(body.into()));
    alert.headers.push(("Content-Type".into(), "application/json".into()));
    let start = body.find("d-17").unwrap();
    alert.bind.push(Binding {
        part: Part::Body,
        start,
        end: start + 4,
        from: Origin::Fresh { key: "k".into(), like: FreshId::Hex(4) },
        encode: Encoding::Json,
        ambiguous: false,
    });
    answer(&mut alert).status = 405;
    let mut list = request("b", "s", 200, "GET", "/alerts/pending");
    gives(&mut list, "id", at("/id"));
    let mut one = request("c", "s", 300, "GET", "/alerts/17");
    takes(&mut one, 8..10, "b", "id");
    for mut request in [alert, list, one] {
        bears(&mut request, "l", "access_token");
        of.requests.push(request);
    }
    of.in_order()
}

fn server() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/login" => Answer::Json(200, r#"{"access_token":"t-0-k-e-n"}"#.into()),
        _ => Answer::Json(200, r#"{"id":99}"#.into()),
    })
}

fn with_rewrites(place: &Workplace, server: &Server, text: &str, options: &[&str]) -> Ran {
    let path = place.path("r.toml");
    std::fs::write(&path, text).unwrap();
    let given = ["--no-probe", "--quiet", "--force", "--rewrites", path.to_str().unwrap()];
    place.run(&server.url(), &[&given, options].concat())
}

const INCIDENT: &str = "[[rewrite]]\nmatch = 'POST /alerts/ingest'\nsend = 'POST /incidents'\n\
    body = \"{'title': body.title, 'description': 'of ' ~ body.device}\"\n\
    headers = { X-Key = '{{ env.PATH }}' }\nmeans = 'alerts/s is incidents/s'\n";

#[test]
fn another_request_is_sent_with_values_of_its_own_and_counted_under_its_old_name() {
    let (place, server) = (Workplace::new(&alerts(), 1), server());
    // Streamed, and held whole.
    for options in [&[][..], &["--clones", "3"]] {
        let before = server.asked().len();
        let ran = with_rewrites(&place, &server, INCIDENT, options);
        let run = ran.checked();
        let asked = server.asked()[before..].to_vec();
        let sent: Vec<_> = asked.iter().filter(|asked| asked.path == "/incidents").collect();
        assert_eq!(sent.len() as u64, run.totals.planned / 4, "{}", ran.stderr);
        for asked in &sent {
            assert_eq!(asked.header("authorization"), Some("Bearer t-0-k-e-n"));
            assert_eq!(asked.header("x-key"), std::env::var("PATH").ok().as_deref());
            let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
            assert_eq!(body["title"], "Smoke");
            let device = body["description"].as_str().unwrap().strip_prefix("of ").unwrap();
            assert!(device.len() == 4 && device != "d-17", "{device} is made anew");
        }
        assert!(!asked.iter().any(|asked| asked.path == "/alerts/ingest"));
        assert!(run.endpoints.contains(&"POST /alerts/ingest".to_owned()));
        let [rewrite] = &*run.rewrites else { panic!("{:?}", run.rewrites) };
        assert_eq!(
            rewrite.rule,
            "POST /alerts/ingest: sent as POST /incidents, another body, X-Key set"
        );
        assert_eq!(rewrite.means.as_deref(), Some("alerts/s is incidents/s"));
        assert_eq!(rewrite.requests, Some(1));
        assert!(ran.stderr.contains("alerts/s is incidents/s"), "{}", ran.stderr);
    }
}

#[test]
fn what_is_dropped_takes_with_it_what_needs_it_and_what_is_answered_does_not() {
    let (place, server) = (Workplace::new(&alerts(), 1), server());
    for (does, rest) in [("drop", vec![]), ("answer", vec!["/alerts/17"])] {
        let before = server.asked().len();
        let text = format!("[[rewrite]]\nmatch = 'GET /alerts/pending'\n{does} = true\n");
        let run = with_rewrites(&place, &server, &text, &[]).checked();
        let paths: Vec<String> =
            server.asked()[before..].iter().map(|asked| asked.path.clone()).collect();
        assert_eq!(paths, [vec!["/login", "/alerts/ingest"], rest].concat(), "{does}");
        assert!(run.limitations[0].contains("requests of the trace left out"), "{does}");
    }
    let before = server.asked().len();
    let text = "[[rewrite]]\nmatch = 'GET /alerts/{id}'\nkeep = true\n";
    with_rewrites(&place, &server, text, &[]).checked();
    let paths: Vec<_> = server.asked()[before..].iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(paths, ["/login", "/alerts/pending", "/alerts/99"]);
}

#[test]
fn a_scenario_names_its_rewrites_and_the_command_line_others() {
    let (place, server) = (Workplace::new(&alerts(), 1), server());
    std::fs::write(place.path("of-scenario.toml"), INCIDENT).unwrap();
    let scenario = place.scenario("rewrites = 'of-scenario.toml'\n[load]\nclones = 1");
    let options = ["--no-probe", "--quiet", "--force", "--scenario", &scenario];
    let run = place.run(&server.url(), &options).checked();
    assert_eq!((run.rewrites.len(), run.scenario.unwrap().changed), (1, vec![]));
    let text = "[[rewrite]]\nmatch = 'POST /alerts/ingest'\ndrop = true\n";
    let run = with_rewrites(&place, &server, text, &["--scenario", &scenario]).checked();
    assert_eq!(run.rewrites[0].file, "r.toml");
}

#[test]
fn what_was_rewritten_when_it_was_recorded_is_not_rewritten_again() {
    let mut of = alerts();
    of.rewrites = vec![Rewrite {
        file: "r.toml".into(),
        digest: common::digest::of(INCIDENT.as_bytes()),
        rule: "POST /alerts/ingest: sent as POST /incidents".into(),
        means: Some("alerts/s is incidents/s".into()),
    }];
    let (place, server) = (Workplace::new(&of, 1), server());
    for rewrites in [true, false] {
        let before = server.asked().len();
        let run = match rewrites {
            true => with_rewrites(&place, &server, INCIDENT, &[]),
            false => place.run(&server.url(), &["--no-probe", "--quiet", "--force"]),
        };
        let run = run.checked();
        assert!(server.asked()[before..].iter().any(|asked| asked.path == "/alerts/ingest"));
        let [rewrite] = &*run.rewrites else { panic!("{:?}", run.rewrites) };
        assert_eq!((rewrite.requests, rewrite.file.as_str()), (None, "r.toml"));
    }
}

#[test]
fn a_file_that_cannot_be_used_is_one_line_and_nothing_is_sent() {
    let (place, server) = (Workplace::new(&alerts(), 1), server());
    for (text, expected) in [
        ("[[rewrite]]\nmatch = 'GET /a'\nbody = '{'\n", "r.toml line 3: rewrite 1, body:"),
        (
            "[[rewrite]]\nmatch = 'POST /alerts/ingest'\nbody = 'body.no.such'\n",
            "request a: rewrite 1 of r.toml, body:",
        ),
    ] {
        let ran = with_rewrites(&place, &server, text, &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
    }
    assert!(server.asked().is_empty());
}
