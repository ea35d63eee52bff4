//! The table before a run: each row where there is something to say, and where there is not.

use chrono::{TimeDelta, Utc};

use crate::support::trace::answer;
use crate::support::{Answer, Asked, Ran, Server, TraceBuilder, Workplace};

/// State and text of a row, wherever its lines were broken.
pub(super) fn row(shown: &str, check: &str) -> String {
    let begin = format!("  {check:13}  ");
    let mut lines = shown.lines().skip_while(|line| !line.starts_with(&begin));
    let first = lines.next().unwrap_or_else(|| panic!("no {check} in {shown}"));
    let rest = lines.take_while(|line| line.starts_with(&" ".repeat(28)));
    let words = std::iter::once(&first[begin.len()..]).chain(rest).flat_map(str::split_whitespace);
    words.collect::<Vec<_>>().join(" ")
}

fn has_row(shown: &str, check: &str) -> bool {
    shown.lines().any(|line| line.starts_with(&format!("  {check:13}  ")))
}

/// Two reads after a login.
fn place() -> Workplace {
    let steps = [(0, "GET", "/one"), (5, "GET", "/two")];
    Workplace::new(&TraceBuilder::default().session_with_login("s", &steps), 1)
}

/// An answer with these further headers.
fn with(status: u16, headers: &str) -> Answer {
    let body = if status == 200 { r#"{"access_token":"a-b"}"# } else { "{}" };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n");
    Answer::RawThenClose(format!("{head}{headers}\r\n{body}").into_bytes())
}

fn answering(two: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let good = || Answer::Json(200, r#"{"access_token":"s3cret-t0ken-of-17"}"#.into());
    Server::start(move |asked| two(asked).unwrap_or_else(good))
}

fn dated(ahead: Option<TimeDelta>) -> Server {
    answering(move |_| {
        let date = ahead.map(|ahead| (Utc::now() + ahead).format("%a, %d %b %Y %H:%M:%S GMT"));
        Some(with(200, &date.map_or_else(String::new, |date| format!("Date: {date}\r\n"))))
    })
}

#[test]
fn a_clock_that_is_off_is_a_warning() {
    let clock = |ahead| {
        let ran = place().probe(&dated(ahead).url(), &[]);
        assert_eq!(ran.code, Some(0), "{} {}", ran.stdout, ran.stderr);
        row(&ran.stdout, "clock")
    };
    assert!(clock(Some(TimeDelta::zero())).starts_with("good no difference seen between"));
    let hour = TimeDelta::hours(1);
    for (ahead, way) in [(hour, "s ahead of this machine's"), (-hour, "s behind this machine's")] {
        let said = clock(Some(ahead));
        // However busy this machine is.
        let seconds = said.strip_prefix("warning the target's is some ").unwrap();
        let seconds: i64 = seconds.split(' ').next().unwrap().replace(',', "").parse().unwrap();
        assert!((3590..3610).contains(&seconds), "{said}");
        assert!(said.contains(way) && said.contains("expired"), "{said}");
    }
    assert!(clock(None).starts_with("not tried not told: the target's answers"));
}

/// What is said of a target of which `/two` is answered so.
fn of_two(status: u16, headers: &'static str) -> Ran {
    let server = answering(move |asked| (asked.path == "/two").then(|| with(status, headers)));
    place().probe(&server.url(), &[])
}

#[test]
fn a_limiter_is_named_with_when_to_come_again() {
    for (status, headers, said) in [
        (429, "", "GET /two: 429 (once)"),
        (429, "Retry-After: 3\r\n", "GET /two: 429 (once, Retry-After 3)"),
        (503, "retry-after: 120\r\n", "GET /two: 503 (once, Retry-After 120)"),
    ] {
        let ran = of_two(status, headers);
        assert_eq!(ran.code, Some(10), "{}", ran.stderr);
        let row = row(&ran.stdout, "rate limiting");
        assert!(row.starts_with(&format!("warning {said}. The run would measure")), "{row}");
    }
    let ill = of_two(503, "");
    assert_eq!(ill.code, Some(10), "{}", ill.stderr);
    let said = row(&ill.stdout, "rate limiting");
    assert_eq!(said, "good none noticed in 3 requests, one after another");
    assert!(
        row(&ill.stdout, "reads").starts_with("failed 1 of 2 failed: GET /two of visitor: 503")
    );
}

/// A failure as it was recorded is none; that it was a limiter's stays to be said.
#[test]
fn a_limit_that_was_recorded_is_one() {
    let mut trace = TraceBuilder::default().session("s", &[(0, "GET", "/one"), (5, "GET", "/two")]);
    answer(trace.requests.last_mut().unwrap()).status = 429;
    let server = answering(|asked| (asked.path == "/two").then(|| with(429, "")));
    let ran = Workplace::new(&trace, 0).probe(&server.url(), &["--json"]);
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["sent"], &json["failed"]), (&2.into(), &0.into()));
    let checks = json["checks"].as_array().unwrap();
    let limited = checks.iter().find(|row| row["check"] == "rate limiting").unwrap();
    assert_eq!(limited["state"], "warning");
    assert!(limited["says"].as_str().unwrap().starts_with("GET /two: 429 (once)"), "{limited}");
    assert!(!checks.iter().any(|row| row["check"] == "login"), "nobody logs in");
    let not_asked = checks.iter().find(|row| row["check"] == "rate").unwrap();
    assert_eq!(not_asked["state"], "not-asked");
}

#[test]
fn a_login_is_named_by_its_account_and_one_that_is_refused_ends_it() {
    let place = place();
    let ran = place.probe(&answering(|_| None).url(), &[]);
    assert_eq!(row(&ran.stdout, "login"), "good visitor as visitor1");
    let refusing = answering(|_| Some(Answer::Json(401, r#"{"detail":"wrong"}"#.into())));
    let said = r#"failed visitor as visitor1: POST /login answered 401 {"detail":"wrong"}"#;
    let ran = place.probe(&refusing.url(), &[]);
    assert_eq!((ran.code, row(&ran.stdout, "login").as_str()), (Some(4), said));
    assert!(!has_row(&ran.stdout, "reads"), "{}", ran.stdout);
    let ran = place.run(&refusing.url(), &[]);
    assert_eq!((ran.code, row(&ran.stderr, "login").as_str()), (Some(4), said));
    let last = ran.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("replayer: persona visitor (account visitor1) cannot log in"),
        "{last}"
    );
}

#[test]
fn a_login_that_is_limited_says_why_it_was_refused() {
    let server = answering(|_| Some(with(429, "Retry-After: 60\r\n")));
    let ran = place().run(&server.url(), &["--quiet"]);
    assert_eq!((ran.code, server.asked().len()), (Some(4), 1), "{}", ran.stderr);
    let limited = row(&ran.stderr, "rate limiting");
    assert!(limited.starts_with("warning POST /login: 429 (once, Retry-After 60)"), "{limited}");
    // The error says the rest.
    assert!(!has_row(&ran.stderr, "login"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("cannot log in: POST /login answered 429 {}\n"), "{}", ran.stderr);
}

/// Without credentials of an account it may be a registration.
#[test]
fn a_login_that_may_change_something_is_not_tried() {
    let mut trace = TraceBuilder::default().session("s", &[(0, "POST", "/join"), (5, "GET", "/a")]);
    trace.requests[0].prologue = true;
    let server = answering(|_| None);
    let ran = Workplace::new(&trace, 0).probe(&server.url(), &[]);
    assert_eq!(server.asked().len(), 1);
    let login = row(&ran.stdout, "login");
    assert!(login.starts_with("not tried visitor without an account"), "{login}");
}

#[test]
fn a_target_that_is_not_there_is_an_error_after_the_table() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let writing = TraceBuilder::default().session("s", &[(0, "POST", "/one")]);
    for place in [place(), Workplace::new(&writing, 0)] {
        let ran = place.run(&url, &[]);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        assert_eq!(row(&ran.stderr, "target"), "failed no answer: connect-failed");
        assert!(ran.stderr.ends_with("connect-failed; is the target up?\n"), "{}", ran.stderr);
    }
    let server = answering(|_| None);
    let ran = Workplace::new(&writing, 0).probe(&server.url(), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(row(&ran.stdout, "target").starts_with("good takes connections;"));
    assert!(server.asked().is_empty());
}

#[test]
fn a_run_says_what_it_takes_of_what_there_is() {
    let server = answering(|_| None);
    let place = place();
    let ran = place.run(&server.url(), &["--clones", "7", "--max-rate", "1500/s"]);
    let run = ran.checked();
    assert_eq!(run.totals.extra.probes, 3);
    assert_eq!(server.asked().len() as u64, 3 + run.totals.planned);
    for check in ["descriptors", "ports"] {
        let says = row(&ran.stderr, check);
        assert!(says.starts_with("good 7 connections at most, and "), "{says}");
    }
    let rate = row(&ran.stderr, "rate");
    assert_eq!(rate, "good 21 requests in the busiest second; --max-rate is 1500/s");
    assert!(row(&ran.stderr, "target").starts_with("good answers; the first answer came after"));
    assert_eq!(row(&ran.stderr, "reads"), "good 2 of 2 answered as recorded");
    assert!(has_row(&ran.stderr, "database"));
    assert!(ran.stderr.starts_with(&format!("preflight of {}\n", server.url())), "{}", ran.stderr);
    let mut table = ran.stderr.lines().filter(|line| line.starts_with("  "));
    assert!(table.all(|line| line.chars().count() <= 80), "{}", ran.stderr);
}

#[test]
fn what_is_quiet_says_what_is_not_as_it_should_be_alone() {
    let place = place();
    let good = answering(|_| None);
    let ran = place.run(&good.url(), &["--quiet"]);
    assert!(!ran.stderr.contains("preflight"), "{}", ran.stderr);
    assert_eq!(ran.checked().totals.extra.probes, 3);
    let limited = answering(|asked| (asked.path == "/two").then(|| with(429, "")));
    let ran = place.run(&limited.url(), &["--quiet", "--force"]);
    assert!(row(&ran.stderr, "rate limiting").starts_with("warning GET /two: 429"));
    assert!(row(&ran.stderr, "reads").starts_with("failed 1 of 2 failed"));
    assert!(!has_row(&ran.stderr, "target") && !has_row(&ran.stderr, "login"), "{}", ran.stderr);
}

#[test]
fn nothing_is_sent_or_shown_where_that_is_asked_for() {
    for option in ["--no-preflight", "--no-probe"] {
        let (place, server) = (place(), answering(|_| None));
        let ran = place.run(&server.url(), &[option]);
        let run = ran.checked();
        assert_eq!((run.totals.extra.probes, server.asked().len()), (0, 3), "{option}");
        assert!(!ran.stderr.contains("preflight"), "{}", ran.stderr);
        // What does not fit is refused all the same.
        let refused = place.run(&server.url(), &[option, "--max-rate", "1/s", "--force"]);
        assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    }
}

#[test]
fn a_run_of_two_processes_looks_once() {
    let (place, server) = (place(), answering(|_| None));
    let ran = place.run(&server.url(), &["--clones", "4", "--processes", "2"]);
    let run = ran.checked();
    assert_eq!((run.totals.extra.probes, run.totals.planned), (3, 12));
    assert_eq!(server.asked().len(), 3 + 12);
    assert_eq!(ran.stderr.matches("preflight of").count(), 1, "{}", ran.stderr);
    let says = row(&ran.stderr, "descriptors");
    assert!(says.starts_with("good 2 connections at most, and "), "{says}");
    assert!(says.ends_with(" fit, in each of 2 processes"), "{says}");
}
