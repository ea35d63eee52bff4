//! What is replayed of a trace: how many requests, which, and from where.

use run_log::format::EndedBy;
use run_log::outcome::Outcome;

use crate::support::trace::{answer, request};
use crate::support::{Answer, Server, TraceBuilder, Workplace};

fn steady(sessions: u64) -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..20).map(|step| (step * 50, "GET", "/")).collect();
    (0..sessions).fold(TraceBuilder::default(), |trace, n| trace.session(&format!("s{n}"), &steps))
}

#[test]
fn a_plan_ends_with_its_nth_request_by_both_pacings() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&steady(5), 0);
    // 5 sessions that are due at the same times: 17 cuts within a tie.
    for (options, most) in [
        (&["--pacing", "open"][..], 17),
        (&["--pacing", "open", "--users", "7"], 17),
        (&["--pacing", "closed"], 23),
        (&["--pacing", "closed", "--users", "7", "--duration", "60s"], 23),
    ] {
        let before = server.asked().len();
        let number = most.to_string();
        let all = [&["--no-probe", "--force", "--max-requests", &number], options].concat();
        let ran = place.run(&server.url(), &all);
        assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
        let run = ran.checked();
        assert_eq!(run.totals.planned, most, "{options:?}");
        assert_eq!(server.asked().len() - before, most as usize, "{options:?}");
        assert_eq!(run.ended_by, Some(EndedBy::MaxRequests), "{options:?}");
    }
}

#[test]
fn a_limit_that_is_never_reached_changes_nothing() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&steady(1), 0);
    let run = place.run(&server.url(), &["--no-probe", "--max-requests", "1000"]).checked();
    assert_eq!((run.totals.planned, run.ended_by), (20, Some(EndedBy::PlanDone)));
}

#[test]
fn only_what_reads_is_sent_and_what_was_left_out_is_said() {
    let mut trace = TraceBuilder::default()
        .session_with_login("a", &[(0, "GET", "/needs-token")])
        .session("b", &[(0, "GET", "/one"), (10, "POST", "/write"), (20, "HEAD", "/two")]);
    trace.requests.last_mut().unwrap().after = vec!["b.1".into()];
    answer(trace.requests.last_mut().unwrap()).size = 0;
    let server = Server::start(|asked| match asked.path.as_str() {
        "/two" => Answer::RawThenClose(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_vec()),
        _ => Answer::Json(200, "{}".into()),
    });
    let ran = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe", "--read-only"]);
    let run = ran.checked();
    let mut paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    paths.sort();
    assert_eq!(paths, ["/one", "/two"], "{}", ran.stderr);
    assert_eq!(run.totals.outcomes[Outcome::Completed], 2);
    let listed = run.limitations.join("\n");
    assert!(listed.contains("2 that are not GET or HEAD, logins among them"), "{listed}");
    assert!(listed.contains("1 that need the answer of one that was left out"), "{listed}");
    assert!(ran.stderr.contains("not GET or HEAD"), "{}", ran.stderr);
}

#[test]
fn a_body_that_was_not_kept_is_refused_or_left_out() {
    let mut big = request("big", "s", 0, "POST", "/big");
    big.body = Some(trace::format::Body::Truncated { size: 1 << 30, sha256: "00".repeat(32) });
    let mut trace = TraceBuilder::default().session("s", &[(10, "GET", "/")]);
    trace.requests.push(big);
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&trace, 0);
    let ran = place.run(&server.url(), &["--no-probe"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--skip-truncated"), "{}", ran.stderr);
    let run = place.run(&server.url(), &["--no-probe", "--skip-truncated"]).checked();
    assert_eq!(run.totals.planned, 1);
}

#[test]
fn only_the_named_personas_take_part() {
    let mut trace = steady(1);
    let mut other = request("o", "other", 0, "GET", "/other");
    other.persona = Some("operator".into());
    trace.requests.push(other);
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&trace, 0);
    let run = place.run(&server.url(), &["--no-probe", "--personas", "operator"]).checked();
    assert_eq!((run.totals.planned, server.asked()[0].path.as_str()), (1, "/other"));
    let ran = place.run(&server.url(), &["--no-probe", "--personas", "operator,nobody", "--force"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("persona nobody"), "{}", ran.stderr);
}

#[test]
fn connections_come_from_the_given_addresses_in_turn() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&steady(4), 0);
    let sources = ["--source-ip", "127.0.0.2", "--source-ip", "127.0.0.3"];
    let ran = place.run(&server.url(), &[&["--no-probe"][..], &sources].concat());
    assert_eq!(ran.checked().totals.outcomes[Outcome::Completed], 80);
    let mut peers: Vec<String> = server.peers().iter().map(ToString::to_string).collect();
    peers.sort();
    assert_eq!(peers, ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]);
    for (ip, word) in [("192.0.2.1", "not an address of this machine"), ("::1", "same family")] {
        let ran = place.run(&server.url(), &["--no-probe", "--force", "--source-ip", ip]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("--source-ip") && ran.stderr.contains(word), "{}", ran.stderr);
    }
}
