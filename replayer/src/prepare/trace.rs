//! Reads a trace into sessions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;
use trace::format as disk;
use trace::reader::{ReadError, TraceReader};
use trace::shape::Shape;

use super::ahead::ReadAhead;
use super::build::Builder;
use super::draft::Draft;
use super::select::{LeftOut, Selection, Selector};
use super::session::{Body, Session};
use super::template::Slot;
use run_log::format::TraceRef;

/// A trace, ready to be scheduled.
#[derive(Debug)]
pub struct Prepared {
    pub file: TraceRef,
    /// Digest of the manifest that the trace was recorded with, where it says so.
    pub manifest: Option<String>,
    /// Endpoint names by index; past [`MAX_ENDPOINTS`] they share the last, "other".
    pub endpoints: Vec<String>,
    pub personas: Vec<TracePersona>,
    pub sessions: Vec<Session>,
    pub shapes: Vec<Shape>,
    pub bindings: Bindings,
    pub left_out: LeftOut,
}

/// What the requests need that is not a literal.
#[derive(Debug, Default)]
pub struct Bindings {
    /// How many, by where the value comes from, in words.
    pub counts: BTreeMap<&'static str, u64>,
    /// Names of the secrets that have to be given.
    pub secrets: BTreeSet<String>,
}

impl Bindings {
    pub(super) fn add(&mut self, slot: &Slot) {
        let kind = match slot {
            Slot::Captured(_) => "from answers",
            Slot::Account(_) => "from the account",
            Slot::Clock(_) => "from the clock",
            Slot::Fresh { .. } => "fresh ids",
            Slot::Secret(name) => {
                self.secrets.insert(name.clone());
                "secret slots"
            }
        };
        *self.counts.entry(kind).or_default() += 1;
    }
}

#[derive(Clone, Debug)]
pub struct TracePersona {
    pub name: String,
    /// Its share of the users.
    pub weight: f64,
    /// Its sessions by arrival, as indices.
    pub sessions: Vec<usize>,
    /// How many values its prologues capture.
    pub login_slots: usize,
    /// Whether its requests need anything of an account.
    pub needs_account: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("trace {}: request {id}: {message}", path.display())]
    Request { path: PathBuf, id: String, message: String },
    #[error(
        "trace {} needs more than {} MiB of memory; raise the bound with --max-trace-memory, \
         or replay it at --clones 1, where it is read as it is needed",
        path.display(), memory >> 20
    )]
    TooBig { path: PathBuf, memory: u64 },
    #[error(
        "sessions of trace {} overlap so that {} MiB are needed at once, over the bound of {} MiB; \
         raise it with --max-trace-memory",
        path.display(), needed >> 20, memory >> 20
    )]
    TooWide { path: PathBuf, needed: u64, memory: u64 },
    #[error("trace {} changed while it was replayed", path.display())]
    Changed { path: PathBuf },
    #[error("trace {} has no request{}", path.display(), of_persona(persona.as_ref()))]
    Empty { path: PathBuf, persona: Option<String> },
}

fn of_persona(persona: Option<&String>) -> String {
    persona.map_or(String::new(), |persona| format!(" of persona {persona}"))
}

/// Name of the persona of requests that name none.
pub(super) const NO_PERSONA: &str = "(none)";

/// Reads the trace at `path` for a target called `host`, as far as it is selected, and
/// keeps it, in at most about `memory` bytes.
///
/// # Errors
/// When the trace is damaged, incomplete or of another version, a request in it cannot be
/// replayed, or it is too big.
pub fn prepare(
    path: &Path,
    host: &str,
    selection: &Selection,
    memory: u64,
) -> Result<Prepared, PrepareError> {
    let reader = TraceReader::open(path)?;
    let header = reader.header().clone();
    let mut selector = Selector::new(selection);
    let mut builder = Builder::new(path, host, &header);
    let mut by_session: HashMap<String, usize, RandomState> = HashMap::default();
    // In the order in which they appear.
    let mut drafts: Vec<Draft> = Vec::new();
    let mut needed = 0;
    let mut requests = ReadAhead::start(reader);
    while let Some(request) = requests.next() {
        if !selector.selects(request) {
            continue;
        }
        needed += size_in_memory(request);
        if needed > memory {
            return Err(PrepareError::TooBig { path: path.to_owned(), memory });
        }
        match by_session.get(&request.session) {
            Some(&index) => builder.add_line(&mut drafts[index], request)?,
            None => {
                by_session.insert(request.session.clone(), drafts.len());
                drafts.push(builder.begin(request)?);
            }
        }
    }
    let end = requests.finish()?;
    let mut sessions = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let (mut session, requests) = draft.finish();
        builder.add(sessions.len(), &session, &requests);
        session.body = Body::Held(requests);
        sessions.push(session);
    }
    prepared(path, selection, header, end, &mut builder, sessions, selector.counts)
}

/// Bytes that a request takes, about, from its line to its end.
pub(super) fn size_in_memory(request: &disk::Request) -> u64 {
    let body = match &request.body {
        Some(disk::Body::Text(text) | disk::Body::Base64(text)) => text.len(),
        Some(disk::Body::Truncated { .. }) | None => 0,
    };
    let headers: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    // Its strings twice, as a line and as a template while it is made, and what stands around.
    (2 * (body + headers + request.path.len()) + 1024) as u64
}

/// A trace whose sessions are all known.
pub(super) fn prepared(
    path: &Path,
    selection: &Selection,
    header: disk::Header,
    end: disk::End,
    builder: &mut Builder,
    sessions: Vec<Session>,
    left_out: LeftOut,
) -> Result<Prepared, PrepareError> {
    let (endpoints, personas, bindings) = builder.summary();
    for name in &selection.personas {
        if !personas.iter().any(|persona| persona.name == *name) {
            return Err(PrepareError::Empty { path: path.to_owned(), persona: Some(name.clone()) });
        }
    }
    if sessions.is_empty() {
        return Err(PrepareError::Empty { path: path.to_owned(), persona: None });
    }
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Prepared {
        file: TraceRef {
            file: file_name,
            digest: end.digest,
            requests: end.requests,
            sessions: end.sessions,
        },
        manifest: header.sources.iter().find_map(|source| source.manifest.clone()),
        endpoints,
        personas,
        sessions,
        shapes: header.shapes.into_values().collect(),
        bindings,
        left_out,
    })
}
