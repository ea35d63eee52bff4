//! Reads a trace into sessions.

use std::collections::HashMap;
use std::path::Path;

use foldhash::fast::RandomState;
use trace::format as disk;
use trace::reader::TraceReader;

use super::ahead::ReadAhead;
use super::build::Builder;
use super::draft::Draft;
use super::error::PrepareError;
use super::line::size_in_memory;
use super::plan::Prepared;
use super::select::{Selection, Selector};
use super::session::{Body, Session};
use run_log::format::TraceRef;

/// Reads the trace at `path` for a target at `origin`, such as `http://127.0.0.1:8080`, as far as
/// it is selected, and keeps it, in at most about `memory` bytes.
///
/// # Errors
/// When the trace is damaged, incomplete or of another version, a request in it cannot be
/// replayed, or it is too big.
pub fn prepare(
    path: &Path,
    origin: &str,
    selection: &Selection,
    memory: u64,
) -> Result<Prepared, PrepareError> {
    let reader = TraceReader::open(path)?;
    let header = reader.header().clone();
    let mut selector = Selector::new(path, &header, selection)?;
    let mut builder = Builder::new(path, origin, &header, selection);
    let mut by_session: HashMap<String, usize, RandomState> = HashMap::default();
    // In the order in which they appear.
    let mut drafts: Vec<Draft> = Vec::new();
    let mut needed = 0;
    let mut requests = ReadAhead::start(reader);
    while let Some(request) = requests.next() {
        let is_selected = selector.selects(request).map_err(|message| PrepareError::Request {
            path: path.to_owned(),
            id: request.id.clone(),
            message,
        })?;
        if is_selected {
            needed += size_in_memory(request);
        }
        if needed + selector.memory() > memory {
            return Err(PrepareError::TooBig { path: path.to_owned(), memory });
        }
        if !is_selected {
            continue;
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
    prepared(path, header, end, &mut builder, sessions, selector)
}

/// A trace whose sessions are all known.
pub(super) fn prepared(
    path: &Path,
    header: disk::Header,
    end: disk::End,
    builder: &mut Builder,
    sessions: Vec<Session>,
    selector: Selector<'_>,
) -> Result<Prepared, PrepareError> {
    let (endpoints, personas, bindings) = builder.summary();
    for name in &selector.selection.personas {
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
        left_out: selector.noted,
        rewrites: selector.rewritten,
        recorded_failures: header.failures,
    })
}
