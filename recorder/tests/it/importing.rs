//! Recordings of other tools become traces that can be replayed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use recorder::edit::check::check;
use serde_json::{Value, json};
use tempfile::TempDir;
use trace::format::{Body, Origin, Part, RecordedResult, Request};
use trace::reader::TraceReader;

use crate::world::{read, text};

type Headers = Vec<(String, String)>;

/// Format, content, options; exit code and what is told.
type Case<'a> = (&'a str, Vec<u8>, &'a [&'a str], i32, &'a str);

const SEPARATOR: &str = "\n🐵🙈🙉\n";

struct Import {
    folder: TempDir,
}

struct Imported {
    trace: PathBuf,
    summary: Value,
}

impl Import {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn run(&self, format: &str, file: &Path, more: &[&str]) -> (i32, String, String) {
        let out = self.folder.path().join("out.trace.jsonl");
        let output = Command::new(env!("CARGO_BIN_EXE_recorder"))
            .args(["import", format])
            .arg(file)
            .arg("--out")
            .arg(&out)
            .args(["--force", "--json"])
            .args(more)
            .output()
            .unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn good(&self, format: &str, file: &Path, more: &[&str]) -> Imported {
        let (code, stdout, stderr) = self.run(format, file, more);
        assert_eq!(code, 0, "{stderr}");
        let trace = self.folder.path().join("out.trace.jsonl");
        let mut problems = Vec::new();
        check(&trace, |problem| problems.push(format!("{problem:?}"))).unwrap();
        assert_eq!(problems, [""; 0]);
        Imported { trace, summary: serde_json::from_str(&stdout).unwrap() }
    }
}

impl Imported {
    fn requests(&self) -> Vec<Request> {
        read(&self.trace)
    }

    fn told(&self, what: &str) -> u64 {
        let told = self.summary["told"].as_object().unwrap();
        let found = told.iter().find(|(name, _)| name.contains(what));
        found.map_or(0, |(_, count)| count.as_u64().unwrap())
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/imports").join(name)
}

fn bound_to(request: &Request, part: Part) -> Option<&Origin> {
    request.bind.iter().find(|binding| binding.part == part).map(|binding| &binding.from)
}

#[test]
fn each_browser_s_har_keeps_what_was_sent_and_binds_what_came_from_answers() {
    for (browser, http) in [("chrome", "2"), ("firefox", "2"), ("safari", "1.1")] {
        let import = Import::new();
        let imported = import.good("har", &fixture(&format!("{browser}.har")), &[]);
        let requests = imported.requests();
        let names: Vec<&str> =
            requests.iter().map(|request| request.name.as_str()).take(4).collect();
        let expected = ["GET /", "POST /api/login", "GET /api/items", "POST /api/items/{id}/take"];
        assert_eq!(names, expected, "{browser}");
        let [_, login, list, take, ..] = &requests[..] else { panic!("{browser}") };

        assert_eq!(take.http, http);
        assert!(take.headers.iter().all(|(name, _)| !name.starts_with(':') && name != "Host"));
        assert!(matches!(&take.body, Some(Body::Text(text)) if text.contains("note")));
        let Some(Origin::Capture { of, .. }) = bound_to(take, Part::Path) else {
            panic!("{browser}: {take:?}")
        };
        assert_eq!(*of, list.id, "{browser}");
        let token = take.headers.iter().position(|(name, _)| name == "Authorization").unwrap();
        let Some(Origin::Capture { of, .. }) = bound_to(take, Part::Header(token)) else {
            panic!("{browser}: {take:?}")
        };
        assert_eq!(*of, login.id, "{browser}");
        // Without a manifest nobody knows whose password it was: it must be given.
        assert_eq!(imported.told("password unbound"), 1, "{browser}");
        let RecordedResult::Answer(answer) = &list.result else { panic!("{browser}") };
        assert_eq!(answer.total_us - answer.header_us, 5000, "{browser}");
        // ssl lies within connect, and both before the sending.
        let before = if browser == "chrome" { 4700 } else { 0 };
        assert_eq!(list.at - requests[0].at, 300_000, "{browser}");
        let header = TraceReader::open(&imported.trace).unwrap().header().clone();
        assert_eq!(u64::from(header.started.timestamp_subsec_micros()), before, "{browser}");

        assert_eq!(imported.told("other hosts"), 1, "{browser}");
        assert_eq!(imported.told("without their bodies"), 1, "{browser}");
        let (cached, sockets, cancelled, data, missing) = match browser {
            "chrome" => (1, 1, 1, 1, 0),
            "safari" => (1, 0, 0, 0, 1),
            _ => (0, 0, 0, 0, 0),
        };
        assert_eq!(imported.told("cache"), cached, "{browser}");
        assert_eq!(imported.told("wss: URLs"), sockets, "{browser}");
        assert_eq!(imported.told("cancelled"), cancelled, "{browser}");
        assert_eq!(imported.told("data: URLs"), data, "{browser}");
        assert_eq!(imported.told("writes without their bodies"), missing, "{browser}");
        if browser == "chrome" {
            let form = requests.iter().find(|request| request.path == "/form").unwrap();
            assert_eq!(form.body, Some(Body::Text("q=a+b%26c&n=1".to_owned())));
        }
        let file = std::fs::read_to_string(&imported.trace).unwrap();
        for secret in ["c2lnbmF0dXJl", "not-a-real-password"] {
            assert!(!file.contains(secret), "{browser}: {secret}");
        }
    }
}

#[test]
fn the_site_itself_is_known_without_a_host_header() {
    let har = std::fs::read_to_string(fixture("firefox.har")).unwrap();
    let mut har: Value = serde_json::from_str(&har).unwrap();
    let request = &mut har["log"]["entries"][1]["request"];
    let (site, _) = request["url"].as_str().unwrap().rsplit_once("/api/").unwrap();
    let site = site.to_owned();
    let headers = request["headers"].as_array_mut().unwrap();
    headers
        .retain(|header| !["Host", "Referer", "Origin"].iter().any(|name| header["name"] == *name));
    headers.push(json!({"name": "Referer", "value": format!("{site}/from?a=1")}));
    headers.push(json!({"name": "Origin", "value": site}));
    let import = Import::new();
    let imported = import.good("har", &import.file("no-host.har", har.to_string()), &[]);
    let headers = &imported.requests()[1].headers;
    for (name, value) in [("Referer", "/from?a=1"), ("Origin", "/")] {
        assert!(headers.contains(&(name.to_owned(), value.to_owned())), "{headers:?}");
    }
}

/// As gzip reads it, and through a pipe.
#[test]
fn a_recording_may_be_in_several_parts_and_come_through_a_pipe() {
    let log = std::fs::read(fixture("combined.log")).unwrap();
    let gzip = |part: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    let import = Import::new();
    let expected = import.good("access-log", &fixture("combined.log"), &[]).requests().len();
    let (one, other) = log.split_at(log.len() / 2);
    let parts = [gzip(one), gzip(other)].concat();
    for more in [&b""[..], &[0; 100_000], b"and what is none of it"] {
        let file = import.file("log.gz", [&parts, more].concat());
        assert_eq!(import.good("access-log", &file, &[]).requests().len(), expected);
    }
    let mut damaged = parts.clone();
    damaged.extend_from_slice(&gzip(one)[..20]);
    let (code, _, stderr) = import.run("access-log", &import.file("cut.gz", damaged), &[]);
    assert!(code == 13 && stderr.contains("ends early"), "{code} {stderr}");

    let out = import.folder.path().join("piped.trace.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_recorder"))
        .args(["import", "access-log", "-", "--out"])
        .arg(&out)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&parts).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(read(&out).len(), expected);
}

/// An entry of a HAR.
fn entry(url: &str) -> Value {
    json!({
        "startedDateTime": "2026-01-01T00:00:00.000Z", "time": 20,
        "request": {"method": "GET", "url": url, "httpVersion": "HTTP/1.1", "headers": []},
        "response": {"status": 200, "headers": [], "content": {"size": 0}},
        "timings": {"send": 1, "wait": 10, "receive": 9},
    })
}

fn har_of(entries: &[Value]) -> String {
    json!({"log": {"version": "1.2", "creator": {"name": "t"}, "entries": entries}}).to_string()
}

#[test]
fn one_odd_entry_is_named_and_the_others_are_imported() {
    let shop = |path: &str| entry(&format!("http://shop.example{path}"));
    let changed = |pointer: &str, value: Value| {
        let mut entry = shop("/odd");
        *entry.pointer_mut(pointer).unwrap() = value;
        entry
    };
    let without = |key: &str| {
        let mut entry = shop("/odd");
        entry.as_object_mut().unwrap().remove(key);
        entry
    };
    let mut long = shop("/odd");
    long["_webSocketMessages"] = vec![json!({"data": "x".repeat(1000)}); 40_000].into();
    for (odd, why) in [
        (Value::Null, "invalid type: null"),
        (json!("text"), "invalid type: string"),
        (without("response"), "missing field `response`"),
        (changed("/response", Value::Null), "invalid type: null"),
        (changed("/response/status", json!("200")), "invalid type: string"),
        (changed("/startedDateTime", json!("1 January")), "input contains invalid characters"),
        (long, "it is too long"),
    ] {
        let import = Import::new();
        let text = har_of(&[shop("/a"), odd.clone(), shop("/b"), odd, shop("/c")]);
        let imported = import.good("har", &import.file("odd.har", text), &[]);
        let paths: Vec<String> = imported.requests().into_iter().map(|r| r.path).collect();
        assert_eq!(paths, ["/a", "/b", "/c"], "{why}");
        assert_eq!(imported.told(&format!("first number 2: {why}")), 2, "{why}");
    }
}

#[test]
fn the_host_with_most_requests_is_taken_and_the_others_are_named() {
    let import = Import::new();
    let urls = ["http://cdn.example/x", "http://shop.example:80/a", "http://shop.example?b=1"];
    let text = format!("\u{feff}{}", har_of(&urls.map(entry)));
    let imported = import.good("har", &import.file("hosts.har", text), &[]);
    let paths: Vec<String> = imported.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(paths, ["/a", "/?b=1"]);
    assert_eq!(imported.told("other hosts (skipped): cdn.example 1"), 1);
    for (url, why) in [("/a", "1 relative: URLs"), ("wss://shop.example/a", "1 wss: URLs")] {
        let file = import.file("none.har", har_of(&[entry(url)]));
        let (code, _, stderr) = import.run("har", &file, &[]);
        assert!(code == 2 && stderr.contains(why), "{code} {stderr}");
    }
}

#[test]
fn what_stands_beside_a_body_says_its_type() {
    let mut post = entry("http://shop.example/a");
    post["request"]["method"] = "POST".into();
    post["request"]["postData"] = json!({"mimeType": "application/json", "text": "{\"a\":1}"});
    post["response"]["content"] = json!({"size": 9, "mimeType": "text/html", "text": "{\"b\":1}"});
    let import = Import::new();
    let imported = import.good("har", &import.file("type.har", har_of(&[post])), &[]);
    let request = &imported.requests()[0];
    let kind = ("Content-Type".to_owned(), "application/json".to_owned());
    assert!(request.headers.contains(&kind), "{:?}", request.headers);
    // A page has no shape, whatever it looks like.
    let RecordedResult::Answer(answer) = &request.result else { panic!("{request:?}") };
    assert_eq!(answer.shape, None);
}

#[test]
fn times_that_nothing_takes_are_a_day_at_most() {
    let har = std::fs::read_to_string(fixture("firefox.har")).unwrap();
    let har =
        har.replace("\"wait\": 20", "\"wait\": 1e300").replace("\"dns\": 0", "\"dns\": 1e300");
    let import = Import::new();
    let imported = import.good("har", &import.file("huge.har", har), &[]);
    for request in imported.requests() {
        let RecordedResult::Answer(answer) = &request.result else { panic!("{request:?}") };
        assert_eq!(answer.header_us, 86_400_000_000);
    }
}

#[test]
fn another_host_of_a_har_can_be_chosen() {
    let import = Import::new();
    let har = fixture("chrome.har");
    let imported = import.good("har", &har, &["--host", "cdn.example"]);
    assert_eq!(imported.requests().len(), 1);
    let (code, _, stderr) = import.run("har", &har, &["--host", "nowhere.example"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains(
            "--host: nowhere.example does not occur; it has shop.example 8, cdn.example 1"
        ),
        "{stderr}"
    );
}

/// What a capture of known traffic looks like.
struct Gor {
    text: Vec<u8>,
    count: u64,
}

impl Gor {
    fn new() -> Self {
        Self { text: Vec::new(), count: 0 }
    }

    fn add(&mut self, kind: u8, id: &str, time: u64, payload: &[u8]) {
        writeln!(self.text, "{kind} {id} {time}").unwrap();
        self.text.extend_from_slice(payload);
        self.text.extend_from_slice(SEPARATOR.as_bytes());
    }

    /// A request and its answer, the id as long as either version has it.
    fn pair(&mut self, at_ms: u64, request: &[u8], answer: &[u8]) {
        self.count += 1;
        let width = if self.count.is_multiple_of(2) { 24 } else { 40 };
        let id = format!("{:0width$x}", self.count);
        let at = 1_790_000_000_000_000_000 + at_ms * 1_000_000;
        self.add(1, &id, at, request);
        // A duration in old versions, a time in new ones.
        let time = if self.count.is_multiple_of(2) { 7_000_000 } else { at + 7_000_000 };
        self.add(2, &id, time, answer);
    }
}

fn message(first: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut message = format!("{first}\r\n");
    for (name, value) in headers {
        write!(message, "{name}: {value}\r\n").unwrap();
    }
    message.push_str("\r\n");
    [message.as_bytes(), body].concat()
}

#[test]
fn every_request_of_a_gor_file_comes_out_as_it_went_in() {
    let mut gor = Gor::new();
    // Headers and bodies by path.
    let mut sent: BTreeMap<String, (Headers, Vec<u8>)> = BTreeMap::new();
    for number in 0..200_u64 {
        let path = format!("/things/t{number}?n={number}&s=a%20b");
        // The separator stands in some bodies too.
        let body = match number % 4 {
            0 => Vec::new(),
            1 => format!("{{\"n\":{number},\"text\":\"é\"}}").into_bytes(),
            2 => format!("a{SEPARATOR}b{SEPARATOR}{number}").into_bytes(),
            _ => vec![0, 159, 146, 150, number as u8],
        };
        let mut headers: Vec<(String, String)> = [
            ("Host", "shop.example".to_owned()),
            ("User-Agent", format!("agent-{}", number % 7)),
            ("X-Forwarded-For", format!("192.0.2.{}", number % 5)),
            ("X-Number", number.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let method = if body.is_empty() { "GET" } else { "POST" };
        let wire = if number % 8 == 5 && !body.is_empty() {
            headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
            [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()
        } else {
            if !body.is_empty() {
                headers.push(("Content-Length".to_owned(), body.len().to_string()));
            }
            body.clone()
        };
        let request = message(&format!("{method} {path} HTTP/1.1"), &headers, &wire);
        // Not in the order of the times.
        gor.pair(100 * (number ^ 3), &request, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        headers.retain(|(name, _)| {
            !["Host", "Content-Length", "Transfer-Encoding"].contains(&name.as_str())
        });
        sent.insert(path, (headers, body));
    }
    gor.add(3, &"f".repeat(40), 5, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    gor.add(
        1,
        &"e".repeat(24),
        1_790_000_001_000_000_000,
        b"GET /unanswered HTTP/1.1\r\nHost: shop.example\r\n\r\n",
    );
    gor.add(2, &"d".repeat(24), 9, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");

    let import = Import::new();
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&gor.text).unwrap();
        encoder.finish().unwrap()
    };
    for file in [import.file("a.gor", &gor.text), import.file("a.gor.gz", gzip)] {
        let imported = import.good("gor", &file, &[]);
        let requests = imported.requests();
        assert_eq!(requests.len(), 201);
        for request in &requests {
            let Some((headers, body)) = sent.get(&request.path) else {
                assert_eq!(request.path, "/unanswered");
                assert!(matches!(request.result, RecordedResult::Error(_)));
                continue;
            };
            assert_eq!(request.headers, *headers, "{}", request.path);
            let stored = match &request.body {
                None => Vec::new(),
                Some(Body::Text(text)) => text.clone().into_bytes(),
                Some(Body::Base64(text)) => {
                    use base64::Engine as _;
                    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
                }
                Some(Body::Truncated { .. }) => panic!("{}", request.path),
            };
            assert_eq!(stored, *body, "{}", request.path);
            let RecordedResult::Answer(answer) = &request.result else {
                panic!("{}", request.path)
            };
            assert_eq!((answer.status, answer.total_us), (200, 7000), "{}", request.path);
            assert_eq!(request.at % 100_000, 0);
        }
        assert_eq!(imported.summary["sessions"], 36, "five addresses times seven agents, and one");
        assert_eq!(imported.told("earlier replay"), 1);
        assert_eq!(imported.told("without an answer"), 1);
        assert_eq!(imported.told("without their requests"), 1);
    }
}

#[test]
fn values_of_a_gor_file_are_bound_within_the_session_that_the_token_tells() {
    let mut gor = Gor::new();
    let json = |body: &str| {
        message(
            "HTTP/1.1 200 OK",
            &[("Content-Length".to_owned(), body.len().to_string())],
            body.as_bytes(),
        )
    };
    for user in 0..3_u64 {
        let token = format!("token-of-user-number-{user}-0123456789");
        let item = format!("8c1d2f0{user}-0000-4000-8000-0123456789ab");
        let with_token = [("Authorization".to_owned(), format!("Bearer {token}"))];
        let login = message(
            "POST /login HTTP/1.1",
            &[("Content-Length".to_owned(), "2".to_owned())],
            b"{}",
        );
        gor.pair(user * 10, &login, &json(&format!("{{\"access_token\":\"{token}\"}}")));
        let list = message("GET /items HTTP/1.1", &with_token, b"");
        gor.pair(1000 + user * 10, &list, &json(&format!("[{{\"id\":\"{item}\"}}]")));
        let take = message(&format!("GET /items/{item} HTTP/1.1"), &with_token, b"");
        gor.pair(2000 + user * 10, &take, &json("{}"));
    }
    let import = Import::new();
    let imported = import.good("gor", &import.file("a.gor", &gor.text), &[]);
    let requests = imported.requests();
    assert_eq!(imported.summary["sessions"], 3);
    assert_eq!(imported.told("unbound"), 0);
    for take in requests.iter().filter(|request| request.name == "GET /items/{id}") {
        let Some(Origin::Capture { of, .. }) = bound_to(take, Part::Path) else {
            panic!("{take:?}")
        };
        let list = requests.iter().find(|request| request.id == *of).unwrap();
        assert_eq!(
            (list.session.as_str(), list.name.as_str()),
            (take.session.as_str(), "GET /items")
        );
    }
}

#[test]
fn an_access_log_has_its_requests_when_they_were_sent() {
    let import = Import::new();
    let imported = import.good("access-log", &fixture("combined.log"), &[]);
    let requests = imported.requests();
    let names: Vec<&str> = requests.iter().map(|request| request.name.as_str()).collect();
    assert_eq!(imported.summary["format"], "combined");
    assert_eq!(names.len(), 4);
    assert_eq!(imported.told("another format"), 1);
    assert_eq!(imported.told("writes without their bodies"), 1);
    assert_eq!(imported.told("token"), 0);
    assert_eq!(imported.summary["sessions"], 3);
    let secret = requests.iter().find(|request| request.name == "GET /alerts/{id}").unwrap();
    assert_eq!((secret.path.as_str(), secret.http.as_str()), ("/alerts/17?token=", "2"));
    assert_eq!(bound_to(secret, Part::Path), Some(&Origin::Slot("token".to_owned())));
    // Spread within their second, which is that of completion.
    let started = TraceReader::open(&imported.trace).unwrap().header().started;
    for request in &requests {
        let RecordedResult::Answer(answer) = &request.result else { panic!("{request:?}") };
        let ended = started.timestamp_micros() as u64 + request.at + answer.total_us;
        let second = match request.name.as_str() {
            "GET /" | "GET /alerts/{id}" => 36,
            "GET /alerts" => 37,
            _ => 38,
        };
        assert_eq!(ended / 1_000_000 % 60, second, "{}", request.name);
    }
    let again = import.good("access-log", &fixture("combined.log"), &[]);
    assert_eq!(again.summary["digest"], imported.summary["digest"], "the seed is the same");
    let writes = import.good("access-log", &fixture("combined.log"), &["--with-writes"]);
    assert_eq!(writes.requests().len(), 5);
}

#[test]
fn a_login_can_be_put_before_each_session_of_a_log() {
    let world = crate::world::Folder::new(crate::world::PERSONAS);
    let import = Import::new();
    let [personas, manifest] = ["personas.toml", "manifest.json"]
        .map(|name| world.path(name).into_os_string().into_string().unwrap());
    let more = ["--login", "Taker", "--personas", &personas, "--manifest", &manifest];
    let imported = import.good("access-log", &fixture("combined.log"), &more);
    let requests = imported.requests();
    assert_eq!(requests.len(), 7, "three of them are logins");
    for request in &requests {
        assert_eq!(request.persona.as_deref(), Some("Taker"));
        let first = requests.iter().find(|other| other.session == request.session).unwrap();
        assert!(first.prologue && first.name == "POST /login");
        if request.prologue {
            assert!(request.bind.iter().any(|b| b.from == Origin::Account("password".to_owned())));
            continue;
        }
        assert!(request.at - first.at <= 5_000_000);
        let token = request.headers.iter().position(|(name, _)| name == "Authorization").unwrap();
        let Some(Origin::Capture { of, name }) = bound_to(request, Part::Header(token)) else {
            panic!("{request:?}")
        };
        assert_eq!((of, name.as_str()), (&first.id, "access_token"));
    }
}

#[test]
fn what_cannot_be_imported_is_told_in_one_line() {
    let import = Import::new();
    let har = std::fs::read_to_string(fixture("chrome.har")).unwrap();
    let mut gor = Gor::new();
    let post = b"POST /a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 10\r\n\r\n0123456789";
    gor.pair(0, post, b"HTTP/1.1 200 OK\r\n\r\n");
    let log = std::fs::read_to_string(fixture("combined.log")).unwrap();
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&log.repeat(1000).into_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let backwards = log.replace("13:55:38", "13:55:30");
    let cases: Vec<Case<'_>> = vec![
        ("har", b"hello".to_vec(), &[], 2, "line 1: not JSON: expected value"),
        (
            "har",
            b"{\"a\":1}".to_vec(),
            &[],
            2,
            "it is JSON and no HAR: there is no log with entries",
        ),
        ("har", b"{\"log\":{\"entries\":[{}]}}".to_vec(), &[], 2, "first number 1: missing field"),
        (
            "har",
            har.as_bytes()[..har.len() / 2].to_vec(),
            &[],
            13,
            "ends early: its JSON is not complete",
        ),
        ("har", Vec::new(), &[], 2, "is empty"),
        (
            "har",
            b"{\"log\":{\"entries\":[]}}".to_vec(),
            &[],
            2,
            "it has no request that could be replayed",
        ),
        ("gor", gor.text[..70].to_vec(), &[], 13, "the payload at byte 0 is not complete"),
        (
            "access-log",
            b"#Version: 1.0\n#Fields: date time\n".to_vec(),
            &[],
            2,
            "line 1: \"#Version: 1.0\" looks like W3C's extended log format",
        ),
        (
            "gor",
            b"hello\n".to_vec(),
            &[],
            2,
            "at byte 0 stands \"hello\\n\" instead of a payload's type",
        ),
        (
            "gor",
            gor.text.clone(),
            &["--host", "nowhere"],
            2,
            "--host: nowhere does not occur; it has shop.example",
        ),
        ("gor", Vec::new(), &[], 2, "is empty"),
        (
            "access-log",
            b"Oct 10 13:55:36 host sshd[1]: hello\n".to_vec(),
            &[],
            2,
            "line 1: \"Oct 10 13:55:36 host sshd[1]: hello\" is in no known format; the nearest is combined, such as 192.0.2.1",
        ),
        (
            "access-log",
            log.clone().into_bytes(),
            &["--format", "json"],
            2,
            "line 1: \"192.0.2.1 - -",
        ),
        (
            "access-log",
            backwards.clone().into_bytes(),
            &[],
            2,
            "line 6: its time goes back from 2026-10-10 13:55:37 UTC to 2026-10-10 13:55:30 UTC; --sort takes such logs",
        ),
        ("access-log", backwards.into_bytes(), &["--sort"], 0, ""),
        (
            "access-log",
            gzip[..gzip.len() / 2].to_vec(),
            &["--sort"],
            13,
            "ends early: its compression is not complete",
        ),
        ("access-log", Vec::new(), &[], 2, "is empty"),
        ("access-log", log.clone().into_bytes(), &["--host", "a"], 2, "does not say which host"),
        ("access-log", log.into_bytes(), &["--login", "x"], 2, "--personas"),
    ];
    for (format, content, more, code, told) in cases {
        let file = import.file("input", &content);
        let (found, _, stderr) = import.run(format, &file, more);
        assert_eq!(found, code, "{format} {more:?}: {stderr}");
        assert!(stderr.contains(told), "{format} {more:?}: {stderr}");
        if code != 0 && !more.contains(&"--login") {
            assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
        }
        let left: Vec<_> = std::fs::read_dir(import.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(".part") || name.starts_with(".tmp"))
            .collect();
        assert_eq!(left, [""; 0], "nothing half done is left");
    }
    let missing = import.folder.path().join("none");
    let (code, _, stderr) = import.run("har", &missing, &[]);
    assert_eq!((code, stderr.contains("cannot read")), (2, true), "{stderr}");
}
