//! Traces that every later version must read, and the schema that says what is in one.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use recorder::edit::check::check;
use serde_json::{Value, json};
use trace::format::{Origin, Request, SourceKind};
use trace::reader::TraceReader;
use trace::writer::TraceWriter;

use crate::world::read;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/traces").join(name)
}

fn schema() -> Validator {
    let text = include_str!("../../timed-request-log.schema.json");
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

const GOLDENS: [(&str, SourceKind); 12] = [
    ("personas.trace.jsonl", SourceKind::Personas),
    ("proxy.trace.jsonl", SourceKind::Proxy),
    ("chrome.trace.jsonl", SourceKind::Har),
    ("firefox.trace.jsonl", SourceKind::Har),
    ("safari.trace.jsonl", SourceKind::Har),
    ("charles.trace.jsonl", SourceKind::Har),
    ("fiddler.trace.jsonl", SourceKind::Har),
    ("insomnia.trace.jsonl", SourceKind::Har),
    ("gor.trace.jsonl", SourceKind::Gor),
    ("access-log.trace.jsonl", SourceKind::AccessLog),
    // Of minor 1.
    ("notes.trace.jsonl", SourceKind::Har),
    // Of minor 2.
    ("failing.trace.jsonl", SourceKind::AccessLog),
];

/// What the last nine were made of, and how.
const INPUTS: [(&str, &str, &str, &[&str]); 9] = [
    ("chrome", "har", "chrome.har", &[]),
    ("firefox", "har", "firefox.har", &[]),
    ("safari", "har", "safari.har", &[]),
    ("charles", "har", "charles.har", &[]),
    ("fiddler", "har", "fiddler.har", &[]),
    ("insomnia", "har", "insomnia.har", &[]),
    ("gor", "gor", "app.gor", &[]),
    ("failing", "access-log", "combined.log", &["--unit", "s"]),
    ("notes", "har", "notes.har", &[]),
];

#[test]
fn what_other_tools_recorded_is_imported_as_it_was() {
    let folder = tempfile::TempDir::new().unwrap();
    for (name, format, input, more) in INPUTS {
        let name = format!("{name}.trace.jsonl");
        let out = folder.path().join(&name);
        let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/imports").join(input);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_recorder"))
            .args(["import", format])
            .args([&input, Path::new("--out"), &out])
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{format}");
        let [one, other] =
            [&golden(&name), &out].map(|path| std::fs::read_to_string(path).unwrap());
        assert!(one == other, "{name} is not what it was");
    }
}

#[test]
fn goldens_are_read_and_written_again_byte_for_byte() {
    for (name, kind) in GOLDENS {
        let path = golden(name);
        let mut problems = Vec::new();
        let end = check(&path, |problem| problems.push(format!("{problem:?}"))).unwrap();
        assert_eq!(problems, [""; 0], "{name}");
        let header = TraceReader::open(&path).unwrap().header().clone();
        assert_eq!(header.sources[0].kind, kind);

        let folder = tempfile::TempDir::new().unwrap();
        let again = folder.path().join(name);
        let mut writer = TraceWriter::create_for(&again, &header, header.minor).unwrap();
        for request in read(&path) {
            writer.write(&request).unwrap();
        }
        assert_eq!(writer.finish(end.dropped).unwrap(), end);
        let [one, other] = [&path, &again].map(|path| std::fs::read_to_string(path).unwrap());
        assert!(one == other, "{name} is not what it was");
    }
}

/// Each kind of origin is in one of the goldens, so that a reader cannot lose one unnoticed.
#[test]
fn goldens_have_what_the_format_has() {
    let requests: Vec<Request> = GOLDENS.iter().flat_map(|(name, _)| read(&golden(name))).collect();
    let from = |is: fn(&Origin) -> bool| {
        requests.iter().flat_map(|request| &request.bind).filter(|b| is(&b.from)).count()
    };
    assert!(from(|origin| matches!(origin, Origin::Capture { .. })) > 0);
    assert!(from(|origin| matches!(origin, Origin::Account(_))) > 0);
    assert!(from(|origin| matches!(origin, Origin::Clock(_))) > 0);
    assert!(from(|origin| matches!(origin, Origin::Fresh { .. })) > 0);
    assert!(requests.iter().any(|request| request.prologue));
    assert!(from(|origin| matches!(origin, Origin::Slot(_))) > 0);
    let recorded = GOLDENS.iter().take(2).flat_map(|(name, _)| read(&golden(name)));
    assert!(recorded.into_iter().all(|request| request.account.is_some()));
}

#[test]
fn the_schema_holds_for_every_line_and_for_nothing_else() {
    let schema = schema();
    for (name, _) in GOLDENS {
        for (index, line) in std::fs::read_to_string(golden(name)).unwrap().lines().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap();
            let faults: Vec<_> = schema.iter_errors(&line).map(|e| e.to_string()).collect();
            assert_eq!(faults, [""; 0], "{name} line {}", index + 1);
            for broken in broken(&line) {
                assert!(!schema.is_valid(&broken), "{name} line {}: {broken}", index + 1);
            }
        }
    }
}

/// The line with a field that nobody knows, and without each of its fields that must be there.
fn broken(line: &Value) -> Vec<Value> {
    let fields = line.as_object().unwrap();
    let mut unknown = fields.clone();
    unknown.insert("colour".to_owned(), json!("red"));
    let optional = [
        "minor", "routes", "failures", "shapes", "persona", "account", "body", "bind", "after",
        "prologue",
    ];
    let less = fields.keys().filter(|key| !optional.contains(&key.as_str())).map(|key| {
        let mut less = fields.clone();
        less.remove(key);
        Value::Object(less)
    });
    less.chain([Value::Object(unknown)]).collect()
}

#[test]
fn the_schema_has_the_minor_as_a_number_that_may_be_absent() {
    let schema = schema();
    let text = std::fs::read_to_string(golden("proxy.trace.jsonl")).unwrap();
    let mut header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(header.get("minor").is_none(), "it is not written while it is 0");
    for (minor, is_valid) in [(json!(0), true), (json!(3), true), (json!("1"), false)] {
        header["minor"] = minor;
        assert_eq!(schema.is_valid(&header), is_valid, "{header}");
    }
}

/// What the format can hold beyond the goldens.
#[test]
fn the_schema_knows_every_origin_and_capture() {
    let schema = schema();
    let line = json!({
        "id": "r", "at": 1, "session": "s", "name": "GET /", "http": "2", "method": "GET",
        "path": "/", "headers": [["Accept", "*/*"]], "after": ["q"],
        "body": {"truncated": {"size": 9, "sha256": format!("sha256:{}", "0".repeat(64))}},
        "bind": [
            {"in": {"header": 0}, "start": 0, "end": 0, "from": {"slot": "key"}, "encode": "raw"},
            {"in": "path", "start": 0, "end": 1, "from": {"fresh": {"key": "k", "like": {"hex": 8}}}},
            {"in": "path", "start": 0, "end": 1, "from": {"fresh": {"key": "k", "like": {"digits": 8}}}},
            {"in": "path", "start": 0, "end": 1, "from": {"fresh": {"key": "k", "like": {"pattern": "AA-99"}}}, "ambiguous": true},
        ],
        "result": {"answer": {"status": 200, "header_us": 1, "total_us": 2, "size": 0, "capture": [
            {"name": "a", "from": {"header": "Location"}},
            {"name": "b", "from": {"header-segment": {"name": "Location", "from-end": 0}}},
            {"name": "c", "from": {"cookie": "sid"}, "secret": true},
            {"name": "d", "from": {"form": "csrf"}},
            {"name": "e", "from": {"meta": "csrf-token"}},
            {"name": "f", "from": {"attribute": {"name": "href", "before": "/note/", "after": "/", "digits": true, "index": 0, "length": 2}}},
            {"name": "g", "from": {"text": {"before": "id=", "after": "\n"}}},
        ]}},
    });
    assert!(schema.is_valid(&line));
    let request: Request = serde_json::from_value(line).unwrap();
    assert!(schema.is_valid(&serde_json::to_value(&request).unwrap()));
}
