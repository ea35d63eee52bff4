//! Traces of a later minor version: what is read, what is refused, and what stays as it was.

use std::fs;
use std::path::{Path, PathBuf};

use recorder::edit::cut::{Selection, cut};
use recorder::edit::merge::{Align, merge};
use serde_json::{Value, json};
use tempfile::TempDir;
use trace::finish::{RUN_BYTES, finish};
use trace::format::{MINOR, RecordedErrorKind, RecordedResult, Request, SourceKind};
use trace::reader::TraceReader;
use trace::writer::TraceWriter;

use crate::traces::{header, request};
use crate::world::read;

/// The version after the one that this tool reads.
const LATER: u32 = MINOR + 1;

fn lines_of(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/traces").join(name);
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.pop();
    lines
}

/// Writes header and requests, and the end line that belongs to them.
fn write(path: &Path, lines: &[Value]) {
    let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let requests = &lines[1..];
    let mut sessions: Vec<_> = requests.iter().map(|line| line["session"].as_str()).collect();
    sessions.sort();
    sessions.dedup();
    let is_error = |line: &&Value| line["result"].get("error").is_some();
    let end = json!({"end": {
        "requests": requests.len(), "sessions": sessions.len(),
        "errors": requests.iter().filter(is_error).count(), "dropped": 0,
        "digest": common::digest::of(text.as_bytes()),
    }});
    text.push_str(&format!("{end}\n"));
    fs::write(path, text).unwrap();
}

/// Puts a field that nobody knows into every object that may have more fields.
fn add_fields(line: &mut Value) {
    let places = [
        "",
        "/sources/0",
        "/personas/0",
        "/result/answer",
        "/result/error",
        "/result/answer/capture/0",
        "/result/answer/capture/0/from/json",
        "/bind/0",
        "/bind/0/from/capture",
        "/bind/0/from/fresh",
    ];
    for place in places {
        if let Some(Value::Object(fields)) = line.pointer_mut(place) {
            fields.insert("colour".to_owned(), json!({"red": [1, 2]}));
        }
    }
}

#[test]
fn fields_of_a_later_minor_are_passed_over() {
    let folder = TempDir::new().unwrap();
    let (plain, newer) = (folder.path().join("plain.jsonl"), folder.path().join("newer.jsonl"));
    for name in ["personas.trace.jsonl", "proxy.trace.jsonl"] {
        let mut lines = lines_of(name);
        write(&plain, &lines);
        lines.iter_mut().for_each(add_fields);
        lines[0]["minor"] = json!(LATER);
        write(&newer, &lines);
        assert_eq!(read(&newer), read(&plain), "{name}");
        assert_eq!(TraceReader::open(&newer).unwrap().header().minor, LATER);
    }
}

#[test]
fn what_is_written_says_the_lowest_minor_that_suffices() {
    let folder = TempDir::new().unwrap();
    let minor_of = |minor, kind: &SourceKind| {
        let mut header = trace::format::Header { minor, ..header() };
        header.sources[0].kind = kind.clone();
        let path = folder.path().join("t.jsonl");
        TraceWriter::create(&path, &header).unwrap().finish(0).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.contains("minor"), !matches!(kind, SourceKind::Proxy), "{text}");
        TraceReader::open(&path).unwrap().header().minor
    };
    assert_eq!(minor_of(3, &SourceKind::Proxy), 0);
    assert_eq!(minor_of(3, &SourceKind::Other("pcap".to_owned())), 3);
}

/// The header comes first, so the writers have to know: `finish` and `merge` of all requests,
/// `cut` of those that it keeps.
#[test]
fn a_trace_says_the_minor_that_its_requests_need_and_no_higher_one() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let minor_of = |name: &str| TraceReader::open(&path(name)).unwrap().header().minor;
    let mut new = serde_json::to_value(request("a", 0)).unwrap();
    new["session"] = json!("s2");
    new["result"]["answer"]["capture"] = json!([{"name": "c", "from": {"meta": "csrf"}}]);
    let head = serde_json::to_value(header()).unwrap();
    let old = serde_json::to_value(request("b", 1)).unwrap();
    for (name, lines) in [("new", vec![&head, &new, &old]), ("old", vec![&head, &old])] {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(path(&format!("{name}.part")), text).unwrap();
        finish(&path(&format!("{name}.part")), RUN_BYTES).unwrap();
    }
    assert_eq!((minor_of("new"), minor_of("old")), (1, 0));
    let session =
        |name: &str| Selection { sessions: vec![name.to_owned()], ..Selection::default() };
    let of_old = request("b", 1).session;
    for (name, kept, minor) in [("cut-old", of_old.as_str(), 0), ("cut-new", "s2", 1)] {
        cut(&path("new"), &path(name), &session(kept), false).unwrap();
        assert_eq!(minor_of(name), minor, "{name}");
    }
    merge(&[path("old"), path("new")], &path("merged"), Align::Start).unwrap();
    assert_eq!(minor_of("merged"), 1);
    merge(&[path("old"), path("cut-old")], &path("plain"), Align::Start).unwrap();
    assert_eq!(minor_of("plain"), 0);
}

/// Everything that decides what is sent, once.
fn line() -> Value {
    let mut line = serde_json::to_value(request("r", 1)).unwrap();
    line["body"] = json!({"text": "x"});
    line["bind"] = json!([
        {"in": "path", "start": 0, "end": 1, "from": {"clock": "unix-millis"}, "encode": "raw"},
        {"in": "body", "start": 0, "end": 1, "from": {"fresh": {"key": "k", "like": "uuid"}}},
    ]);
    line["result"]["answer"]["capture"] = json!([{"name": "c", "from": {"cookie": "sid"}}]);
    line
}

/// Where an unknown kind may stand, one there, and what it is called.
fn unknown_kinds() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/body", json!({"gzip": "H4sI"}), "kind of body \"gzip\""),
        ("/bind/0/in", json!("trailer"), "place of a binding \"trailer\""),
        ("/bind/0/in", json!({"trailer": 1}), "place of a binding \"trailer\""),
        ("/bind/0/from", json!({"env": "HOME"}), "origin of a binding \"env\""),
        ("/bind/0/from", json!("nonce"), "origin of a binding \"nonce\""),
        ("/bind/0/from/clock", json!("http-date"), "clock format \"http-date\""),
        ("/bind/0/encode", json!("base64"), "encoding \"base64\""),
        ("/bind/1/from/fresh/like", json!("ulid"), "kind of fresh value \"ulid\""),
        ("/bind/1/from/fresh/like", json!({"words": 3}), "kind of fresh value \"words\""),
        ("/result", json!({"push": {}}), "kind of result \"push\""),
        ("/result/answer/capture/0/from", json!({"xpath": "//a"}), "source of a capture \"xpath\""),
    ]
}

/// The error of reading a trace with this line, and of finishing a journal with it.
fn errors(folder: &Path, minor: u32, line: &Value) -> [String; 2] {
    let mut head = serde_json::to_value(header()).unwrap();
    head["minor"] = json!(minor);
    let good = serde_json::to_value(request("a", 0)).unwrap();
    let [trace, part] = ["t.jsonl", "j.jsonl.part"].map(|name| folder.join(name));
    write(&trace, &[head.clone(), good.clone(), line.clone()]);
    fs::write(&part, format!("{head}\n{good}\n{line}\n")).unwrap();
    let mut reader = TraceReader::open(&trace).unwrap();
    reader.next_request().unwrap();
    let read = reader.next_request().unwrap_err().to_string();
    let finished = finish(&part, RUN_BYTES).unwrap_err().to_string();
    for (error, path) in [(&read, &trace), (&finished, &part)] {
        assert!(error.starts_with(&format!("{} line 3: ", path.display())), "{error}");
    }
    [read, finished]
}

#[test]
fn an_unknown_kind_that_changes_what_is_sent_is_refused_with_the_minor_that_is_needed() {
    let folder = TempDir::new().unwrap();
    for (place, kind, name) in unknown_kinds() {
        let mut line = line();
        *line.pointer_mut(place).unwrap() = kind;
        for error in errors(folder.path(), LATER, &line) {
            let expected = format!(
                "the {name} needs minor {LATER} or later of the format; this tool reads minor \
                 {MINOR}: use a newer recorder or replayer"
            );
            assert!(error.ends_with(&expected), "{error}");
        }
        // Of a minor that this tool knows all of, it is damage.
        for error in errors(folder.path(), MINOR, &line) {
            assert!(error.ends_with(&format!("line 3: unknown {name}")), "{error}");
        }
    }
}

#[test]
fn what_else_is_wrong_in_a_later_minor_is_damage() {
    let folder = TempDir::new().unwrap();
    let mut line = line();
    line["at"] = json!("now");
    for error in errors(folder.path(), LATER, &line) {
        assert!(error.contains("line 3: invalid type: string \"now\""), "{error}");
    }
    let long = "y".repeat(1000);
    line = self::line();
    line["body"] = json!({long: 1});
    for error in errors(folder.path(), LATER, &line) {
        assert!(error.len() < 400, "{error}");
    }
}

#[test]
fn a_journal_line_of_an_unknown_kind_is_refused_with_the_minor_that_is_needed() {
    let folder = TempDir::new().unwrap();
    for (line, name) in [
        (json!({"rebind": {"of": "a"}}), "kind of line \"rebind\""),
        (
            json!({"capture": {"of": "a", "at": 0, "name": "c", "from": {"xpath": "//a"}}}),
            "source of a capture \"xpath\"",
        ),
    ] {
        let [_, error] = errors(folder.path(), LATER, &line);
        assert!(error.contains(&format!("the {name} needs minor {LATER}")), "{error}");
    }
}

/// A trace of a later minor with a source and an error that nobody knows.
fn of_unknown_origin(folder: &Path) -> PathBuf {
    let mut head = serde_json::to_value(header()).unwrap();
    head["minor"] = json!(LATER);
    head["sources"][0]["kind"] = json!("pcap");
    let mut failed = serde_json::to_value(request("b", 1)).unwrap();
    failed["result"] = json!({"error": {"kind": "refused-stream", "after_us": 3}});
    let path = folder.join("later.jsonl");
    write(&path, &[head, serde_json::to_value(request("a", 0)).unwrap(), failed]);
    path
}

#[test]
fn unknown_kinds_that_only_tell_where_it_came_from_survive_cut_and_merge() {
    let folder = TempDir::new().unwrap();
    let later = of_unknown_origin(folder.path());
    let [cut_to, plain, merged] = ["cut", "plain", "merged"].map(|name| folder.path().join(name));
    cut(&later, &cut_to, &Selection::default(), false).unwrap();
    let mut writer = TraceWriter::create(&plain, &header()).unwrap();
    writer.write(&Request { session: "s2".to_owned(), ..request("z", 5) }).unwrap();
    writer.finish(0).unwrap();
    merge(&[plain, later.clone()], &merged, Align::Start).unwrap();
    for path in [&later, &cut_to, &merged] {
        let header = TraceReader::open(path).unwrap().header().clone();
        let kinds: Vec<_> = header.sources.into_iter().map(|source| source.kind).collect();
        assert!(kinds.contains(&SourceKind::Other("pcap".to_owned())), "{kinds:?}");
        assert_eq!(header.minor, LATER);
        let failed = read(path).into_iter().find(|request| request.id == "b").unwrap();
        let RecordedResult::Error(error) = failed.result else { panic!("it was an error") };
        assert_eq!(error.kind, RecordedErrorKind::Other("refused-stream".to_owned()));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(r#""kind":"pcap""#) && text.contains(r#""kind":"refused-stream""#));
    }
}
