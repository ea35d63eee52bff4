//! The journal: what is written while recording.
//!
//! `FILE.part` is plain JSON Lines: the trace's header, then in the order in
//! which exchanges finished a line a request, and between them
//! `{"shape":{…}}` for each body shape before its first use and
//! `{"capture":{"of":id,"at":µs,…}}` for captures that turned out to be needed
//! after the line of their request was written. Its second line, `{"dropped":n}`, says how many
//! exchanges were dropped so far. It is written over in its place, so that a full disk, which
//! is what loses exchanges, does not lose their number, too.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use super::error::JournalError;
use super::error::WriteError;
use super::finish::{Finished, RUN_BYTES, finish};
use super::format::{Header, Request};
use super::lines::MAX_LINE_BYTES;
pub use super::note::LateCapture;
use super::note::Note;
use super::shape::Shape;

/// What is written is handed to the kernel after this long, or this many bytes.
pub const FLUSH_AFTER: Duration = Duration::from_millis(100);
const FLUSH_BYTES: usize = 64 << 10;

/// All shapes of a recording stand in one line, the header.
const MAX_SHAPE_BYTES: usize = MAX_LINE_BYTES / 2;

/// A recording under way.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Whole lines that the kernel does not have yet.
    buffer: Vec<u8>,
    /// When the oldest of them came.
    oldest: Option<Instant>,
    /// Requests among them.
    waiting: u64,
    /// Bytes that the kernel has.
    written: u64,
    shapes: HashSet<String>,
    shape_bytes: usize,
    /// Where the count of what was dropped stands.
    dropped_at: u64,
}

/// The longest `{"dropped":n}`, without its line end.
const DROPPED_BYTES: usize = 31;

impl Journal {
    /// `FILE.part` beside the trace to be made.
    pub fn path_for(trace: &Path) -> PathBuf {
        let mut name = trace.as_os_str().to_owned();
        name.push(".part");
        name.into()
    }

    /// Starts the journal of `trace`, readable by its owner alone.
    ///
    /// # Errors
    /// When there is one already, or the folder cannot be written to.
    pub fn create(trace: &Path, header: &Header) -> Result<Self, JournalError> {
        let path = Self::path_for(trace);
        let file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(JournalError::Exists { path });
            }
            Err(source) => return Err(WriteError::Io { path, source }.into()),
        };
        let mut journal = Self {
            path,
            file,
            buffer: Vec::with_capacity(2 * FLUSH_BYTES),
            oldest: None,
            waiting: 0,
            written: 0,
            shapes: HashSet::new(),
            shape_bytes: 0,
            dropped_at: 0,
        };
        journal.line(&Header { minor: header.lowest_minor(), ..header.clone() })?;
        journal.dropped_at = journal.buffer.len() as u64;
        journal.buffer.extend_from_slice(dropped_line(0).as_bytes());
        if let Err(error) = journal.flush() {
            // Nothing can be made of it, and it would be in the way of the next recording.
            let _ = std::fs::remove_file(&journal.path);
            return Err(error.into());
        }
        Ok(journal)
    }

    /// Adds a finished exchange.
    ///
    /// # Errors
    /// When it is too long for a line, or the disk refuses it.
    pub fn append(&mut self, request: &Request) -> Result<(), WriteError> {
        let start = self.buffer.len();
        self.line(request)?;
        let bytes = self.buffer.len() - start;
        if bytes > MAX_LINE_BYTES {
            self.buffer.truncate(start);
            return Err(WriteError::TooLong { id: request.id.clone(), bytes });
        }
        self.waiting += 1;
        self.flush_if_due()
    }

    /// Adds a capture to a request that was written before.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn capture(&mut self, capture: LateCapture) -> Result<(), WriteError> {
        self.line(&Note::Capture(capture))?;
        self.flush_if_due()
    }

    /// The digest that an answer refers to a shape by; that of a shape which fits any when the
    /// shapes so far fill their share of the header.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn shape(&mut self, shape: Shape) -> Result<String, WriteError> {
        let digest = shape.digest();
        if self.shapes.contains(&digest) {
            return Ok(digest);
        }
        let start = self.buffer.len();
        self.line(&Note::Shape(shape))?;
        let bytes = self.buffer.len() - start;
        if self.shape_bytes + bytes > MAX_SHAPE_BYTES {
            self.buffer.truncate(start);
            // A few bytes, and only once.
            let digest = Shape::any().digest();
            if self.shapes.insert(digest.clone()) {
                self.line(&Note::Shape(Shape::any()))?;
            }
            return Ok(digest);
        }
        self.shape_bytes += bytes;
        self.shapes.insert(digest.clone());
        Ok(digest)
    }

    /// Notes how many exchanges were seen and not kept, so far.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn dropped(&mut self, dropped: u64) -> Result<(), WriteError> {
        self.file
            .write_all_at(dropped_line(dropped).as_bytes(), self.dropped_at)
            .map_err(|source| WriteError::Io { path: self.path.clone(), source })
    }

    /// When [`Journal::flush`] must be called at the latest, if nothing is added until then.
    pub fn flush_due(&self) -> Option<Instant> {
        self.oldest.map(|oldest| oldest + FLUSH_AFTER)
    }

    /// Requests that were added since the last flush: what is lost where one fails.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Hands all to the kernel: from then on a killed process loses none of it.
    ///
    /// # Errors
    /// When the disk refuses it. The file is then what it was before.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        if let Err(source) = self.file.write_all(&self.buffer) {
            // Where even this fails, `finish` still leaves out a line that was cut.
            let _ = self.file.set_len(self.written);
            return Err(WriteError::Io { path: self.path.clone(), source });
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.waiting = 0;
        self.oldest = None;
        Ok(())
    }

    /// Ends the recording and makes the trace.
    ///
    /// # Errors
    /// As [`finish`]; the journal stays where it is then.
    pub fn finish(mut self) -> Result<Finished, JournalError> {
        self.flush()?;
        finish(&self.path, RUN_BYTES)
    }

    /// Ends a recording that is of no use, and removes the journal.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn discard(self) -> Result<(), WriteError> {
        std::fs::remove_file(&self.path)
            .map_err(|source| WriteError::Io { path: self.path.clone(), source })
    }

    fn flush_if_due(&mut self) -> Result<(), WriteError> {
        let late = self.flush_due().is_some_and(|due| due <= Instant::now());
        if late || self.buffer.len() >= FLUSH_BYTES { self.flush() } else { Ok(()) }
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), WriteError> {
        serde_json::to_writer(&mut self.buffer, value)
            .map_err(|error| WriteError::Io { path: self.path.clone(), source: error.into() })?;
        self.buffer.push(b'\n');
        self.oldest.get_or_insert_with(Instant::now);
        Ok(())
    }
}

/// Of the same length whatever the number.
fn dropped_line(dropped: u64) -> String {
    let note = format!("{{\"dropped\":{dropped}");
    format!("{note:<width$}}}\n", width = DROPPED_BYTES - 1)
}
