//! The page of `--live`: what it says while a run goes on and at its end, who may ask what of it, and
//! that nobody who looks holds a run up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use run_log::format::{EndedBy, Mark};
use run_log::reader::RunReader;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Answer, Server, TraceBuilder, Workplace};

/// A run that is shown.
struct Shown {
    child: Child,
    address: String,
    token: String,
    rest: BufReader<std::process::ChildStderr>,
    /// What was said until the page was there.
    said: String,
}

fn server() -> Server {
    Server::start(|asked| match asked.path.as_str() {
        "/b" => Answer::Json(500, "{\"error\": \"the well is dry\"}".into()),
        _ => Answer::Json(200, "{}".into()),
    })
}

fn place() -> Workplace {
    let steps: Vec<(u64, &str, &str)> =
        (0..20).map(|step| (step * 100, "GET", ["/a", "/a", "/b"][step as usize % 3])).collect();
    Workplace::new(&TraceBuilder::default().session("s", &steps), 0)
}

const CLOSED: [&str; 5] = ["--users", "5", "--pacing", "closed", "--no-probe"];

fn shown(place: &Workplace, server: &Server, options: &[&str]) -> Shown {
    let all = [&CLOSED[..], &["--live", "127.0.0.1:0"], options].concat();
    let mut command = place.command(&server.url(), &all);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut rest = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let url = loop {
        let from = said.len();
        assert!(rest.read_line(&mut said).unwrap() > 0, "{said}");
        if let Some(url) = said[from..].trim_end().strip_prefix("replayer: live view: http://") {
            break url.to_owned();
        }
    };
    let (address, token) = url.split_once("/#token=").unwrap();
    Shown { address: address.to_owned(), token: token.to_owned(), child, rest, said }
}

impl Shown {
    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Status, and the body up to the end of the connection.
    fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let length = body.len();
        write!(stream, "{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.0\r\nHost: {}", self.address), "")
    }

    fn post(&self, path: &str, body: &str) -> u16 {
        let Self { address, token, .. } = self;
        let json = "Content-Type: application/json";
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n{json}"
        );
        self.ask(&head, body).0
    }

    fn events(&self, last: Option<u64>) -> Events {
        let mut stream = self.connect();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        write!(stream, "GET /events HTTP/1.0\r\nHost: {}\r\n{last}\r\n", self.address).unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.0 200"), "{line}");
        while !line.trim_end().is_empty() {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        Events { lines }
    }

    /// The exit code, and all that was said.
    fn ended(mut self) -> (Option<i32>, String) {
        self.rest.read_to_string(&mut self.said).unwrap();
        (self.child.wait().unwrap().code(), self.said)
    }
}

struct Events {
    lines: BufReader<TcpStream>,
}

#[derive(Debug, PartialEq)]
struct Event {
    id: Option<u64>,
    name: String,
    data: Value,
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut event = Event { id: None, name: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => event.id = Some(id.parse().unwrap()),
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if event.name.is_empty() => {}
                _ => return Some(event),
            }
        }
    }
}

impl Event {
    fn of(&self, path: &str) -> &Value {
        self.data.pointer(path).unwrap_or_else(|| panic!("{path}: {}", self.data))
    }
}

/// All of a run so far, from all that its viewer was sent.
fn points(events: &[Event]) -> Vec<Value> {
    let last = events.iter().rposition(|event| event.name == "snapshot").unwrap();
    let mut points = events[last].of("/history/points").as_array().unwrap().clone();
    let later = events[last + 1..].iter().map(|event| event.of("/point").clone());
    points.extend(later.filter(|point| !point.is_null()));
    points
}

fn reader(place: &Workplace) -> RunReader {
    RunReader::open(&place.path("out")).unwrap()
}

#[test]
fn the_end_of_the_page_is_what_the_run_directory_says_whenever_a_viewer_came() {
    let (place, server) = (place(), server());
    for processes in ["1", "2"] {
        let options = ["--duration", "4s", "--processes", processes, "--force", "--quiet"];
        let shown = shown(&place, &server, &options);
        let mut first = shown.events(None);
        let mut seen = Vec::new();
        while seen.last().is_none_or(|event: &Event| event.id < Some(1)) {
            seen.push(first.next().unwrap());
        }
        assert_eq!(seen[0].name, "snapshot");
        // One comes late, and one comes back with what it knew.
        let (late, back) = (shown.events(None), shown.events(Some(0)));
        seen.extend(first);
        let late: Vec<Event> = late.collect();
        let back: Vec<Event> = back.collect();
        assert_eq!((late[0].name.as_str(), back[0].name.as_str()), ("snapshot", "second"));
        assert_eq!(back[0].id, Some(1), "it goes on after the second that was known");
        let from = seen.iter().position(|event| event.name == "second" && event.id == Some(1));
        assert_eq!(back[..], seen[from.unwrap()..]);
        let (code, said) = shown.ended();
        assert!(matches!(code, Some(0 | 10 | 12)), "{said}");

        let run = reader(&place).run().clone();
        let (end, also) = (seen.last().unwrap(), late.last().unwrap());
        assert_eq!(points(&seen), points(&late));
        assert_eq!(end, also);
        let seconds: Vec<u64> =
            seen.iter().filter(|of| of.name == "second").filter_map(|of| of.id).collect();
        assert!(
            seconds.windows(2).all(|two| two[1] == two[0] + 1 || two[1] == two[0]),
            "{seconds:?}"
        );
        assert_eq!(end.of("/now/state"), "ended");
        let totals = &run.totals;
        let failed = totals.failed_status + totals.outcomes.not_completed();
        for (path, count) in [
            ("planned", totals.planned),
            ("sent", totals.planned_sent),
            ("done", totals.outcomes.sum()),
            ("failed", failed),
        ] {
            assert_eq!(end.of(&format!("/now/{path}")), count, "{path}");
        }
        assert_eq!(*end.of("/now/validity"), json!(run.validity));
        assert_eq!(*end.of("/now/verdicts"), json!(run.verdicts));
        for (path, us) in
            [("p50", run.lag.p50_us), ("p99", run.lag.p99_us), ("max", run.lag.max_us)]
        {
            assert_eq!(*end.of(&format!("/now/lag/{path}")), json!(us as f64 / 1e3), "{path}");
        }
        let head = seen.iter().rfind(|event| event.name == "snapshot").unwrap();
        let names: Vec<Value> = head.of("/head/endpoints").as_array().unwrap().clone();
        let rows = end.of("/now/endpoints").as_array().unwrap();
        for stats in reader(&place).stats().unwrap().map(Result::unwrap) {
            let times = json!([stats.p50_ms, stats.p95_ms, stats.p99_ms, stats.max_ms]);
            if stats.name == "Aggregated" {
                let all = end.of("/now/latency");
                assert_eq!(json!([all["p50"], all["p95"], all["p99"], all["max"]]), times);
                continue;
            }
            let at =
                names.iter().position(|name| *name == format!("{} {}", stats.method, stats.name));
            let row = rows[at.unwrap()].as_array().unwrap();
            assert_eq!((&row[0], &row[1]), (&json!(stats.requests), &json!(stats.failures)));
            assert_eq!(row[4..], *times.as_array().unwrap());
            assert!((row[2].as_f64().unwrap() - stats.requests_per_s).abs() < 1e-6);
        }
        let failures = end.of("/now/failures").as_array().unwrap();
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert_eq!(
            (&failures[0]["endpoint"], &failures[0]["error"]),
            (&json!("GET /b"), &json!("HTTP 500"))
        );
        assert_eq!(failures[0]["count"], failed);
        assert!(failures[0]["sample"]["body"].as_str().unwrap().contains("the well is dry"));
    }
}

#[test]
fn the_report_so_far_is_written_by_the_reporter_beside_it() {
    let reporter = Path::new(env!("CARGO_BIN_EXE_replayer")).with_file_name("reporter");
    if !reporter.exists() {
        eprintln!("the reporter is not built: the report of the live view is not tested");
        return;
    }
    let (place, server) = (place(), server());
    let shown = shown(&place, &server, &["--duration", "10m", "--quiet"]);
    shown.events(None).find(|event| event.id >= Some(1)).unwrap();
    let (status, page) = shown.get("/report");
    assert_eq!(status, 200, "{page}");
    assert!(page.starts_with("<!doctype html>") && page.contains("INCOMPLETE"), "{page}");
    let head =
        format!("GET /report HTTP/1.0\r\nHost: {}\r\nSec-Fetch-Site: cross-site", shown.address);
    assert_eq!(shown.ask(&head, "").0, 403);
    assert_eq!(shown.post("/stop", ""), 204);
    let (code, said) = shown.ended();
    assert_eq!(code, Some(130), "{said}");
}

#[test]
fn who_does_not_read_holds_nobody_up() {
    let (place, server) = (place(), server());
    let shown = shown(&place, &server, &["--duration", "5s", "--quiet"]);
    // Asks, and never reads.
    let stuck: Vec<TcpStream> = (0..5)
        .map(|_| {
            let mut stream = shown.connect();
            for _ in 0..200 {
                write!(stream, "GET /live.js HTTP/1.1\r\nHost: {}\r\n\r\n", shown.address).unwrap();
            }
            write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", shown.address).unwrap();
            stream
        })
        .collect();
    let last = shown.events(None).last().unwrap();
    assert_eq!(last.of("/now/state"), "ended");
    let (code, said) = shown.ended();
    assert!(matches!(code, Some(0 | 10 | 12)), "{said}");
    drop(stuck);
    let run = reader(&place).run().clone();
    assert_eq!(run.ended_by, Some(EndedBy::Duration));
}

#[test]
fn who_has_no_token_does_nothing_and_no_other_name_is_answered() {
    let (place, server) = (place(), server());
    let shown = shown(&place, &server, &["--duration", "10m", "--quiet"]);
    let address = &shown.address;
    let (token, host) = (&shown.token, format!("Host: {address}"));
    for path in ["/stop", "/abort", "/mark"] {
        for authorization in ["", "\r\nAuthorization: Bearer x", "\r\nCookie: token=x"] {
            let head = format!("POST {path} HTTP/1.0\r\n{host}{authorization}");
            assert_eq!(shown.ask(&head, "{}").0, 403, "{head}");
        }
        let head = format!("POST {path}?token={token} HTTP/1.0\r\n{host}");
        assert_eq!(shown.ask(&head, "").0, 403, "addresses are kept in histories");
    }
    for name in ["evil.example", "evil.example:8089", "127.0.0.1.evil.example"] {
        for path in ["/", "/events", "/metrics", "/report", "/live.js"] {
            let head = format!("GET {path} HTTP/1.0\r\nHost: {name}");
            assert_eq!(shown.ask(&head, "").0, 403, "{head}");
        }
    }
    let head = format!("GET / HTTP/1.0\r\n{host}");
    let mut stream = shown.connect();
    write!(stream, "{head}\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let policy =
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; ";
    assert!(page.contains(policy), "{page}");
    assert!(!page.contains("<script>") && !page.contains(" style=") && !page.contains("http://"));
    assert_eq!(shown.get("/nothing").0, 404);
    assert_eq!(shown.get("/stop").0, 405);
    assert_eq!(shown.post("/stop", ""), 204);
    let token = token.clone();
    let (code, said) = shown.ended();
    assert_eq!(code, Some(130), "{said}");
    // Once, where it was printed.
    assert_eq!(said.matches(&token).count(), 1);
    for file in std::fs::read_dir(place.path("out")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(&token));
    }
}

#[test]
fn a_stop_from_the_page_ends_a_run_as_ctrl_c_does() {
    let (place, server) = (place(), server());
    let mut ends = Vec::new();
    for by_page in [true, false] {
        let shown = shown(&place, &server, &["--duration", "10m", "--force"]);
        let mut events = shown.events(None);
        events.find(|event| event.id >= Some(1)).unwrap();
        match by_page {
            true => assert_eq!(shown.post("/stop", ""), 204),
            false => {
                let pid = Pid::from_raw(shown.child.id().cast_signed()).unwrap();
                kill_process(pid, Signal::INT).unwrap();
            }
        }
        let last = events.last().unwrap();
        assert_eq!(last.of("/now/conclusion"), "INCOMPLETE");
        let (code, said) = shown.ended();
        let run = reader(&place).run().clone();
        assert!(said.contains("replayer: stopping; requests under way may still end"), "{said}");
        ends.push((code, run.ended_by));
    }
    assert_eq!(ends[0], (Some(130), Some(EndedBy::Signal(2))));
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn a_stop_by_ctrl_c_is_shown_until_what_is_under_way_has_ended() {
    let server = Server::start(|_| Answer::Silence);
    let place = place();
    let shown = shown(&place, &server, &["--duration", "10m", "--grace", "10m", "--quiet"]);
    let mut events = shown.events(None);
    events.find(|event| event.id >= Some(0)).unwrap();
    let pid = Pid::from_raw(shown.child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    events.find(|event| event.of("/now/state") == "stopping").unwrap();
    assert_eq!(shown.post("/abort", ""), 204);
    assert_eq!(shown.ended().0, Some(130));
}

#[test]
fn an_abort_from_the_page_waits_for_nothing() {
    let server = Server::start(|_| Answer::Silence);
    let place = place();
    let shown = shown(&place, &server, &["--duration", "10m", "--grace", "10m", "--quiet"]);
    shown.events(None).find(|event| event.id >= Some(0)).unwrap();
    assert_eq!(shown.post("/stop", ""), 204);
    assert_eq!(shown.post("/abort", ""), 204);
    assert_eq!(shown.ended().0, Some(130));
}

#[test]
fn what_is_marked_stands_in_the_page_and_in_the_run() {
    let (place, server) = (place(), server());
    let shown = shown(&place, &server, &["--duration", "4s", "--quiet"]);
    let mut events = shown.events(None);
    events.find(|event| event.id >= Some(1)).unwrap();
    assert_eq!(shown.post("/mark", "{\"label\": \" deployed\\nv2 <b> \"}"), 200);
    for none in ["{\"label\": \" \"}", &json!({"label": "x".repeat(121)}).to_string()] {
        assert_eq!(shown.post("/mark", none), 422);
    }
    assert_eq!(shown.post("/mark", "deployed"), 400);
    let last = events.last().unwrap();
    let (_, said) = shown.ended();
    let run = reader(&place).run().clone();
    let [Mark { second, label }] = &run.marks[..] else { panic!("{:?}: {said}", run.marks) };
    assert!((1..4).contains(second) && label == "deployed v2 <b>", "{second} {label}");
    assert_eq!(run.minor, run_log::format::MINOR);
    assert_eq!(*last.of("/now/marks"), json!(run.marks));
}

#[test]
fn counters_add_up_to_the_run_and_the_page_stays_as_long_as_it_is_asked_to() {
    let (place, server) = (place(), server());
    let options = ["--duration", "2s", "--quiet", "--live-linger", "10m"];
    let mut shown = shown(&place, &server, &options);
    let mut events = shown.events(None);
    events.find(|event| *event.of("/now/state") == "ended").unwrap();
    let sum = |name: &str| -> u64 {
        let (status, page) = shown.get("/metrics");
        assert_eq!((status, page.lines().last()), (200, Some("# EOF")));
        let lines = page.lines().filter_map(|line| line.strip_prefix(name));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    };
    let totals = reader(&place).run().totals.clone();
    let failed = totals.failed_status + totals.outcomes.not_completed();
    assert_eq!(sum("replayer_requests_total{"), totals.planned);
    assert_eq!(sum("replayer_outcomes_total{"), totals.planned);
    assert_eq!(sum("replayer_requests_sent_total"), totals.planned_sent);
    assert_eq!(sum("replayer_requests_total{endpoint=\"GET /b\",result=\"failed\"}"), failed);
    assert_eq!(sum("replayer_response_time_seconds_count{"), totals.planned);
    // Its end is there for who comes now, too.
    let late = shown.events(None).next().unwrap();
    assert_eq!(late.of("/now/state"), "ended");
    assert_eq!(shown.post("/mark", "{\"label\": \"too late\"}"), 409);
    assert_eq!(shown.child.try_wait().unwrap(), None);
    assert_eq!(shown.post("/stop", ""), 204);
    let (code, said) = shown.ended();
    assert!(matches!(code, Some(0 | 10 | 12)), "{said}");
}

#[test]
fn an_address_that_is_taken_is_told_before_anything_is_sent() {
    let (place, server) = (place(), server());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = place
        .run(&server.url(), &[&CLOSED[..], &["--duration", "1s", "--live", &address]].concat());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("--live: cannot listen on {address}")), "{}", ran.stderr);
    assert!(server.asked().is_empty());
    let named =
        place.run(&server.url(), &["--users", "1", "--duration", "1s", "--live", "example.org:80"]);
    assert_eq!(named.code, Some(2), "{}", named.stderr);
    assert!(named.stderr.contains("such as 127.0.0.1:8089"), "{}", named.stderr);
}
