//! From the lines of a session to what the engine runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trace::format as disk;

use super::capture::{Capture, CaptureFrom, Source};
use super::draft::Draft;
use super::error::PrepareError;
use super::line;
use super::marked::Marked;
use super::plan::{Bindings, TracePersona};
use super::select::Selection;
use super::serialise::template;
use super::session::{Recorded, Request, Session, Wait, number};
use super::template::Origin;
use run_log::format::{MAX_ENDPOINTS, MAX_PERSONAS};
use scenario::{Order, Pacing};

/// Makes sessions of lines.
pub(super) struct Builder {
    path: PathBuf,
    /// Of the target.
    origin: String,
    weights: HashMap<String, f64>,
    shapes: HashMap<String, usize>,
    endpoints: Endpoints,
    personas: Vec<TracePersona>,
    login_slots: HashMap<LoginValue, usize>,
    /// By persona, what is the same to a user, by name and whether it is secret.
    login_kinds: HashMap<(usize, String, bool), u32>,
    bindings: Bindings,
    order: Order,
    pacing: Pacing,
    marked: Option<Marked>,
}

/// A value that prologues of a persona give, whatever else is in them.
#[derive(PartialEq, Eq, Hash)]
struct LoginValue {
    persona: usize,
    /// The name of the route that gives it, and of the capture.
    route: String,
    name: String,
    /// How often the route gave one of this name before, in the same prologue.
    before: usize,
}

#[derive(Default)]
struct Endpoints {
    names: Vec<String>,
    by_name: HashMap<String, usize>,
}

impl Endpoints {
    fn index(&mut self, name: &str) -> usize {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        if self.names.len() == MAX_ENDPOINTS {
            return MAX_ENDPOINTS - 1;
        }
        let last = self.names.len() == MAX_ENDPOINTS - 1;
        self.names.push(if last { "other".to_owned() } else { name.to_owned() });
        self.by_name.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}

impl Builder {
    pub(super) fn new(
        path: &Path,
        origin: &str,
        header: &disk::Header,
        selection: &Selection,
    ) -> Self {
        Self {
            path: path.to_owned(),
            origin: origin.to_owned(),
            weights: header.personas.iter().map(|p| (p.name.clone(), p.weight)).collect(),
            shapes: header.shapes.keys().enumerate().map(|(i, key)| (key.clone(), i)).collect(),
            endpoints: Endpoints::default(),
            personas: Vec::new(),
            login_slots: HashMap::new(),
            login_kinds: HashMap::new(),
            bindings: Bindings::default(),
            order: selection.order,
            pacing: selection.pacing,
            marked: selection.marked.clone(),
        }
    }

    /// Notes what the requests of the session with this number need.
    pub(super) fn add(&mut self, number: usize, session: &Session, requests: &[Request]) {
        let persona = &mut self.personas[session.persona];
        persona.sessions.push(number);
        for origin in requests.iter().flat_map(|request| request.template.origins()) {
            persona.needs_account |= matches!(origin, Origin::Account(_));
            self.bindings.add(origin);
        }
    }

    /// What was learned of all sessions, once all of them were added.
    pub(super) fn summary(&mut self) -> (Vec<String>, Vec<TracePersona>, Bindings) {
        for persona in &mut self.personas {
            persona.sessions.sort_unstable();
            if !self.weights.contains_key(persona.name.as_str()) {
                persona.weight = persona.sessions.len() as f64;
            }
        }
        let bindings = std::mem::take(&mut self.bindings);
        (self.endpoints.names.clone(), self.personas.clone(), bindings)
    }

    fn persona(&mut self, name: &str) -> usize {
        if let Some(index) = self.personas.iter().position(|persona| persona.name == name) {
            return index;
        }
        self.personas.push(TracePersona {
            name: name.to_owned(),
            weight: self.weights.get(name).copied().unwrap_or_default(),
            sessions: Vec::new(),
            login_slots: Arc::default(),
            needs_account: false,
            account: None,
        });
        self.personas.len() - 1
    }

    /// A session of all its lines. The same lines give the same session again.
    pub(super) fn session(
        &mut self,
        lines: &[disk::Request],
    ) -> Result<(Session, Arc<[Request]>), PrepareError> {
        let Some((first, lines)) = lines.split_first() else {
            unreachable!("a session has a request")
        };
        let mut draft = self.begin(first)?;
        for line in lines {
            self.add_line(&mut draft, line)?;
        }
        Ok(draft.finish())
    }

    /// Begins a session with its first line.
    pub(super) fn begin(&mut self, line: &disk::Request) -> Result<Draft, PrepareError> {
        let persona = self.persona(line::persona(line));
        if persona >= MAX_PERSONAS {
            return Err(PrepareError::Request {
                path: self.path.clone(),
                id: line.id.clone(),
                message: format!(
                    "it is of one persona too many; at most {MAX_PERSONAS} are replayed"
                ),
            });
        }
        let mut draft = Draft::new(line.session.clone(), persona, line.at);
        self.add_line(&mut draft, line)?;
        Ok(draft)
    }

    /// Adds the next line of a session.
    pub(super) fn add_line(
        &mut self,
        draft: &mut Draft,
        line: &disk::Request,
    ) -> Result<(), PrepareError> {
        let persona = &mut self.personas[draft.persona];
        if persona.account.is_none() && line.account.is_some() {
            persona.account.clone_from(&line.account);
        }
        let added = self.request(draft, line).and_then(|request| draft.push(line, request));
        added.map_err(|message| PrepareError::Request {
            path: self.path.clone(),
            id: line.id.clone(),
            message,
        })?;
        self.bindings.add_ambiguous(line.bind.iter().filter(|bound| bound.ambiguous).count());
        Ok(())
    }

    /// Where the values that a line captures are kept.
    fn kept_in(&mut self, draft: &mut Draft, line: &disk::Request) -> Vec<Source> {
        let renews = draft.renews(line);
        let captures = line::captures(line).iter();
        captures
            .map(|capture| {
                if let Some(slot) = draft.renewed(&capture.name).filter(|_| renews) {
                    return Source::Login(slot);
                }
                if !draft.is_prologue(line) {
                    return draft.next_value();
                }
                let slot = self.login_slot(draft, line, capture);
                draft.gives(slot);
                if capture.secret {
                    draft.note_login(&capture.name, slot);
                }
                Source::Login(slot)
            })
            .collect()
    }

    /// Where a value of the prologue is kept. That is found by what it is, so that a user who goes
    /// on to a session with another prologue has it.
    fn login_slot(
        &mut self,
        draft: &mut Draft,
        line: &disk::Request,
        capture: &disk::Capture,
    ) -> usize {
        let persona = draft.persona;
        let (route, name) = (line.name.clone(), capture.name.clone());
        let before = draft.count_given(&route, &name);
        // The field without the objects around it.
        let field = name.rsplit(['.', ':']).next().unwrap_or_default().to_owned();
        let kinds = number(self.login_kinds.len());
        let kind = *self.login_kinds.entry((persona, field, capture.secret)).or_insert(kinds);
        let slots = Arc::make_mut(&mut self.personas[persona].login_slots);
        let value = LoginValue { persona, route, name, before };
        *self.login_slots.entry(value).or_insert_with(|| {
            slots.push(kind);
            slots.len() - 1
        })
    }

    /// What a line waits for: the answers that it needs, and what came before it, as far as its
    /// session's order is kept.
    fn waits(&self, draft: &mut Draft, line: &disk::Request) -> Result<Box<[Wait]>, String> {
        let mut waits = Vec::new();
        for binding in &line.bind {
            if let disk::Origin::Capture { of, .. } = &binding.from {
                draft.wait(line, &mut waits, draft.earlier(of)?, false);
            }
        }
        for of in &line.after {
            let earlier = draft.earlier(of)?;
            if self.order == Order::Session {
                draft.wait(line, &mut waits, earlier, true);
            }
        }
        let predecessor = draft.predecessor(line.at);
        if let Some(predecessor) = predecessor.filter(|_| self.pacing == Pacing::Closed) {
            draft.wait(line, &mut waits, predecessor, true);
        }
        // For each once.
        waits.sort_unstable_by_key(|wait| wait.request);
        waits.dedup_by(|other, kept| {
            let is_known = other.request == kept.request;
            kept.thinks |= is_known && other.thinks;
            is_known
        });
        Ok(waits.into())
    }

    fn request(&mut self, draft: &mut Draft, line: &disk::Request) -> Result<Request, String> {
        if draft.is_prologue(line) {
            draft.values.note_made(line);
        }
        let marked = self.marked.as_ref().filter(|of| of.is_for(line));
        let written = marked.map(|of| of.written(line)).transpose()?;
        let mark = marked.map(|_| Marked::key_of(line));
        let template = template(written.as_ref().unwrap_or(line), &self.origin, &draft.values)?;
        let waits = self.waits(draft, line)?;
        let captures = self
            .kept_in(draft, line)
            .into_iter()
            .zip(line::captures(line))
            .map(|(into, capture)| {
                let from = capture_from(&capture.from)?;
                Ok(Capture { into, from, is_secret: capture.secret })
            })
            .collect::<Result<_, String>>()?;
        let has_token =
            template.origins().any(|origin| matches!(origin, Origin::Captured(Source::Login(_))))
                && !line.prologue;
        Ok(Request {
            endpoint: self.endpoints.index(&line.name),
            template,
            // RFC 9110, section 9.2.2.
            idempotent: matches!(
                line.method.as_str(),
                "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS" | "TRACE"
            ),
            is_safe: disk::is_safe(&line.method),
            is_head: line.method == "HEAD",
            waits,
            // Known when the session is whole.
            dependents: Box::default(),
            next_free: 0,
            took_us: line.result.took_us(),
            captures,
            recorded: match &line.result {
                disk::RecordedResult::Answer(answer) => Some(Recorded {
                    status: answer.status,
                    shape: answer.shape.as_deref().and_then(|key| self.shapes.get(key)).copied(),
                }),
                disk::RecordedResult::Error(_) => None,
            },
            has_token,
            mark,
        })
    }
}

fn capture_from(from: &disk::CaptureFrom) -> Result<CaptureFrom, String> {
    Ok(match from {
        disk::CaptureFrom::Json { pointer, lists } => {
            let tokens = trace::pointer::tokens(pointer)
                .ok_or_else(|| format!("{pointer:?} is not a JSON pointer"))?;
            if lists.iter().any(|list| list.token >= tokens.len()) {
                return Err(format!("a list step lies outside of the JSON pointer {pointer:?}"));
            }
            CaptureFrom::Json { tokens, lists: lists.clone() }
        }
        disk::CaptureFrom::Header(name) => CaptureFrom::Header(name.clone()),
        disk::CaptureFrom::HeaderSegment { name, from_end } => {
            CaptureFrom::HeaderSegment { name: name.clone(), from_end: *from_end }
        }
        disk::CaptureFrom::Cookie(name) => CaptureFrom::Cookie(name.clone()),
        disk::CaptureFrom::Form(name) => CaptureFrom::Form(name.clone()),
        disk::CaptureFrom::Meta(name) => CaptureFrom::Meta(name.clone()),
        disk::CaptureFrom::Attribute(part) => CaptureFrom::Attribute(part.clone()),
        disk::CaptureFrom::Text { before, after } => {
            CaptureFrom::Text { before: before.clone(), after: after.clone() }
        }
    })
}
