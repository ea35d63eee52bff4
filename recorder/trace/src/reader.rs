//! Reads a trace, one request at a time.
//!
//! Order, counts and digest are checked as the lines go by, so a file that was
//! read to its end without error is the file that was written. Memory: one
//! line of at most 16 MiB, and the name of each session.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

pub use super::error::ReadError;
use super::format::{End, Header, RecordedResult, Request};
use super::header::{input_error, read_header};
use super::lines::{END_PREFIX, FoundLine, Lines, json_message};
use super::paths::{is_journal, is_zstd};
use super::unknown;
use super::wire;

pub struct TraceReader {
    path: PathBuf,
    lines: Lines<Box<dyn BufRead + Send>>,
    header: Header,
    digest: Sha256,
    seen: Seen,
    end: Option<End>,
}

impl std::fmt::Debug for TraceReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceReader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Bytes of files that all readers of this process have read so far, for a bar that shows it.
pub fn bytes_read() -> u64 {
    BYTES_READ.load(Ordering::Relaxed)
}

static BYTES_READ: AtomicU64 = AtomicU64::new(0);

struct Counted(File);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        // Relaxed: it is shown, and nothing else is read by it.
        BYTES_READ.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What the end line must agree with.
#[derive(Default)]
struct Seen {
    requests: u64,
    errors: u64,
    last_at: u64,
    sessions: HashSet<Box<str>>,
}

impl TraceReader {
    /// Opens a trace, plain or (suffix `.zst`) zstd, and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, is not a trace, or has another version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        let file = Counted(common::input::open(path).map_err(io)?);
        if is_journal(path) {
            return Err(ReadError::Incomplete { path: path.to_owned(), line: 0 });
        }
        let input: Box<dyn BufRead + Send> = if is_zstd(path) {
            Box::new(BufReader::with_capacity(
                1 << 16,
                zstd::stream::read::Decoder::new(file).map_err(io)?,
            ))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        Self::from_input(path, input)
    }

    /// As [`TraceReader::open`], of lines that do not come from a file; `path` is what errors
    /// call it.
    ///
    /// # Errors
    /// As [`TraceReader::open`].
    pub fn from_input(path: &Path, input: Box<dyn BufRead + Send>) -> Result<Self, ReadError> {
        let mut lines = Lines::new(input);
        let line = lines.next();
        let header = read_header(path, line, &lines)?;
        let mut digest = Sha256::new();
        digest.update(lines.bytes());
        Ok(Self { path: path.to_owned(), lines, header, digest, seen: Seen::default(), end: None })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next request by `at`; none after the last, when all was there as it was written.
    ///
    /// # Errors
    /// When the line is damaged or out of order, or when the file's end is
    /// missing or does not agree with its content.
    pub fn next_request(&mut self) -> Result<Option<Request>, ReadError> {
        if self.end.is_some() {
            return Ok(None);
        }
        match self
            .lines
            .next()
            .map_err(|error| input_error(&self.path, self.lines.number(), error))?
        {
            FoundLine::Whole => {}
            FoundLine::TooLong => return Err(self.damaged("the line is longer than 16 MiB")),
            FoundLine::Cut | FoundLine::Nothing => {
                let line = self.lines.number() - 1;
                return Err(ReadError::Incomplete { path: self.path.clone(), line });
            }
        }
        if self.lines.bytes().starts_with(END_PREFIX) {
            self.check_end()?;
            return Ok(None);
        }
        let request = self.request()?;
        if request.at < self.seen.last_at {
            return Err(self.damaged("it is not in the order of at"));
        }
        self.digest.update(self.lines.bytes());
        self.seen.add(&request);
        Ok(Some(request))
    }

    /// Reads what is left and gives the end line.
    ///
    /// # Errors
    /// As [`TraceReader::next_request`].
    pub fn finish(mut self) -> Result<End, ReadError> {
        loop {
            self.next_request()?;
            if let Some(end) = self.end {
                return Ok(end);
            }
        }
    }

    /// Number of the line last read, from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    fn check_end(&mut self) -> Result<(), ReadError> {
        let EndLine { end } = self.parse()?.map_err(|error| self.damaged(json_message(&error)))?;
        let digest = common::digest::text(&self.digest.clone().finalize());
        for (what, written, found) in [
            ("requests", end.requests, self.seen.requests),
            ("errors", end.errors, self.seen.errors),
            ("sessions", end.sessions, self.seen.sessions.len() as u64),
        ] {
            if written != found {
                return Err(self.damaged(format!("it counts {written} {what}, there are {found}")));
            }
        }
        if end.digest != digest {
            return Err(self.damaged("the digest is not that of the lines before it"));
        }
        match self.lines.next() {
            Ok(FoundLine::Nothing) => {}
            Ok(_) => return Err(self.damaged("something follows the end line")),
            Err(error) => return Err(input_error(&self.path, self.lines.number(), error)),
        }
        self.end = Some(end);
        Ok(())
    }

    fn request(&self) -> Result<Request, ReadError> {
        let request = self.parse()?.map_err(|error| {
            let line = (self.lines.number(), self.lines.bytes());
            unknown::reason(&self.path, line, self.header.minor, &error)
        })?;
        wire::check(&request).map_err(|why| self.damaged(why.to_string()))?;
        Ok(request)
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<serde_json::Result<T>, ReadError> {
        // Checked once for the line: text in it is not checked again, string by string.
        let line = std::str::from_utf8(self.lines.bytes())
            .map_err(|_| self.damaged("the line is not UTF-8"))?;
        Ok(serde_json::from_str(line))
    }

    fn damaged(&self, message: impl Into<String>) -> ReadError {
        ReadError::Damaged {
            path: self.path.clone(),
            line: self.lines.number(),
            message: message.into(),
        }
    }
}

impl Seen {
    fn add(&mut self, request: &Request) {
        self.requests += 1;
        self.last_at = request.at;
        self.errors += u64::from(matches!(request.result, RecordedResult::Error(_)));
        if !self.sessions.contains(request.session.as_str()) {
            self.sessions.insert(request.session.as_str().into());
        }
    }
}

#[derive(Deserialize)]
struct EndLine {
    end: End,
}
