//! Makes the trace of a journal.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use common::output::folder;

use super::error::{JournalError, ReadError, WriteError};
use super::failures::FailureCount;
use super::format::{End, Failures, Header, PersonaWeight, RecordedResult, Request};
use super::header::{input_error, read_header};
use super::lines::{FoundLine, Lines};
use super::minor;
use super::note::{LateCapture, Note};
use super::order::Predecessors;
use super::routes::{Named, Routes};
use super::sort::{Key, LineKind, Sorter};
use super::unknown;
use super::wire;
use super::writer::TraceWriter;

/// Memory for sorting; larger journals are sorted in runs of this size on the disk.
pub const RUN_BYTES: usize = 64 << 20;

/// The persona of all sessions of a recording that knows of none.
pub const ALL: &str = "all";

/// That of sessions without an account, where others have one.
const ANONYMOUS: &str = "anonymous";

/// A trace made of a journal.
#[derive(Debug)]
pub struct Finished {
    pub path: PathBuf,
    pub end: End,
    /// Number of a last line that was cut off, and so left out.
    pub cut_line: Option<u64>,
    /// As the header says it.
    pub failures: Option<Failures>,
}

/// Who a session turned out to be, and until when it was logging in: what only its later
/// lines say of its earlier ones.
#[derive(Default)]
struct Login {
    persona: Option<String>,
    account: Option<String>,
    /// When the last request of its login was sent.
    prologue: Option<u64>,
}

impl Login {
    fn learn(&mut self, request: &Request) {
        if self.account.is_none() && request.account.is_some() {
            self.persona.clone_from(&request.persona);
            self.account.clone_from(&request.account);
        }
        if self.persona.is_none() && request.persona.is_some() {
            self.persona.clone_from(&request.persona);
        }
        if request.prologue {
            self.prologue = self.prologue.max(Some(request.at));
        }
    }

    /// Whoever logs in later was the same before, and what came before is part of the login.
    fn tell(&self, request: &mut Request) {
        if request.account.is_none() && self.account.is_some() {
            request.persona.clone_from(&self.persona);
            request.account.clone_from(&self.account);
        }
        if request.persona.is_none() {
            request.persona.clone_from(&self.persona);
        }
        request.prologue |= self.prologue.is_some_and(|last| request.at <= last);
    }
}

/// Makes the trace `FILE` of the journal `FILE.part` and removes the journal.
/// Routes are named by what varies in all of them. Memory: `run_bytes`, the shapes, the tree of
/// [`Routes`], and for each session its name, account, persona and last exchange.
///
/// # Errors
/// When the journal is damaged elsewhere than at its end, or the trace cannot
/// be written. The journal stays as it is then.
pub fn finish(journal: &Path, run_bytes: usize) -> Result<Finished, JournalError> {
    let trace = match journal.extension() {
        Some(extension) if extension == "part" => journal.with_extension(""),
        _ => return Err(JournalError::Name { path: journal.to_owned() }),
    };
    let io = |source| WriteError::Io { path: trace.clone(), source };
    let scanned = scan(journal, folder(&trace), run_bytes)?;
    let Scanned { mut header, sorter, mut sessions, cut_line, dropped, minor, named } = scanned;
    name_personas(&mut header, &mut sessions);
    let mut writer = TraceWriter::create_for(&trace, &header, minor)?;
    let mut sorted = sorter.sorted().map_err(io)?;
    let mut predecessors = Predecessors::default();
    let mut waiting: Option<Request> = None;
    while let Some((key, line)) = sorted.next_line().map_err(io)? {
        // These lines were parsed before: only memory or disk faults make them unreadable.
        let parse = |error: serde_json::Error| io(error.into());
        match key.kind {
            LineKind::Request => {
                let mut request: Request = serde_json::from_slice(&line).map_err(parse)?;
                if let Some(known) = sessions.get(&request.session) {
                    known.tell(&mut request);
                }
                predecessors.fill(&mut request);
                if let Some(name) = named.of(&request.name) {
                    request.name = name;
                }
                if let Some(request) = waiting.replace(request) {
                    writer.write(&request)?;
                }
            }
            LineKind::Capture => {
                let Note::Capture(late) = serde_json::from_slice(&line).map_err(parse)? else {
                    continue;
                };
                if let Some(request) = &mut waiting {
                    add_capture(request, late);
                }
            }
        }
    }
    if let Some(request) = waiting {
        writer.write(&request)?;
    }
    let end = writer.finish(dropped)?;
    std::fs::remove_file(journal)
        .map_err(|source| WriteError::Io { path: journal.to_owned(), source })?;
    Ok(Finished { path: trace, end, cut_line, failures: header.failures })
}

/// Has no session go without a persona: replay shares users among them.
fn name_personas(header: &mut Header, sessions: &mut HashMap<String, Login>) {
    let is_known = sessions.values().any(|session| session.persona.is_some());
    let unknown = if is_known { ANONYMOUS } else { ALL };
    let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
    for session in sessions.values_mut() {
        let persona = session.persona.get_or_insert_with(|| unknown.to_owned());
        *weights.entry(persona).or_default() += 1.0;
    }
    if header.personas.is_empty() {
        let weights = weights.into_iter();
        header.personas =
            weights.map(|(name, weight)| PersonaWeight { name: name.to_owned(), weight }).collect();
    }
}

/// The request of a capture is the one before it, unless it ended without answer.
fn add_capture(request: &mut Request, late: LateCapture) {
    if let Request { id, result: RecordedResult::Answer(answer), .. } = request
        && *id == late.of
        && answer.capture.iter().all(|capture| capture.name != late.capture.name)
    {
        answer.capture.push(late.capture);
    }
}

struct Scanned {
    header: Header,
    sorter: Sorter,
    sessions: HashMap<String, Login>,
    cut_line: Option<u64>,
    dropped: u64,
    /// What the requests need of the format.
    minor: u32,
    named: Named,
}

/// Reads and checks every line of a journal.
fn scan(path: &Path, temporary: &Path, run_bytes: usize) -> Result<Scanned, JournalError> {
    let file = common::input::open(path)
        .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, file));
    let first = lines.next();
    if matches!(first, Ok(FoundLine::Nothing)) {
        return Err(JournalError::Empty { path: path.to_owned() });
    }
    let mut header = read_header(path, first, &lines)?;
    let mut shapes = BTreeMap::new();
    let mut dropped = 0;
    let mut sessions: HashMap<String, Login> = HashMap::new();
    let mut sorter = Sorter::new(temporary, run_bytes);
    let mut needed = 0;
    let mut failures = FailureCount::default();
    let mut routes = Routes::new(header.routes.iter().cloned());
    let is_named = header.is_of_scripts();
    let cut_line = loop {
        match lines.next().map_err(|error| input_error(path, lines.number(), error))? {
            FoundLine::Whole => {}
            FoundLine::Nothing => break None,
            FoundLine::Cut => break Some(lines.number()),
            FoundLine::TooLong => {
                return Err(damaged(path, &lines, "the line is longer than 16 MiB"));
            }
        }
        let bytes = lines.bytes();
        let unreadable = |error: &serde_json::Error| {
            unknown::reason(path, (lines.number(), bytes), header.minor, error)
        };
        let key = if Note::begins(bytes) {
            match serde_json::from_slice(bytes) {
                Ok(Note::Shape(shape)) => {
                    shapes.insert(shape.digest(), shape);
                    continue;
                }
                Ok(Note::Dropped(so_far)) => {
                    dropped = dropped.max(so_far);
                    continue;
                }
                Ok(Note::Capture(late)) => {
                    needed = needed.max(minor::of_capture(&late.capture.from));
                    Key { at: late.at, id: late.of, kind: LineKind::Capture }
                }
                Err(error) => return Err(unreadable(&error).into()),
            }
        } else {
            match serde_json::from_slice::<Request>(bytes) {
                Ok(request) => {
                    wire::check(&request).map_err(|why| damaged(path, &lines, why.to_string()))?;
                    sessions.entry(request.session.clone()).or_default().learn(&request);
                    needed = needed.max(minor::of_request(&request));
                    failures.add(&request);
                    if !is_named {
                        routes.add(&request.name);
                    }
                    Key { at: request.at, id: request.id, kind: LineKind::Request }
                }
                Err(error) => return Err(unreadable(&error).into()),
            }
        };
        sorter
            .add(key, bytes)
            .map_err(|source| WriteError::Io { path: temporary.to_owned(), source })?;
    };
    header.shapes = shapes;
    let named = routes.named();
    // Routes that differ by an id alone are one by now.
    header.failures = failures.noted(|name| named.of(name));
    Ok(Scanned { header, sorter, sessions, cut_line, dropped, minor: needed, named })
}

fn damaged<R>(path: &Path, lines: &Lines<R>, message: impl Into<String>) -> JournalError
where
    R: BufRead,
{
    ReadError::Damaged { path: path.to_owned(), line: lines.number(), message: message.into() }
        .into()
}
