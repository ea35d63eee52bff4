//! Traces made by hand.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use chrono::DateTime;
use trace::format::{
    Answer, Binding, Body, Capture, CaptureFrom, Encoding, End, FORMAT, Header, Origin, Part,
    PersonaWeight, RecordedResult, Request, Source, SourceKind, VERSION,
};
use trace::order::Predecessors;
use trace::shape::Shape;
use trace::writer::TraceWriter;

/// Has the answer to a request give a value that is no secret.
pub(crate) fn gives(request: &mut Request, name: &str, from: CaptureFrom) {
    answer(request).capture.push(Capture { name: name.to_owned(), from, secret: false });
}

/// A value of a JSON answer that stands in no list.
pub(crate) fn at(pointer: &str) -> CaptureFrom {
    CaptureFrom::Json { pointer: pointer.to_owned(), lists: vec![] }
}

/// Has a part of a request's path be what the answer to `of` gave under this name.
pub(crate) fn takes(request: &mut Request, range: Range<usize>, of: &str, name: &str) {
    request.bind.push(Binding {
        part: Part::Path,
        start: range.start,
        end: range.end,
        from: Origin::Capture { of: of.to_owned(), name: name.to_owned() },
        encode: Encoding::Percent,
        ambiguous: false,
    });
}

/// A login with the account's email and password, which gives a secret in a field of its JSON.
pub(crate) fn logs_in(id: &str, session: &str, at_ms: u64, path: &str, gives: &str) -> Request {
    let mut login = request(id, session, at_ms, "POST", path);
    login.prologue = true;
    login.headers.push(("Content-Type".into(), "application/json".into()));
    login.body = Some(Body::Text(r#"{"email":"","password":""}"#.into()));
    for (field, at) in [("email", 10), ("password", 24)] {
        login.bind.push(Binding {
            part: Part::Body,
            start: at,
            end: at,
            from: Origin::Account(field.into()),
            encode: Encoding::Json,
            ambiguous: false,
        });
    }
    let from = at(&format!("/{}", gives.replace('.', "/")));
    answer(&mut login).capture.push(Capture { name: gives.into(), from, secret: true });
    login
}

/// Has a request bear the token that the answer to `of` gave under this name.
pub(crate) fn bears(request: &mut Request, of: &str, name: &str) {
    request.headers.push(("Authorization".into(), "Bearer ".into()));
    request.bind.push(Binding {
        part: Part::Header(request.headers.len() - 1),
        start: 7,
        end: 7,
        from: Origin::Capture { of: of.to_owned(), name: name.to_owned() },
        encode: Encoding::Raw,
        ambiguous: false,
    });
}

/// Requests in any order; written by the time they were sent.
#[derive(Clone, Default)]
pub(crate) struct TraceBuilder {
    pub(crate) requests: Vec<Request>,
    pub(crate) weights: Vec<(&'static str, f64)>,
    /// Where one logs in, `/login` if it is not said.
    pub(crate) login: Option<&'static str>,
    /// What changed the requests before they were sent.
    pub(crate) rewrites: Vec<trace::format::Rewrite>,
    /// What the answers' shapes refer to.
    pub(crate) shapes: BTreeMap<String, Shape>,
}

impl TraceBuilder {
    /// One session: `(milliseconds, method, path)` each, answered 200 after 1 ms.
    pub(crate) fn session(mut self, name: &str, steps: &[(u64, &str, &str)]) -> Self {
        for (index, (at_ms, method, path)) in steps.iter().enumerate() {
            self.requests.push(request(&format!("{name}.{index}"), name, *at_ms, method, path));
        }
        self
    }

    /// As [`TraceBuilder::session`], after a login that gives a token which each step needs.
    pub(crate) fn session_with_login(mut self, name: &str, steps: &[(u64, &str, &str)]) -> Self {
        let path = self.login.unwrap_or("/login");
        let id = format!("{name}.login");
        self.requests.push(logs_in(&id, name, steps[0].0, path, "access_token"));
        for (index, (at_ms, method, path)) in steps.iter().enumerate() {
            let mut step = request(&format!("{name}.{index}"), name, *at_ms + 10, method, path);
            bears(&mut step, &id, "access_token");
            self.requests.push(step);
        }
        self
    }

    /// With the order of each session, as the recorder notes it.
    pub(crate) fn in_order(mut self) -> Self {
        self.requests.sort_by_key(|request| request.at);
        let mut predecessors = Predecessors::default();
        self.requests.iter_mut().for_each(|request| predecessors.fill(request));
        self
    }

    pub(crate) fn write(&self, path: &Path) -> End {
        let mut requests = self.requests.clone();
        requests.sort_by_key(|request| request.at);
        let weights =
            if self.weights.is_empty() { vec![("visitor", 1.0)] } else { self.weights.clone() };
        let header = Header {
            format: FORMAT.into(),
            version: VERSION.into(),
            minor: 0,
            tool: "test".into(),
            started: DateTime::UNIX_EPOCH,
            sources: vec![Source {
                kind: SourceKind::Personas,
                seed: None,
                manifest: Some("sha256:11".into()),
                input: None,
                target: None,
                rewrites: self.rewrites.clone(),
            }],
            personas: weights
                .into_iter()
                .map(|(name, weight)| PersonaWeight { name: name.into(), weight })
                .collect(),
            redaction: vec![],
            routes: vec![],
            failures: None,
            shapes: self.shapes.clone(),
        };
        let mut writer = TraceWriter::create(path, &header).unwrap();
        for request in &requests {
            writer.write(request).unwrap();
        }
        writer.finish(0).unwrap()
    }
}

pub(crate) fn request(id: &str, session: &str, at_ms: u64, method: &str, path: &str) -> Request {
    Request {
        id: id.into(),
        at: at_ms * 1000,
        session: session.into(),
        persona: Some("visitor".into()),
        account: None,
        name: format!("{method} {path}"),
        http: "1.1".into(),
        method: method.into(),
        path: path.into(),
        headers: vec![("Accept".into(), "application/json".into())],
        body: None,
        bind: vec![],
        after: vec![],
        prologue: false,
        result: RecordedResult::Answer(Answer {
            status: 200,
            header_us: 900,
            total_us: 1000,
            size: 2,
            shape: None,
            capture: vec![],
            body: None,
        }),
    }
}

pub(crate) fn answer(request: &mut Request) -> &mut Answer {
    match &mut request.result {
        RecordedResult::Answer(answer) => answer,
        RecordedResult::Error(_) => panic!("an answer was recorded"),
    }
}
