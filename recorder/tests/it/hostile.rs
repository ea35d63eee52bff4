//! Files that somebody made to harm: nothing of them reaches the wire as another request.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use trace::wire;

use crate::world::{Folder, PERSONAS, Server, Used, read, recorder, run, signal, text};

/// What would end a line of a head, or one of its words.
const BREAKERS: [&str; 4] = ["\r\n", "\n", "\0", " "];

fn header() -> Value {
    json!({
        "format": "timed-request-log", "version": "1", "tool": "test",
        "started": "2026-01-01T00:00:00Z", "sources": [], "personas": [], "redaction": [],
    })
}

fn request() -> Value {
    json!({
        "id": "r1", "at": 0, "session": "s", "name": "GET /a", "http": "1.1", "method": "GET",
        "path": "/a", "headers": [["Accept", "*/*"]],
        "result": {"answer": {"status": 200, "header_us": 1, "total_us": 1, "size": 0}},
    })
}

/// A whole trace with this one request.
fn trace_of(folder: &Path, request: &Value) -> PathBuf {
    let path = folder.join("t.trace.jsonl");
    let lines = format!("{}\n{request}\n", header());
    let digest = common::digest::of(lines.as_bytes());
    let end =
        json!({"end": {"requests": 1, "sessions": 1, "errors": 0, "dropped": 0, "digest": digest}});
    std::fs::write(&path, format!("{lines}{end}\n")).unwrap();
    path
}

#[test]
fn what_would_be_another_request_is_refused_by_all_that_read_a_trace() {
    let folder = TempDir::new().unwrap();
    let mut changes: Vec<(&str, Value)> = vec![
        ("/path", json!("http://other.example/")),
        ("/path", json!("")),
        ("/method", json!("")),
        ("/at", json!(1_u64 << 63)),
        ("/at", json!(u64::MAX)),
    ];
    for breaker in BREAKERS {
        let smuggled = format!("/a{breaker}DELETE /all HTTP/1.1");
        changes.extend([
            ("/method", json!(format!("GET{breaker}/"))),
            ("/path", json!(smuggled)),
            ("/headers/0/0", json!(format!("Accept{breaker}"))),
        ]);
        if breaker != " " {
            changes.push(("/headers/0/1", json!(format!("a{breaker}b"))));
        }
    }
    for length in [1025_u64, 4_294_967_295] {
        for kind in ["hex", "digits"] {
            let like = json!({kind: length});
            let bind = json!([{"in": "path", "start": 1, "end": 2,
                "from": {"fresh": {"key": "k", "like": like}}}]);
            changes.push(("/bind", bind));
        }
    }
    for (place, value) in changes {
        let mut line = request();
        line["bind"] = json!([]);
        *line.pointer_mut(place).unwrap() = value.clone();
        let path = trace_of(folder.path(), &line);
        let journal = folder.path().join("j.trace.jsonl.part");
        std::fs::write(&journal, format!("{}\n{line}\n", header())).unwrap();
        let out = folder.path().join("out.jsonl");
        let [path, journal, out] = [&path, &journal, &out].map(|path| path.to_str().unwrap());
        for command in [
            vec!["check", path],
            vec!["inspect", path],
            vec!["cut", path, "--out", out],
            vec!["export", "har", path, "--out", out],
            vec!["finish", journal],
        ] {
            let output = run(recorder(&command));
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command:?} of {place} {value}: {said}");
            assert!(said.contains("line 2: "), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(!Path::new(out).exists(), "{command:?}");
        }
    }
}

/// Imports a file of one good request and others; what is in the trace, and what was told.
fn imported(format: &str, content: &str) -> (Vec<trace::format::Request>, Value) {
    let folder = TempDir::new().unwrap();
    let [file, out] = ["in", "out.jsonl"].map(|name| folder.path().join(name));
    std::fs::write(&file, content).unwrap();
    let mut command = recorder(&["import", format]);
    command.arg(&file).arg("--out").arg(&out).arg("--json");
    if format == "access-log" {
        command.arg("--with-writes");
    }
    let output = run(command);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let requests = read(&out);
    for request in &requests {
        assert_eq!(wire::check(request), Ok(()), "{request:?}");
    }
    (requests, serde_json::from_slice(&output.stdout).unwrap())
}

const LEFT_OUT: &str = "requests that cannot be sent as they stand there (skipped)";

#[test]
fn a_har_smuggles_nothing() {
    let entry = |method: &str, url: &str, name: &str, value: &str| {
        json!({
            "startedDateTime": "2026-01-01T00:00:00Z", "time": 1,
            "request": {"method": method, "url": url, "headers": [{"name": name, "value": value}]},
            "response": {"status": 200, "headers": [], "content": {"size": 0, "text": ""}},
        })
    };
    let mut entries = vec![entry("GET", "http://a/good", "Accept", "a b")];
    for breaker in BREAKERS {
        entries.push(entry(&format!("GET{breaker}x"), "http://a/", "Accept", ""));
        entries.push(entry("GET", "http://a/", &format!("Accept{breaker}x"), ""));
        let smuggled = format!("http://a/p{breaker}HTTP/1.1{breaker}DELETE{breaker}/all");
        entries.push(entry("GET", &smuggled, "Accept", ""));
    }
    entries.push(entry("GET", "http://a/", "Accept", "a\r\nX: b"));
    let har = json!({"log": {"entries": entries}}).to_string();
    let (requests, told) = imported("har", &har);
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/good",
            "/p%0D%0AHTTP/1.1%0D%0ADELETE%0D%0A/all",
            "/p%0AHTTP/1.1%0ADELETE%0A/all",
            "/p%00HTTP/1.1%00DELETE%00/all",
            "/p%20HTTP/1.1%20DELETE%20/all",
        ]
    );
    assert_eq!(told["told"][LEFT_OUT], 9, "{told}");
}

#[test]
fn a_log_smuggles_nothing() {
    let line = |method: &str, path: &str, agent: &str| {
        json!({"time": "2026-01-01T00:00:00.5Z", "method": method, "path": path, "status": 200,
            "client": "a", "user_agent": agent})
    };
    let mut lines = vec![line("GET", "/good", "curl 8")];
    for breaker in BREAKERS {
        lines.push(line(&format!("GET{breaker}x"), "/", ""));
        lines.push(line("GET", &format!("/p{breaker}DELETE"), "curl"));
    }
    lines.push(line("GET", "/", "curl\r\nX: b"));
    let log: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (requests, told) = imported("access-log", &log);
    assert_eq!(requests.len(), 5, "{requests:?}");
    assert_eq!(told["told"][LEFT_OUT], 5, "{told}");
}

#[test]
fn a_capture_smuggles_nothing() {
    let payload = |id: u32, head: &str| {
        format!("1 {id:024x} 1767225600000000000\n{head}\r\nHost: a\r\n\r\n\n🐵🙈🙉\n")
    };
    let capture: String = [
        "GET /good HTTP/1.1",
        "CONNECT other.example:443 HTTP/1.1",
        "GET /a\0b HTTP/1.1",
        "GET /a HTTP/1.1\r\nA: b\0c",
        "GET /a HTTP/1.1\r\nA B: c",
    ]
    .iter()
    .zip(1..)
    .map(|(head, id)| payload(id, head))
    .collect();
    let (requests, _) = imported("gor", &capture);
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].path, "/good");
}

/// A trace has no such times, so that what was made of these would be refused by its readers.
#[test]
fn what_is_dated_centuries_later_is_left_out() {
    let dates = ["2026-01-01T00:00:00.5Z", "2620-01-01T00:00:00.5Z"];
    let line = |date: &&str| json!({"time": date, "method": "GET", "path": "/", "status": 200, "client": "a"});
    let log: String = dates.iter().map(|date| format!("{}\n", line(date))).collect();
    let entry = |date: &&str| {
        json!({
            "startedDateTime": date, "time": 1, "request": {"method": "GET", "url": "http://a/"},
            "response": {"status": 200, "headers": [], "content": {"size": 0, "text": ""}},
        })
    };
    let entries: Vec<_> = dates.iter().map(entry).collect();
    let har = json!({"log": {"entries": entries}}).to_string();
    for (kind, text) in [("access-log", log), ("har", har)] {
        let (requests, told) = imported(kind, &text);
        assert_eq!(requests.len(), 1, "{kind}: {requests:?}");
        let left_out = "requests dated after the year 2254 (skipped)";
        assert_eq!(told["told"][left_out], 1, "{kind}: {told}");
    }
}

#[test]
fn only_files_are_replaced_even_by_force() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let trace = trace_of(folder.path(), &request());
    let har = path("in.har");
    let entry = json!({
        "startedDateTime": "2026-01-01T00:00:00Z", "request": {"method": "GET", "url": "http://a/"},
        "response": {"status": 200, "content": {"text": ""}},
    });
    std::fs::write(&har, json!({"log": {"entries": [entry]}}).to_string()).unwrap();
    let secret = path("secret");
    std::fs::write(&secret, "mine").unwrap();
    symlink(&secret, path("link.jsonl")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path("fifo.jsonl")).status().unwrap();
    assert!(made.success());
    symlink("/dev/null", path("device.jsonl")).unwrap();
    std::fs::create_dir(path("folder.jsonl")).unwrap();
    let [trace, har] = [&trace, &har].map(|path| path.to_str().unwrap());
    for name in ["link.jsonl", "fifo.jsonl", "device.jsonl", "folder.jsonl"] {
        let out = path(name);
        let before = out.symlink_metadata().unwrap().file_type();
        let out = out.to_str().unwrap();
        for command in [
            vec!["import", "har", har, "--out", out, "--force"],
            vec!["cut", trace, "--out", out, "--force"],
            vec!["merge", trace, trace, "--out", out, "--force"],
            vec!["export", "har", trace, "--out", out, "--force"],
            vec!["proxy", "--upstream", "http://127.0.0.1:1", "--out", out, "--force"],
        ] {
            let output = run(recorder(&command));
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{command:?}: {said}");
            assert!(said.contains("which is not replaced"), "{said}");
        }
        assert_eq!(Path::new(out).symlink_metadata().unwrap().file_type(), before);
    }
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_grace_of_personas() {
    // Accepts and says nothing more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let (reached, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut head = [0; 512];
            if std::io::Read::read(&mut stream, &mut head).unwrap_or(0) > 0 {
                let _ = reached.send(());
            }
            held.push(stream);
        }
    });
    let folder = Folder::new(PERSONAS);
    let mut child = folder.personas(&format!("http://{silent}"), &[]).spawn().unwrap();
    wait.recv().unwrap();
    let asked = std::time::Instant::now();
    signal(&child, "INT");
    // The second counts once the first was seen: one of these comes after it.
    let patience = std::time::Duration::from_secs(9);
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        assert!(asked.elapsed() < patience, "the grace was waited for");
        signal(&child, "INT");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(code, Some(130));
}

/// As on a full disk.
#[tokio::test(flavor = "multi_thread")]
async fn stderr_that_cannot_be_written_changes_nothing() {
    let server = Server::start().await;
    let folder = Folder::new(&PERSONAS.replace("GET /items?", "GET /broken?"));
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut recording =
        folder.personas(&server.url, &["--max-requests", "20", "--allow-failures", "--force"]);
    recording.stderr(full());
    let output = tokio::task::spawn_blocking(move || run(recording)).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(read(&folder.trace()).len() >= 20);
    let mut checking = recorder(&["check", "none"]);
    checking.stderr(full());
    assert_eq!(run(checking).status.code(), Some(2));
}

/// Files that are small and become large. Several passes read them, and the allocator gives back
/// what one took a little later: the longest payload may count in each.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_whatever_is_imported() {
    use std::io::Write as _;

    const MIB: usize = 1 << 20;
    let folder = TempDir::new().unwrap();
    let [file, out] = ["in", "out.jsonl"].map(|name| folder.path().join(name));
    let [file, out] = [&file, &out].map(|path| path.to_str().unwrap());
    let request = r#"{"method":"GET","url":"http://a/""#;
    let start = r#"{"log":{"entries":[{"startedDateTime":"2026-01-01T00:00:00Z","request":"#;
    let answer = r#"},"response":{"status":200,"content":{"size":9,"text":""#;
    let end = "\"}}}]}}";
    let line = format!(
        "1.1.1.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /{} HTTP/1.1\" 200 1 \"-\" \"-\"\n",
        "x".repeat(MIB - 100)
    );
    let cases: [(&str, &str, String, &str, String, i32); 7] = [
        ("long lines of one second", "access-log", String::new(), &line, String::new(), 0),
        ("one body", "har", format!("{start}{request}{answer}"), "x", end.to_owned(), 0),
        (
            "headers without end",
            "har",
            format!("{start}{request},\"headers\":[{{\"name\":\"a\"}}"),
            ",{\"name\":\"a\"}",
            format!("]{answer}{end}"),
            2,
        ),
        ("deep nothing", "har", r#"{"log":{"pages":"#.to_owned(), "[", String::new(), 2),
        ("a long name", "har", "{\"".to_owned(), "x", "\":1}".to_owned(), 2),
        ("one line", "access-log", String::new(), "x", String::new(), 2),
        (
            "one payload",
            "gor",
            format!("1 {:024x} 1767225600000000000\n", 1),
            "x",
            String::new(),
            13,
        ),
    ];
    for (what, format, before, piece, after, expected) in cases {
        // The longest payload is held; of all else a part.
        let (mib, most_mib) = if format == "gor" { (64, 300) } else { (24, 110) };
        let piece = piece.repeat((MIB / piece.len()).max(1));
        let fast = flate2::Compression::fast();
        let mut packed = flate2::write::GzEncoder::new(File::create(file).unwrap(), fast);
        packed.write_all(before.as_bytes()).unwrap();
        for _ in 0..mib {
            packed.write_all(piece.as_bytes()).unwrap();
        }
        packed.write_all(after.as_bytes()).unwrap();
        packed.finish().unwrap();
        let used = Used::by(&["import", format, file, "--out", out, "--force"]);
        assert_eq!(used.code, expected, "{what}");
        assert!(used.peak_kib < most_mib << 10, "{what}: {used:?}");
    }
}

/// Each separator was a reason to read the payload again.
#[test]
fn a_payload_of_separators_takes_no_time() {
    let folder = TempDir::new().unwrap();
    let [file, out] = ["in", "out.jsonl"].map(|name| folder.path().join(name));
    let [file, out] = [&file, &out].map(|path| path.to_str().unwrap());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n";
    let capture = format!("1 {:024x} 1767225600000000000\n{head}", 1);
    std::fs::write(file, capture + &"\n🐵🙈🙉\n".repeat(300_000)).unwrap();
    let used = Used::by(&["import", "gor", file, "--out", out]);
    // It ends without its body, so that nothing is left to import.
    assert_eq!(used.code, 2);
    assert!(used.seconds < 30.0, "{used:?}");
}
