//! Writes a trace from requests that come in order.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use common::digest;
use common::output::Output;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use super::error::WriteError;
use super::format::{End, Header, RecordedResult, Request};
use super::lines::MAX_LINE_BYTES;
use super::paths::is_zstd;

/// zstd's default: about 10 times smaller, and faster than a disk.
const ZSTD_LEVEL: i32 = 3;

/// A trace being written: a temporary file beside `path` until [`TraceWriter::finish`].
#[derive(Debug)]
pub struct TraceWriter {
    path: PathBuf,
    output: Output,
    out: Out,
    digest: Sha256,
    last_at: u64,
    requests: u64,
    errors: u64,
    sessions: HashSet<Box<str>>,
    line: Vec<u8>,
}

enum Out {
    Plain(BufWriter<File>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<File>>),
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Zstd(_) => "Zstd",
        })
    }
}

#[derive(Serialize)]
struct EndLine<'a> {
    end: &'a End,
}

impl TraceWriter {
    /// Starts a trace, compressed if the suffix is `.zst`, readable by its owner alone.
    ///
    /// # Errors
    /// When no file can be made in the folder of `path`.
    pub fn create(path: &Path, header: &Header) -> Result<Self, WriteError> {
        Self::create_for(path, header, 0)
    }

    /// Starts a trace of requests that need this minor version ([`super::minor`]).
    ///
    /// # Errors
    /// As [`TraceWriter::create`].
    pub fn create_for(path: &Path, header: &Header, minor: u32) -> Result<Self, WriteError> {
        let output = Output::create(path)?;
        let file = BufWriter::with_capacity(1 << 16, output.reopen()?);
        let open = || -> io::Result<Out> {
            Ok(if is_zstd(path) {
                let mut encoder = zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Out::Zstd(encoder)
            } else {
                Out::Plain(file)
            })
        };
        let out = open().map_err(|source| WriteError::Io { path: path.to_owned(), source })?;
        let mut writer = Self {
            path: path.to_owned(),
            output,
            out,
            digest: Sha256::new(),
            last_at: 0,
            requests: 0,
            errors: 0,
            sessions: HashSet::new(),
            line: Vec::new(),
        };
        let minor = header.lowest_minor().max(minor);
        writer.serialise(&Header { minor, ..header.clone() })?;
        writer.put()?;
        Ok(writer)
    }

    /// Adds the next request by `at`.
    ///
    /// # Errors
    /// When it is out of order or too long, or the disk refuses it.
    pub fn write(&mut self, request: &Request) -> Result<(), WriteError> {
        if request.at < self.last_at {
            return Err(WriteError::Order { id: request.id.clone(), at: request.at });
        }
        self.serialise(request)?;
        let is_error = matches!(request.result, RecordedResult::Error(_));
        self.count(&request.id, request.at, &request.session, is_error)
    }

    /// Adds the next request by `at`, of which the line is there already, without its end.
    pub(super) fn write_line(
        &mut self,
        id: &str,
        at: u64,
        session: &str,
        is_error: bool,
        line: &[u8],
    ) -> Result<(), WriteError> {
        self.line.clear();
        self.line.extend_from_slice(line);
        self.line.push(b'\n');
        self.count(id, at, session, is_error)
    }

    /// Writes the line of a request.
    fn count(
        &mut self,
        id: &str,
        at: u64,
        session: &str,
        is_error: bool,
    ) -> Result<(), WriteError> {
        if self.line.len() > MAX_LINE_BYTES {
            return Err(WriteError::TooLong { id: id.to_owned(), bytes: self.line.len() });
        }
        self.put()?;
        self.last_at = at;
        self.requests += 1;
        self.errors += u64::from(is_error);
        if !self.sessions.contains(session) {
            self.sessions.insert(session.into());
        }
        Ok(())
    }

    /// Writes the end line and gives the file its name, when it is safe on the disk.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn finish(mut self, dropped: u64) -> Result<End, WriteError> {
        let end = End {
            requests: self.requests,
            sessions: self.sessions.len() as u64,
            errors: self.errors,
            dropped,
            digest: digest::text(&self.digest.clone().finalize()),
        };
        self.serialise(&EndLine { end: &end })?;
        self.put()?;
        let Self { path, output, out, .. } = self;
        let close = || -> io::Result<()> {
            let mut file = match out {
                Out::Plain(file) => file,
                Out::Zstd(encoder) => encoder.finish()?,
            };
            file.flush()
        };
        close().map_err(|source| WriteError::Io { path, source })?;
        output.publish()?;
        Ok(end)
    }

    fn serialise(&mut self, value: &impl Serialize) -> Result<(), WriteError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value).map_err(|error| self.failed(error.into()))?;
        self.line.push(b'\n');
        Ok(())
    }

    /// Writes the line that was serialised.
    fn put(&mut self) -> Result<(), WriteError> {
        self.digest.update(&self.line);
        let written = match &mut self.out {
            Out::Plain(out) => out.write_all(&self.line),
            Out::Zstd(out) => out.write_all(&self.line),
        };
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError::Io { path: self.path.clone(), source }
    }
}
