//! Memory of the tools that work on traces, against a bound that is a part of what they read.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use trace::reader::TraceReader;
use trace::writer::TraceWriter;

use crate::world::Used;

const REQUESTS: u64 = 100_000;
const SESSIONS: u64 = 500;

/// Half as much again as the lines of the trace take: each held as it is read, they take some times
/// that.
const MOST_KIB: u64 = 72 << 10;

fn write(path: &Path) -> u64 {
    let header = serde_json::from_value(json!({
        "format": "timed-request-log", "version": "1", "tool": "test",
        "started": "2026-01-01T00:00:00Z", "sources": [{"kind": "proxy"}], "personas": [],
        "redaction": []
    }));
    let mut writer = TraceWriter::create(path, &header.unwrap()).unwrap();
    let mut bytes = 0;
    for number in 0..REQUESTS {
        let session = number % SESSIONS;
        let bind = match number.checked_sub(SESSIONS) {
            Some(of) => json!([{"in": "path", "start": 7, "end": 8,
                "from": {"capture": {"of": format!("request-{of}"), "name": "id"}}}]),
            None => json!([]),
        };
        let request = json!({
            "id": format!("request-{number}"), "at": number * 100,
            "session": format!("session-{session}"), "name": "GET /items/{id}", "http": "1.1",
            "method": "GET", "path": "/items/1", "bind": bind,
            "headers": [["User-Agent", "a browser whose name is about as long as they are"],
                ["Accept", "application/json, text/plain, */*"], ["Accept-Language", "en-GB,en;q=0.5"]],
            "result": {"answer": {"status": 200, "header_us": 100, "total_us": 200, "size": 300,
                "capture": [{"name": "id", "from": {"json": {"pointer": "/id"}}}]}}
        });
        bytes += request.to_string().len() as u64;
        writer.write(&serde_json::from_value(request).unwrap()).unwrap();
    }
    writer.finish(0).unwrap();
    bytes
}

#[test]
fn memory_does_not_grow_with_the_trace() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
    let [whole, part, both, log] = ["a.jsonl.zst", "b.jsonl.zst", "c.jsonl.zst", "log"].map(file);
    let bytes = write(Path::new(&whole));
    assert!(3 * bytes / 1024 > 2 * MOST_KIB, "{bytes}");
    let mut lines = String::new();
    for number in 0..REQUESTS {
        let second = number / 100 % 60;
        let minute = number / 6000;
        writeln!(
            lines,
            "192.0.2.{} - - [10/Oct/2026:13:{minute:02}:{second:02} +0000] \"GET /items/{number} HTTP/1.1\" 200 300 \"-\" \"agent-{}\"",
            number % 250,
            number % 3,
        )
        .unwrap();
    }
    std::fs::write(&log, lines).unwrap();
    for args in [
        &["inspect", &whole][..],
        &["check", &whole],
        &["cut", &whole, "--from", "1s", "--out", &part],
        &["merge", &whole, &part, "--out", &both],
        &["import", "access-log", &log, "--out", &part, "--force"],
    ] {
        let used = Used::by(args);
        assert_eq!(used.code, 0, "{}", args[0]);
        assert!(used.peak_kib < MOST_KIB, "{}: {used:?}", args[0]);
    }
    // Each needs the one before it in its session, so that the cut has all of them too.
    let merged = TraceReader::open(Path::new(&both)).unwrap().finish().unwrap();
    assert_eq!(merged.requests, 2 * REQUESTS);
}
