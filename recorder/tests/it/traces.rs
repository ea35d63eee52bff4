//! The trace's reader, writer and journal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;
use trace::finish::{RUN_BYTES, finish};
use trace::format::{
    self, Answer, Binding, Body, Capture, CaptureFrom, Encoding, Header, ListStep, Origin, Part,
    PersonaWeight, RecordedError, RecordedErrorKind, RecordedResult, Request, Source, SourceKind,
};
use trace::journal::{Journal, LateCapture};
use trace::order::Predecessors;
use trace::reader::{ReadError, TraceReader};
use trace::shape::Shape;
use trace::wire;
use trace::writer::{TraceWriter, WriteError};

pub(crate) fn header() -> Header {
    Header {
        format: format::FORMAT.to_owned(),
        version: format::VERSION.to_owned(),
        minor: 0,
        tool: "recorder test".to_owned(),
        started: "2026-11-23T22:00:00Z".parse().unwrap(),
        sources: vec![Source {
            kind: SourceKind::Personas,
            seed: Some(7),
            manifest: Some("sha256:00".to_owned()),
            input: None,
            target: Some("http://127.0.0.1:1".to_owned()),
            rewrites: Vec::new(),
        }],
        personas: vec![PersonaWeight { name: "A".to_owned(), weight: 0.3 }],
        redaction: vec!["authorization".to_owned()],
        routes: Vec::new(),
        failures: None,
        shapes: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn request(id: &str, at: u64) -> Request {
    Request {
        id: id.to_owned(),
        at,
        session: "s1".to_owned(),
        persona: Some("A".to_owned()),
        account: Some("a1".to_owned()),
        name: "GET /x".to_owned(),
        http: "1.1".to_owned(),
        method: "GET".to_owned(),
        path: "/x".to_owned(),
        headers: vec![("Accept".to_owned(), "*/*".to_owned())],
        body: None,
        bind: Vec::new(),
        after: Vec::new(),
        prologue: false,
        result: format::RecordedResult::Answer(Answer {
            status: 200,
            header_us: 10,
            total_us: 20,
            size: 2,
            shape: None,
            capture: Vec::new(),
            body: None,
        }),
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9/]{0,12}", any::<String>()]
}

fn captures() -> impl Strategy<Value = Vec<Capture>> {
    let from = prop_oneof![
        (text(), any::<bool>()).prop_map(|(pointer, list)| CaptureFrom::Json {
            pointer,
            lists: list.then_some(ListStep { token: 0, index: 3, length: 9 }).into_iter().collect(),
        }),
        text().prop_map(CaptureFrom::Header),
        text().prop_map(CaptureFrom::Cookie),
    ];
    let capture = (text(), from, any::<bool>()).prop_map(|(name, from, secret)| Capture {
        name,
        from,
        secret,
    });
    proptest::collection::vec(capture, 0..3)
}

fn results() -> impl Strategy<Value = format::RecordedResult> {
    prop_oneof![
        4 => (100..600u16, any::<u32>(), any::<u32>(), captures()).prop_map(
            |(status, header_us, size, capture)| format::RecordedResult::Answer(Answer {
                status,
                header_us: header_us.into(),
                total_us: u64::from(header_us) * 2,
                size: size.into(),
                shape: None,
                capture,
                body: None,
            })
        ),
        1 => Just(format::RecordedResult::Error(RecordedError {
            kind: RecordedErrorKind::Reset,
            after_us: 5,
        })),
    ]
}

/// Requests with unique ids at any times, in any order.
fn requests() -> impl Strategy<Value = Vec<Request>> {
    let one = (0..2000u64, text(), text(), proptest::option::of(text()), results()).prop_map(
        |(at, session, path, body, result)| Request {
            session,
            path: wire::encoded_target(&format!("/{path}")).into_owned(),
            bind: vec![Binding {
                part: Part::Header(0),
                start: 0,
                end: 3,
                from: Origin::Account("email".to_owned()),
                encode: Encoding::Json,
                ambiguous: false,
            }],
            body: body.map(Body::Text),
            result,
            ..request("", at)
        },
    );
    proptest::collection::vec(one, 0..40).prop_map(|mut requests| {
        for (index, request) in requests.iter_mut().enumerate() {
            request.id = format!("r{index:03}");
        }
        requests
    })
}

fn read_all(path: &Path) -> Result<(Header, Vec<Request>, format::End), ReadError> {
    let mut reader = TraceReader::open(path)?;
    let mut requests = Vec::new();
    while let Some(request) = reader.next_request()? {
        requests.push(request);
    }
    Ok((reader.header().clone(), requests, reader.finish()?))
}

fn write_trace(folder: &TempDir, name: &str, requests: &[Request]) -> PathBuf {
    let path = folder.path().join(name);
    let mut writer = TraceWriter::create(&path, &header()).unwrap();
    for request in requests {
        writer.write(request).unwrap();
    }
    writer.finish(0).unwrap();
    path
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_journal_in_any_order_becomes_the_ordered_trace(
        requests in requests(), run_bytes in 1..4000usize, zstd in any::<bool>(),
    ) {
        let folder = TempDir::new().unwrap();
        let trace = folder.path().join(if zstd { "t.jsonl.zst" } else { "t.jsonl" });
        let mut journal = Journal::create(&trace, &header()).unwrap();
        for request in &requests {
            journal.append(request).unwrap();
        }
        journal.flush().unwrap();
        drop(journal);
        let finished = finish(&Journal::path_for(&trace), run_bytes).unwrap();

        let (read_header, read, end) = read_all(&trace).unwrap();
        let mut expected = requests;
        expected.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let mut predecessors = Predecessors::default();
        expected.iter_mut().for_each(|request| predecessors.fill(request));
        prop_assert_eq!(&read, &expected);
        // Counted anew: the header says how much had failed, where that is over 1 %.
        let has_failed = |request: &&Request| match &request.result {
            RecordedResult::Answer(answer) => answer.status >= 400,
            RecordedResult::Error(error) => error.kind != RecordedErrorKind::StillOpen,
        };
        let failed = read.iter().filter(has_failed).count();
        let said = read_header.failures.as_ref().map(|of| (of.failed, of.requests));
        let is_said = failed * 100 > read.len();
        prop_assert_eq!(said, is_said.then_some((failed as u64, read.len() as u64)));
        let minor = header().minor;
        prop_assert_eq!(Header { failures: None, minor, ..read_header }, header());
        prop_assert_eq!(&end, &finished.end);
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the trace is left");
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), zstd in any::<bool>()) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(if zstd { "t.zst" } else { "t" });
        fs::write(&path, bytes).unwrap();
        prop_assert!(read_all(&path).is_err());
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(
        requests in requests(), at in any::<prop::sample::Index>(), bit in 0..8u8, zstd in any::<bool>(),
    ) {
        let mut requests = requests;
        requests.sort_by_key(|request| request.at);
        let folder = TempDir::new().unwrap();
        let path = write_trace(&folder, if zstd { "t.zst" } else { "t" }, &requests);
        let mut bytes = fs::read(&path).unwrap();
        let end_line = bytes.len() - bytes.iter().rev().skip(1).take_while(|b| **b != b'\n').count() - 1;
        // Of the end line, white space and `dropped` may change and it still agrees.
        let range = if zstd { bytes.len() } else { end_line };
        let at = at.index(range);
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        match read_all(&path) {
            Err(error) => prop_assert!(error.to_string().contains(&*path.to_string_lossy())),
            // zstd: a bit of its header that changes nothing of the content.
            Ok((_, read, _)) => prop_assert!(zstd && read == requests),
        }
    }

    #[test]
    fn a_journal_cut_anywhere_gives_its_whole_lines(
        requests in requests(), cut in any::<prop::sample::Index>(),
    ) {
        let folder = TempDir::new().unwrap();
        let trace = folder.path().join("t.jsonl");
        let mut journal = Journal::create(&trace, &header()).unwrap();
        for request in &requests {
            journal.append(request).unwrap();
        }
        journal.flush().unwrap();
        drop(journal);
        let part = Journal::path_for(&trace);
        let bytes = fs::read(&part).unwrap();
        // Header and the count of what was dropped.
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let head = ends.map(|(at, _)| at + 1).nth(1).unwrap();
        let kept = head + cut.index(bytes.len() - head + 1);
        fs::write(&part, &bytes[..kept]).unwrap();

        let finished = finish(&part, RUN_BYTES).unwrap();
        let lines = bytes[..kept].iter().filter(|b| **b == b'\n').count() as u64;
        prop_assert_eq!(finished.end.requests, lines - 2);
        prop_assert_eq!(finished.cut_line.is_some(), bytes[kept - 1] != b'\n');
        prop_assert_eq!(read_all(&trace).unwrap().1.len() as u64, lines - 2);
    }
}

/// As it stands in a header.
const VERSION: &str = r#""version":"1""#;

#[test]
fn late_captures_and_shapes_find_their_place() {
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("t.jsonl.zst");
    let mut journal = Journal::create(&trace, &header()).unwrap();
    let shape = Shape::of(&json!({"id": "x"}));
    let digest = journal.shape(shape.clone()).unwrap();
    assert_eq!(journal.shape(shape.clone()).unwrap(), digest.clone());
    journal.append(&request("b", 50)).unwrap();
    journal.append(&request("a", 50)).unwrap();
    journal.append(&request("c", 10)).unwrap();
    let capture = Capture {
        name: "id".to_owned(),
        from: CaptureFrom::Json { pointer: "/id".to_owned(), lists: Vec::new() },
        secret: true,
    };
    for of in ["a", "a"] {
        journal
            .capture(LateCapture { of: of.to_owned(), at: 50, capture: capture.clone() })
            .unwrap();
    }
    let part = Journal::path_for(&trace);
    assert_eq!(fs::metadata(&part).unwrap().permissions().mode() & 0o777, 0o600);
    journal.finish().unwrap();
    assert_eq!(fs::metadata(&trace).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!part.exists());

    let (header, requests, _) = read_all(&trace).unwrap();
    assert_eq!(header.shapes, [(digest, shape)].into());
    let ids: Vec<_> = requests.iter().map(|request| request.id.as_str()).collect();
    assert_eq!(ids, ["c", "a", "b"]);
    let captures = |index: usize| match &requests[index].result {
        format::RecordedResult::Answer(answer) => answer.capture.as_slice(),
        format::RecordedResult::Error(_) => &[],
    };
    assert_eq!(captures(1), [capture]);
    assert!(captures(2).is_empty());
}

#[test]
fn what_was_dropped_is_told_at_the_end_also_after_a_crash() {
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("t.jsonl");
    let mut journal = Journal::create(&trace, &header()).unwrap();
    journal.dropped(2).unwrap();
    journal.append(&request("a", 1)).unwrap();
    journal.dropped(7).unwrap();
    journal.flush().unwrap();
    drop(journal);
    assert_eq!(finish(&Journal::path_for(&trace), RUN_BYTES).unwrap().end.dropped, 7);
    assert_eq!(read_all(&trace).unwrap().2.dropped, 7);
}

#[test]
fn damage_inside_a_journal_is_told_with_file_and_line() {
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("t.jsonl");
    let part = Journal::path_for(&trace);
    let mut journal = Journal::create(&trace, &header()).unwrap();
    for id in ["a", "b", "c"] {
        journal.append(&request(id, 1)).unwrap();
    }
    assert!(
        Journal::create(&trace, &header()).unwrap_err().to_string().contains("recorder finish")
    );
    journal.flush().unwrap();
    let text = fs::read_to_string(&part).unwrap().replace("\"id\":\"b\"", "\"id\":b");
    fs::write(&part, &text).unwrap();
    let error = finish(&part, RUN_BYTES).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} line 4: expected value", part.display())), "{error}");
    assert!(!trace.exists());
    assert_eq!(fs::read_to_string(&part).unwrap(), text, "the journal stays");
}

proptest! {
    #[test]
    fn a_damaged_journal_becomes_a_whole_trace_or_an_error(
        requests in requests(),
        place in any::<prop::sample::Index>(),
        damage in damages(),
    ) {
        let folder = TempDir::new().unwrap();
        let trace = folder.path().join("t.jsonl");
        let part = Journal::path_for(&trace);
        let mut journal = Journal::create(&trace, &header()).unwrap();
        for request in &requests {
            journal.append(request).unwrap();
        }
        journal.flush().unwrap();
        drop(journal);
        damage.apply(&part, place);
        match finish(&part, 1 << 10) {
            Ok(finished) => {
                let read = read_all(&trace).unwrap();
                prop_assert_eq!(read.2, finished.end);
                prop_assert!(read.1.len() <= requests.len());
            }
            Err(_) => prop_assert!(part.exists() && !trace.exists(), "nothing is lost"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut,
    Byte(u8),
    Insert(u8),
    Remove,
}

fn damages() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Cut),
        any::<u8>().prop_map(Damage::Byte),
        any::<u8>().prop_map(Damage::Insert),
        Just(Damage::Remove),
    ]
}

impl Damage {
    fn apply(self, path: &Path, place: prop::sample::Index) {
        let mut bytes = fs::read(path).unwrap();
        let place = place.index(bytes.len());
        match self {
            Self::Cut => bytes.truncate(place),
            Self::Byte(byte) => bytes[place] = byte,
            Self::Insert(byte) => bytes.insert(place, byte),
            Self::Remove => drop(bytes.remove(place)),
        }
        fs::write(path, bytes).unwrap();
    }
}

/// As a signal leaves it that comes before its first line is written.
#[test]
fn an_empty_journal_is_incomplete_and_is_to_be_removed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.jsonl.part");
    fs::write(&path, "").unwrap();
    let error = trace::finish::finish(&path, 1 << 20).unwrap_err();
    assert!(error.to_string().contains("ended before anything was kept; remove it"), "{error}");
    assert_eq!(recorder::Error::from(error).exit(), common::exit::Exit::Incomplete);
}

#[test]
fn readers_tell_what_is_wrong_and_where() {
    let folder = TempDir::new().unwrap();
    let whole =
        fs::read_to_string(write_trace(&folder, "t.jsonl", &[request("a", 1), request("b", 2)]))
            .unwrap();
    let path = folder.path().join("bad.jsonl");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without_end = lines[..3].concat();
    let cases = [
        (String::new(), "line 1: the file is empty"),
        (
            "GET / HTTP/1.1\r\n".to_owned(),
            "line 1: not the header of a trace: expected value in column 1",
        ),
        (
            whole.replacen("timed-request-log", "har", 1),
            "has format \"har\", expected \"timed-request-log\"",
        ),
        (
            whole.replacen(VERSION, r#""version":"2""#, 1),
            "has version 2, this tool reads 1; use the newer tool",
        ),
        (
            whole.replacen(VERSION, r#""version":"1-draft""#, 1),
            "has version 1-draft, this tool reads 1; record again",
        ),
        (whole.replacen("\"at\":1", "\"at\":3", 1), "line 3: it is not in the order of at"),
        (whole.replacen("\"method\":\"GET\",", "", 1), "line 2: missing field `method`"),
        (
            whole.replacen("\"requests\":2", "\"requests\":3", 1),
            "line 4: it counts 3 requests, there are 2",
        ),
        (
            whole.replacen("GET /x", "GET /y", 1),
            "line 4: the digest is not that of the lines before it",
        ),
        (format!("{whole}\n"), "line 5: something follows the end line"),
        (without_end.clone(), "ends after line 3 without its end line"),
        (without_end[..without_end.len() - 9].to_owned(), "ends after line 2 without its end line"),
    ];
    for (text, expected) in cases {
        fs::write(&path, &text).unwrap();
        let error = read_all(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
        assert!(error.starts_with(&*path.to_string_lossy()), "{error}");
    }
    let missing = read_all(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, ReadError::Io { .. }), "{missing}");
}

#[test]
fn a_compressed_trace_that_was_cut_is_incomplete_and_not_damaged() {
    let folder = TempDir::new().unwrap();
    let requests: Vec<_> = (0..20_000).map(|n| request(&format!("r{n}"), n)).collect();
    let path = write_trace(&folder, "t.zst", &requests);
    let bytes = fs::read(&path).unwrap();
    for kept in [bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..kept]).unwrap();
        let error = read_all(&path).unwrap_err();
        assert!(matches!(error, ReadError::Incomplete { .. }), "{error}");
    }
}

#[test]
fn a_writer_refuses_what_no_reader_would_take() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.jsonl");
    let mut writer = TraceWriter::create(&path, &header()).unwrap();
    writer.write(&request("a", 2)).unwrap();
    assert!(matches!(writer.write(&request("b", 1)), Err(WriteError::Order { at: 1, .. })));
    let long = Request { body: Some(Body::Text("x".repeat(17 << 20))), ..request("c", 3) };
    assert!(matches!(writer.write(&long), Err(WriteError::TooLong { .. })));
    assert!(!path.exists(), "no trace has this name until it is finished");
}

#[test]
fn who_logs_in_later_was_the_same_before() {
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("t.jsonl");
    let mut journal = Journal::create(&trace, &header()).unwrap();
    let unknown = |id: &str, at: u64| Request { account: None, persona: None, ..request(id, at) };
    let other = Request { session: "s2".to_owned(), ..unknown("r0", 5) };
    let login = Request { prologue: true, ..request("r3", 30) };
    for line in [&unknown("r1", 10), &login, &unknown("r2", 20), &unknown("r4", 40), &other] {
        journal.append(line).unwrap();
    }
    journal.finish().unwrap();
    let read: Vec<_> = crate::world::read(&trace)
        .into_iter()
        .map(|r| (r.id, r.account.as_deref() == Some("a1"), r.prologue))
        .collect();
    let expected = [
        ("r0", false, false),
        ("r1", true, true),
        ("r2", true, true),
        ("r3", true, true),
        ("r4", true, false),
    ];
    assert_eq!(read, expected.map(|(id, known, prologue)| (id.to_owned(), known, prologue)));
}

/// Replay shares users among personas: no session is of none.
#[test]
fn who_is_known_by_nothing_is_of_a_persona_too() {
    let unknown = |id, session: &str| Request {
        session: session.to_owned(),
        persona: None,
        account: None,
        ..request(id, 7)
    };
    let known = Request { session: "s9".to_owned(), ..request("r9", 9) };
    let all = vec![unknown("r1", "s1"), unknown("r2", "s2"), unknown("r3", "s2")];
    let some = [all.clone(), vec![known]].concat();
    for (requests, expected) in
        [(all, vec![("all", 2.0)]), (some, vec![("A", 1.0), ("anonymous", 2.0)])]
    {
        let folder = TempDir::new().unwrap();
        let trace = folder.path().join("t.jsonl");
        let header = Header { personas: Vec::new(), ..header() };
        let mut journal = Journal::create(&trace, &header).unwrap();
        requests.iter().for_each(|request| journal.append(request).unwrap());
        journal.finish().unwrap();
        let (header, read, _) = read_all(&trace).unwrap();
        let personas =
            header.personas.iter().map(|persona| (persona.name.as_str(), persona.weight));
        assert_eq!(personas.collect::<Vec<_>>(), expected);
        let of = |request: &Request| request.persona.clone().unwrap();
        assert!(read.iter().all(|request| expected.iter().any(|(name, _)| *name == of(request))));
    }
}
