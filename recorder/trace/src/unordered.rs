//! Writes a trace from requests that come in any order.

use std::path::{Path, PathBuf};

use common::output::folder;

use super::error::WriteError;
use super::format::{End, Header, RecordedResult, Request};
use super::minor;
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
}

/// Where the name of the session begins in a record: behind whether it failed, and its length.
const NAME: usize = 5;

impl Unordered {
    pub fn new(trace: &Path, run_bytes: usize) -> Self {
        let sorter = Sorter::new(folder(trace), run_bytes);
        Self { trace: trace.to_owned(), sorter, record: Vec::new(), minor: 0, routes: None }
    }

    /// Names the routes by what varies in all of them.
    pub fn naming(self, routes: Routes) -> Self {
        Self { routes: Some(routes), ..self }
    }

    /// # Errors
    /// When the disk refuses it.
    pub fn add(&mut self, request: &Request) -> Result<(), WriteError> {
        let io = |source| WriteError::Io { path: self.trace.clone(), source };
        self.minor = self.minor.max(minor::of_request(request));
        if let Some(routes) = &mut self.routes {
            routes.add(&request.name);
        }
        let name = request.session.as_bytes();
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        self.record.clear();
        self.record.push(u8::from(matches!(request.result, RecordedResult::Error(_))));
        self.record.extend_from_slice(&length.to_ne_bytes());
        self.record.extend_from_slice(name);
        serde_json::to_writer(&mut self.record, request).map_err(|error| io(error.into()))?;
        let key = Key { at: request.at, id: request.id.clone(), kind: LineKind::Request };
        self.sorter.add(key, &self.record).map_err(io)
    }

    /// Writes the trace.
    ///
    /// # Errors
    /// When the disk refuses it, or a request is too long for a line.
    pub fn finish(self, header: &Header, dropped: u64) -> Result<End, WriteError> {
        let io = |source| WriteError::Io { path: self.trace.clone(), source };
        let mut writer = TraceWriter::create_for(&self.trace, header, self.minor)?;
        let named = self.routes.map(Routes::named).filter(|named| !named.is_empty());
        let mut sorted = self.sorter.sorted().map_err(io)?;
        while let Some((key, record)) = sorted.next_line().map_err(io)? {
            let length = record[1..NAME].try_into().map_or(0, u32::from_ne_bytes) as usize;
            let (name, line) = record[NAME..].split_at(length);
            if let Some(named) = &named {
                let mut request: Request =
                    serde_json::from_slice(line).map_err(|error| io(error.into()))?;
                if let Some(name) = named.of(&request.name) {
                    request.name = name;
                }
                writer.write(&request)?;
                continue;
            }
            let session = String::from_utf8_lossy(name);
            writer.write_line(&key.id, key.at, &session, record[0] == 1, line)?;
        }
        writer.finish(dropped)
    }
}
