//! Whether every request of a trace can be replayed.
//!
//! The reader checks format, order, counts and digest; this checks the bindings. What is said
//! about a request is sorted by its id, on disk where there is much: memory is bounded, except for
//! the sessions' names.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redact::is_secret_field;
use serde::{Deserialize, Serialize};

use trace::format::{
    Answer, Binding, Body, Capture, CaptureFrom, End, Origin, Part, RecordedResult, Request,
};
use trace::reader::{ReadError, TraceReader};
use trace::sort::{Key, LineKind, Sorter};

/// Something that keeps a request from being replayed.
#[derive(Debug)]
pub struct Problem {
    pub line: u64,
    pub request: String,
    pub message: String,
}

/// Memory for what is sorted.
const RUN_BYTES: usize = 24 << 20;

/// Reads a trace to its end and reports every problem of its requests, in no particular order.
///
/// # Errors
/// When the file is not a whole, undamaged trace, or there is no room for temporary files.
pub fn check(path: &Path, mut report: impl FnMut(Problem)) -> Result<End, ReadError> {
    let io = |source: io::Error| ReadError::Io { path: path.to_owned(), source };
    let mut reader = TraceReader::open(path)?;
    let shapes: HashSet<String> = reader.header().shapes.keys().cloned().collect();
    let mut checker = Checker {
        shapes,
        said: Sorter::new(&std::env::temp_dir(), RUN_BYTES),
        past_prologue: HashSet::new(),
    };
    while let Some(request) = reader.next_request()? {
        let line = reader.line();
        for message in checker.problems(&request) {
            report(Problem { line, request: request.id.clone(), message });
        }
        checker.add(line, request).map_err(io)?;
    }
    let mut sorted = checker.said.sorted().map_err(io)?;
    let mut known: Option<(String, Definition)> = None;
    while let Some((key, said)) = sorted.next_line().map_err(io)? {
        let parse = |error: serde_json::Error| io(error.into());
        if key.kind == LineKind::Request {
            let definition: Definition = serde_json::from_slice(&said).map_err(parse)?;
            if known.as_ref().is_some_and(|(id, _)| *id == key.id) {
                let message = "its id is that of an earlier request".to_owned();
                report(Problem { line: definition.line, request: key.id, message });
            } else {
                known = Some((key.id, definition));
            }
        } else {
            let used: Use = serde_json::from_slice(&said).map_err(parse)?;
            let earlier = known.as_ref().filter(|(id, _)| *id == key.id).map(|(_, known)| known);
            if let Err(message) = used.check(&key.id, earlier) {
                report(Problem { line: used.line, request: used.by, message });
            }
        }
    }
    reader.finish()
}

struct Checker {
    shapes: HashSet<String>,
    /// Definitions and uses, by the id that they are about.
    said: Sorter,
    /// Sessions that sent something after their prologue.
    past_prologue: HashSet<String>,
}

/// What is known of a request that others may need.
#[derive(Serialize, Deserialize)]
struct Definition {
    line: u64,
    session: String,
    done_at: u64,
    /// Name, and whether it is secret.
    captures: Vec<(String, bool)>,
}

/// That a request needs another.
#[derive(Serialize, Deserialize)]
struct Use {
    line: u64,
    by: String,
    session: String,
    at: u64,
    /// The capture; none where it only has to come before.
    name: Option<String>,
    /// Where the value is stored, if it is: a secret must not be.
    place: Option<String>,
}

impl Use {
    fn check(&self, of: &str, earlier: Option<&Definition>) -> Result<(), String> {
        let earlier = earlier
            .filter(|earlier| earlier.session == self.session && earlier.line < self.line)
            .ok_or_else(|| format!("request {of} does not come before it in its session"))?;
        if earlier.done_at > self.at {
            return Err(format!("it was sent before the answer of request {of} was there"));
        }
        let Some(name) = &self.name else { return Ok(()) };
        let capture = earlier.captures.iter().find(|(captured, _)| captured == name);
        let (_, secret) = capture.ok_or_else(|| format!("request {of} does not capture {name}"))?;
        match &self.place {
            Some(place) if *secret => Err(format!("a secret stands in {place}")),
            _ => Ok(()),
        }
    }
}

impl Checker {
    /// What is wrong with a request by itself.
    fn problems(&self, request: &Request) -> Vec<String> {
        let mut problems = Vec::new();
        if request.prologue && self.past_prologue.contains(&request.session) {
            problems.push("it is part of the prologue, which is over".to_owned());
        }
        let body_length = body_length(request);
        for binding in &request.bind {
            problems.extend(binding_problem(request, body_length, binding));
        }
        problems.extend(overlap(&request.bind));
        problems.extend(unbound_secret(request));
        match (&request.body, answer(request)) {
            (Some(Body::Base64(text)), _) if STANDARD.decode(text).is_err() => {
                problems.push("its body is not base64".to_owned());
            }
            (Some(Body::Truncated { size, .. }), _) => {
                problems.push(format!("its body of {size} bytes was not kept"));
            }
            _ => {}
        }
        if let Some(answer) = answer(request) {
            problems.extend(self.answer(answer));
        }
        problems
    }

    fn answer(&self, answer: &Answer) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(shape) = &answer.shape
            && !self.shapes.contains(shape)
        {
            problems.push(format!("shape {shape} is not in the header"));
        }
        let mut names = HashSet::new();
        for capture in &answer.capture {
            if !names.insert(&capture.name) {
                problems.push(format!("it captures {} twice", capture.name));
            }
            problems.extend(pointer_problem(capture));
        }
        problems
    }

    /// Notes what the request gives and needs.
    fn add(&mut self, line: u64, request: Request) -> io::Result<()> {
        let Request { id, at, session, bind, after, prologue, result, .. } = request;
        if !prologue && !self.past_prologue.contains(&session) {
            self.past_prologue.insert(session.clone());
        }
        let bound = bind.into_iter().filter_map(|binding| {
            let place = (binding.start != binding.end).then(|| place(&binding));
            match binding.from {
                Origin::Capture { of, name } => Some((of, Some(name), place)),
                _ => None,
            }
        });
        for (of, name, place) in bound.chain(after.into_iter().map(|of| (of, None, None))) {
            let used = Use { line, by: id.clone(), session: session.clone(), at, name, place };
            // Sorted behind the definition that it needs.
            self.note(Key { at: 0, id: of, kind: LineKind::Capture }, &used)?;
        }
        let (took, captures) = match result {
            RecordedResult::Answer(answer) => (answer.total_us, answer.capture),
            RecordedResult::Error(error) => (error.after_us, Vec::new()),
        };
        let captures = captures.into_iter().map(|c| (c.name, c.secret)).collect();
        let definition = Definition { line, session, done_at: at.saturating_add(took), captures };
        self.note(Key { at: 0, id, kind: LineKind::Request }, &definition)
    }

    fn note(&mut self, key: Key, said: &impl Serialize) -> io::Result<()> {
        self.said.add(key, &serde_json::to_vec(said)?)
    }
}

fn place(binding: &Binding) -> String {
    format!("{:?} at {}..{}", binding.part, binding.start, binding.end)
}

/// What is wrong with a binding by itself.
fn binding_problem(
    request: &Request,
    body_length: Option<usize>,
    binding: &Binding,
) -> Option<String> {
    let Binding { part, start, end, .. } = binding;
    let length = match *part {
        Part::Path => Some(request.path.len()),
        Part::Header(index) => request.headers.get(index).map(|(_, value)| value.len()),
        Part::Body => body_length,
    };
    let Some(length) = length else {
        return Some(format!("a binding is in {part:?}, which it does not have"));
    };
    if start > end || *end > length {
        return Some(format!("a binding at {start}..{end} is outside of {part:?}, {length} bytes"));
    }
    let secret = match &binding.from {
        Origin::Account(field) => {
            if request.account.is_none() {
                return Some(format!("it needs {field} of an account and has none"));
            }
            is_secret_field(field)
        }
        Origin::Slot(_) => true,
        Origin::Capture { .. } | Origin::Clock(_) | Origin::Fresh { .. } => false,
    };
    (secret && start != end).then(|| format!("a secret stands in {}", place(binding)))
}

fn answer(request: &Request) -> Option<&Answer> {
    match &request.result {
        RecordedResult::Answer(answer) => Some(answer),
        RecordedResult::Error(_) => None,
    }
}

/// None where it has none whose bytes are known.
fn body_length(request: &Request) -> Option<usize> {
    match request.body.as_ref()? {
        Body::Text(text) => Some(text.len()),
        Body::Base64(text) => STANDARD.decode(text).ok().map(|bytes| bytes.len()),
        Body::Truncated { .. } => None,
    }
}

/// Two that have bytes in common, where there are such; a line may have very many.
fn overlap(bindings: &[Binding]) -> Option<String> {
    let mut sorted: Vec<&Binding> = bindings.iter().collect();
    sorted.sort_by_key(|binding| (binding.part, binding.start, binding.end));
    let mut longest: Option<&Binding> = None;
    for binding in sorted {
        match longest.filter(|earlier| earlier.part == binding.part) {
            Some(earlier) if binding.start < earlier.end => {
                let (a, b) = (earlier.start, binding.start);
                return Some(format!("bindings at {a} and {b} of {:?} overlap", binding.part));
            }
            _ => longest = Some(binding),
        }
    }
    None
}

/// A header with a secret name that is not bound.
fn unbound_secret(request: &Request) -> Option<String> {
    let bound: HashSet<usize> = request
        .bind
        .iter()
        .filter_map(|binding| match binding.part {
            Part::Header(index) => Some(index),
            Part::Path | Part::Body => None,
        })
        .collect();
    let mut headers = request.headers.iter().enumerate();
    let found = headers.find(|(index, (name, value))| {
        let is_secret = || redact::Names::default().verdict(name, value) == redact::Verdict::Secret;
        // A scheme without its credential is nothing that could be sent.
        (name.eq_ignore_ascii_case("authorization") || is_secret()) && !bound.contains(index)
    });
    found.map(|(_, (name, _))| format!("header {name} holds a secret and is bound to nothing"))
}

fn pointer_problem(capture: &Capture) -> Option<String> {
    let CaptureFrom::Json { pointer, lists } = &capture.from else { return None };
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Some(format!("{pointer:?} is not a JSON pointer"));
    }
    let tokens: Vec<&str> = pointer.split('/').skip(1).collect();
    let wrong = lists.iter().any(|list| {
        tokens.get(list.token).is_none_or(|token| *token != list.index.to_string())
            || list.index >= list.length
    });
    wrong.then(|| format!("the lists of {pointer:?} do not agree with it"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use trace::format::{ClockFormat, Encoding};

    use super::*;

    proptest! {
        #[test]
        fn bindings_overlap_if_any_two_do(
            places in proptest::collection::vec((0..3_usize, 0..12_usize, 0..4_usize), 0..6),
        ) {
            let part = |which| match which {
                0 => Part::Path,
                1 => Part::Header(0),
                _ => Part::Header(1),
            };
            let bindings: Vec<Binding> = places
                .into_iter()
                .map(|(which, start, length)| Binding {
                    part: part(which),
                    start,
                    end: start + length,
                    encode: Encoding::default(),
                    from: Origin::Clock(ClockFormat::UnixMillis),
                    ambiguous: false,
                })
                .collect();
            let any = bindings.iter().enumerate().any(|(index, a)| {
                bindings[index + 1..]
                    .iter()
                    .any(|b| a.part == b.part && a.start < b.end && b.start < a.end)
            });
            prop_assert_eq!(overlap(&bindings).is_some(), any);
        }
    }
}
