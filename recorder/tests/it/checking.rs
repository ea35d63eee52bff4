//! `check` finds each fault that would keep a request from being replayed.

use recorder::edit::check::check;
use tempfile::TempDir;
use trace::format::{
    Binding, Body, Capture, CaptureFrom, Encoding, ListStep, Origin, Part, RecordedResult, Request,
};
use trace::writer::TraceWriter;

use crate::traces::{header, request};

fn bound(part: Part, start: usize, end: usize, from: Origin) -> Binding {
    Binding { part, start, end, from, encode: Encoding::Raw, ambiguous: false }
}

fn token(of: &str) -> Origin {
    Origin::Capture { of: of.to_owned(), name: "token".to_owned() }
}

/// A login at 0 that takes 20 µs, and a request at 100 with its token.
fn session() -> Vec<Request> {
    let mut login = Request { prologue: true, ..request("r1", 0) };
    capture(
        &mut login,
        Capture {
            name: "token".to_owned(),
            from: CaptureFrom::Json {
                pointer: "/l/2/token".to_owned(),
                lists: vec![ListStep { token: 1, index: 2, length: 3 }],
            },
            secret: true,
        },
    );
    let next = Request {
        headers: vec![("Authorization".to_owned(), "Bearer ".to_owned())],
        bind: vec![bound(Part::Header(0), 7, 7, token("r1"))],
        body: Some(Body::Base64("aGVsbG8=".to_owned())),
        after: vec!["r1".to_owned()],
        ..request("r2", 100)
    };
    vec![login, next]
}

fn capture(request: &mut Request, capture: Capture) {
    match &mut request.result {
        RecordedResult::Answer(answer) => answer.capture.push(capture),
        RecordedResult::Error(_) => unreachable!("the requests here were answered"),
    }
}

fn problems(change: impl FnOnce(&mut Vec<Request>)) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.jsonl");
    let mut requests = session();
    change(&mut requests);
    let mut writer = TraceWriter::create(&path, &header()).unwrap();
    for request in &requests {
        writer.write(request).unwrap();
    }
    writer.finish(0).unwrap();
    let mut problems = Vec::new();
    check(&path, |problem| problems.push(format!("{} {}", problem.line, problem.message))).unwrap();
    problems
}

#[test]
fn a_good_trace_has_no_problems() {
    assert_eq!(problems(|_| {}), [""; 0]);
}

#[test]
fn each_fault_is_found_with_its_line() {
    type Change = fn(&mut Vec<Request>);
    let faults: [(&str, Change); 19] = [
        ("3 its id is that of an earlier request", |r| {
            r[1].id = "r1".to_owned();
            r[1].bind.clear();
            r[1].headers.clear();
            r[1].after.clear();
        }),
        ("3 request r9 does not come before it in its session", |r| {
            r[1].bind[0].from = token("r9");
        }),
        ("3 request r1 does not come before it in its session", |r| {
            r[0].session = "other".to_owned();
            r[1].after.clear();
        }),
        ("3 request r1 does not capture colour", |r| {
            r[1].bind[0].from = Origin::Capture { of: "r1".to_owned(), name: "colour".to_owned() };
        }),
        ("3 it was sent before the answer of request r1 was there", |r| {
            r[1].at = 19;
            r[1].after.clear();
        }),
        ("3 request r8 does not come before it in its session", |r| {
            r[1].after = vec!["r8".to_owned()];
        }),
        ("3 request r1 does not come before it in its session", |r| {
            r[0].session = "other".to_owned();
            r[1].bind.clear();
            r[1].headers.clear();
        }),
        ("3 it was sent before the answer of request r1 was there", |r| {
            r[1].at = 19;
            r[1].bind.clear();
            r[1].headers.clear();
        }),
        ("3 a binding is in Header(4), which it does not have", |r| {
            r[1].bind.push(bound(Part::Header(4), 0, 0, Origin::Slot("x".to_owned())));
        }),
        ("3 a binding at 3..2 is outside of Path, 2 bytes", |r| {
            r[1].bind.push(bound(Part::Path, 3, 2, Origin::Account("id".to_owned())));
        }),
        ("3 a binding at 0..6 is outside of Body, 5 bytes", |r| {
            r[1].bind.push(bound(Part::Body, 0, 6, Origin::Account("id".to_owned())));
        }),
        ("3 a secret stands in Body at 0..5", |r| {
            r[1].bind.push(bound(Part::Body, 0, 5, Origin::Account("password".to_owned())));
        }),
        ("3 a secret stands in Header(0) at 0..7", |r| r[1].bind[0].start = 0),
        ("3 bindings at 0 and 1 of Body overlap", |r| {
            for start in [0, 1] {
                let from = Origin::Account("email".to_owned());
                r[1].bind.push(bound(Part::Body, start, start + 2, from));
            }
        }),
        ("3 it needs email of an account and has none", |r| {
            r[1].account = None;
            r[1].bind.push(bound(Part::Body, 0, 1, Origin::Account("email".to_owned())));
        }),
        ("3 header Authorization holds a secret and is bound to nothing", |r| r[1].bind.clear()),
        ("3 its body is not base64", |r| r[1].body = Some(Body::Base64("?".to_owned()))),
        ("3 its body of 9 bytes was not kept", |r| {
            r[1].body = Some(Body::Truncated { size: 9, sha256: String::new() });
        }),
        ("2 the lists of \"/l/2/token\" do not agree with it", |r| {
            let lists = vec![ListStep { token: 1, index: 1, length: 3 }];
            let from = CaptureFrom::Json { pointer: "/l/2/token".to_owned(), lists };
            capture(&mut r[0], Capture { name: "x".to_owned(), from, secret: false });
        }),
    ];
    for (expected, change) in faults {
        assert_eq!(problems(change), [expected]);
    }
    let shape = problems(|r| match &mut r[0].result {
        RecordedResult::Answer(answer) => answer.shape = Some("0123".to_owned()),
        RecordedResult::Error(_) => unreachable!(),
    });
    assert_eq!(shape, ["2 shape 0123 is not in the header"]);
}
