//! Writes a trace from requests that come in any order, and what each came after.

use std::path::{Path, PathBuf};

use common::output::folder;

use super::error::WriteError;
use super::failures::FailureCount;
use super::format::{End, Header, RecordedResult, Request};
use super::minor;
use super::order::Predecessors;
use super::routes::Routes;
use super::sort::{Key, LineKind, Sorter};
use super::writer::TraceWriter;

/// Lines beyond `run_bytes` of memory wait on the disk, in temporary files beside the trace.
pub struct Unordered {
    trace: PathBuf,
    sorter: Sorter,
    record: Vec<u8>,
    /// What the requests so far need of the format.
    minor: u32,
    /// Where routes are named by what varies in all of them.
    routes: Option<Routes>,
    failures: FailureCount,
}

/// What stands before the line of a request in its record.
struct Beginning {
    is_error: bool,
    /// How long the exchange took, in microseconds.
    took_us: u64,
    /// How many of the line's last bytes come behind the place of `after`.
    tail: u32,
    /// The length of the session's name, which follows.
    name: u32,
}

impl Beginning {
    const BYTES: usize = 17;

    fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = u8::from(self.is_error);
        bytes[1..9].copy_from_slice(&self.took_us.to_ne_bytes());
        bytes[9..13].copy_from_slice(&self.tail.to_ne_bytes());
        bytes[13..].copy_from_slice(&self.name.to_ne_bytes());
        bytes
    }

    fn of(record: &[u8]) -> Self {
        let number = |at: usize| record[at..at + 4].try_into().map_or(0, u32::from_ne_bytes);
        Self {
            is_error: record[0] == 1,
            took_us: record[1..9].try_into().map_or(0, u64::from_ne_bytes),
            tail: number(9),
            name: number(13),
        }
    }
}

impl Unordered {
    pub fn new(trace: &Path, run_bytes: usize) -> Self {
        let sorter = Sorter::new(folder(trace), run_bytes);
        let trace = trace.to_owned();
        let failures = FailureCount::default();
        Self { trace, sorter, record: Vec::new(), minor: 0, routes: None, failures }
    }

    /// Names the routes by what varies in all of them.
    pub fn naming(self, routes: Routes) -> Self {
        Self { routes: Some(routes), ..self }
    }

    /// Adds a request; what it comes after is found at the end.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn add(&mut self, mut request: Request) -> Result<(), WriteError> {
        let io = |source| WriteError::Io { path: self.trace.clone(), source };
        self.minor = self.minor.max(minor::of_request(&request));
        self.failures.add(&request);
        if let Some(routes) = &mut self.routes {
            routes.add(&request.name);
        }
        request.after.clear();
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let beginning = Beginning {
            is_error: matches!(request.result, RecordedResult::Error(_)),
            took_us: request.result.took_us(),
            tail: length(tail(&request).map_err(|error| io(error.into()))?),
            name: length(request.session.len()),
        };
        self.record.clear();
        self.record.extend_from_slice(&beginning.to_bytes());
        self.record.extend_from_slice(request.session.as_bytes());
        serde_json::to_writer(&mut self.record, &request).map_err(|error| io(error.into()))?;
        let key = Key { at: request.at, id: request.id, kind: LineKind::Request };
        self.sorter.add(key, &self.record).map_err(io)
    }

    /// Writes the trace.
    ///
    /// # Errors
    /// When the disk refuses it, or a request is too long for a line.
    pub fn finish(self, header: &Header, dropped: u64) -> Result<End, WriteError> {
        let io = |source| WriteError::Io { path: self.trace.clone(), source };
        let named = self.routes.map(Routes::named).filter(|named| !named.is_empty());
        let in_the_end = |name: &str| named.as_ref().and_then(|named| named.of(name));
        let failures = self.failures.noted(in_the_end);
        let header = Header { failures, ..header.clone() };
        let mut writer = TraceWriter::create_for(&self.trace, &header, self.minor)?;
        let mut predecessors = Predecessors::default();
        let mut sorted = self.sorter.sorted().map_err(io)?;
        let mut whole = Vec::new();
        while let Some((key, record)) = sorted.next_line().map_err(io)? {
            let Beginning { is_error, took_us, tail, name } = Beginning::of(&record);
            let (name, line) = record[Beginning::BYTES..].split_at(name as usize);
            if let Some(named) = &named {
                let mut request: Request =
                    serde_json::from_slice(line).map_err(|error| io(error.into()))?;
                if let Some(name) = named.of(&request.name) {
                    request.name = name;
                }
                predecessors.fill(&mut request);
                writer.write(&request)?;
                continue;
            }
            let session = String::from_utf8_lossy(name);
            let after = predecessors.next(&session, &key.id, key.at, took_us);
            let (head, tail) = line.split_at(line.len().saturating_sub(tail as usize));
            whole.clear();
            whole.extend_from_slice(head);
            if !after.is_empty() {
                let ids: Vec<&str> = after.iter().map(|id| &**id).collect();
                whole.extend_from_slice(b"\"after\":");
                serde_json::to_writer(&mut whole, &ids).map_err(|error| io(error.into()))?;
                whole.push(b',');
            }
            whole.extend_from_slice(tail);
            writer.write_line(&key.id, key.at, &session, is_error, &whole)?;
        }
        writer.finish(dropped)
    }
}

/// The length of what a request's line has behind the place of `after`.
fn tail(request: &Request) -> serde_json::Result<usize> {
    let prologue = if request.prologue { "\"prologue\":true,".len() } else { 0 };
    Ok(prologue + "\"result\":}".len() + serde_json::to_vec(&request.result)?.len())
}
