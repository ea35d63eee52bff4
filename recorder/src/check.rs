//! Whether every request of a trace can be made again.
//!
//! Format, order, counts and digest are the reader's to check; here are the
//! bindings. Memory: id and captures of every request.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seeder::manifest::format::SECRET_FIELDS;

use crate::redact;
use crate::trace::format::{
    Answer, Binding, Body, Capture, CaptureFrom, End, Origin, Part, Request, Result as Outcome,
};
use crate::trace::reader::{ReadError, TraceReader};

/// Something that keeps a request from being replayed.
#[derive(Debug)]
pub struct Problem {
    pub line: u64,
    pub request: String,
    pub message: String,
}

/// Reads a trace to its end and hands over every problem of its requests.
///
/// # Errors
/// When the file is not a whole, undamaged trace.
pub fn check(path: &Path, mut report: impl FnMut(Problem)) -> Result<End, ReadError> {
    let mut reader = TraceReader::open(path)?;
    let shapes: HashSet<String> = reader.header().shapes.keys().cloned().collect();
    let mut checker = Checker { shapes, seen: HashMap::new(), past_prologue: HashSet::new() };
    while let Some(request) = reader.next_request()? {
        let line = reader.line();
        for message in checker.problems(&request) {
            report(Problem { line, request: request.id.clone(), message });
        }
        checker.add(request);
    }
    reader.finish()
}

struct Checker {
    shapes: HashSet<String>,
    seen: HashMap<String, Earlier>,
    /// Sessions that sent something after their prologue.
    past_prologue: HashSet<String>,
}

/// What is known of an earlier request.
struct Earlier {
    session: String,
    done_at: u64,
    /// Name, and whether it is secret.
    captures: Vec<(String, bool)>,
}

impl Checker {
    fn problems(&self, request: &Request) -> Vec<String> {
        let mut problems = Vec::new();
        if self.seen.contains_key(&request.id) {
            problems.push("its id is that of an earlier request".to_owned());
        }
        if request.prologue && self.past_prologue.contains(&request.session) {
            problems.push("it is part of the prologue, which is over".to_owned());
        }
        for of in &request.after {
            problems.extend(self.earlier(request, of).err());
        }
        for binding in &request.bind {
            problems.extend(self.binding(request, binding).err());
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

    fn earlier(&self, request: &Request, of: &str) -> Result<&Earlier, String> {
        let earlier = self.seen.get(of).filter(|earlier| earlier.session == request.session);
        let earlier = earlier
            .ok_or_else(|| format!("request {of} does not come before it in its session"))?;
        if earlier.done_at > request.at {
            return Err(format!("it was sent before the answer of request {of} was there"));
        }
        Ok(earlier)
    }

    fn binding(&self, request: &Request, binding: &Binding) -> Result<(), String> {
        let Binding { part, start, end, .. } = binding;
        let length = part_length(request, *part)
            .ok_or_else(|| format!("a binding is in {part:?}, which it does not have"))?;
        if start > end || *end > length {
            return Err(format!(
                "a binding at {start}..{end} is outside of {part:?}, {length} bytes"
            ));
        }
        let secret = match &binding.from {
            Origin::Capture { of, name } => {
                let captures = &self.earlier(request, of)?.captures;
                let capture = captures.iter().find(|(captured, _)| captured == name);
                capture.ok_or_else(|| format!("request {of} does not capture {name}"))?.1
            }
            Origin::Account(field) => {
                if request.account.is_none() {
                    return Err(format!("it needs {field} of an account and has none"));
                }
                SECRET_FIELDS.contains(&field.as_str())
            }
            Origin::Slot(_) => true,
            Origin::Clock(_) | Origin::Fresh { .. } => false,
        };
        if secret && start != end {
            return Err(format!("a secret stands in {part:?} at {start}..{end}"));
        }
        Ok(())
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

    fn add(&mut self, request: Request) {
        if !request.prologue && !self.past_prologue.contains(&request.session) {
            self.past_prologue.insert(request.session.clone());
        }
        let (took, captures) = match request.result {
            Outcome::Answer(answer) => (answer.total_us, answer.capture),
            Outcome::Error(error) => (error.after_us, Vec::new()),
        };
        let earlier = Earlier {
            session: request.session,
            done_at: request.at.saturating_add(took),
            captures: captures.into_iter().map(|c| (c.name, c.secret)).collect(),
        };
        self.seen.insert(request.id, earlier);
    }
}

fn answer(request: &Request) -> Option<&Answer> {
    match &request.result {
        Outcome::Answer(answer) => Some(answer),
        Outcome::Error(_) => None,
    }
}

fn part_length(request: &Request, part: Part) -> Option<usize> {
    match part {
        Part::Path => Some(request.path.len()),
        Part::Header(index) => request.headers.get(index).map(|(_, value)| value.len()),
        Part::Body => match request.body.as_ref()? {
            Body::Text(text) => Some(text.len()),
            Body::Base64(text) => STANDARD.decode(text).ok().map(|bytes| bytes.len()),
            Body::Truncated { .. } => None,
        },
    }
}

fn overlap(bindings: &[Binding]) -> Option<String> {
    let of = |a: &Binding, b: &Binding| a.part == b.part && a.start < b.end && b.start < a.end;
    let pair = bindings
        .iter()
        .enumerate()
        .find_map(|(index, a)| bindings[index + 1..].iter().find(|b| of(a, b)).map(|b| (a, b)));
    pair.map(|(a, b)| format!("bindings at {} and {} of {:?} overlap", a.start, b.start, a.part))
}

/// A header that is always secret and has nothing bound to it.
fn unbound_secret(request: &Request) -> Option<String> {
    let mut headers = request.headers.iter().enumerate();
    let found = headers.find(|(index, (name, _))| {
        redact::is_secret_name(name)
            && !request.bind.iter().any(|binding| binding.part == Part::Header(*index))
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
