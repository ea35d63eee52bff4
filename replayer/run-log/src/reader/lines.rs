//! The complete lines of a file, with their numbers.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::ReadError;
use crate::format::State;

/// No line of a run directory is longer; a histogram with every bucket used is under 1 MiB.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// A file up to the end of its last line, or nothing.
pub(super) type Input = BufReader<Box<dyn Read + Send>>;

/// The complete lines of a file.
pub(super) struct Lines {
    path: PathBuf,
    input: Input,
    /// Of the line last read, from 1.
    line: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn open(path: PathBuf, state: State) -> Result<Self, ReadError> {
        let open = || -> io::Result<(File, u64, u64)> {
            let mut file = common::input::open(&path)?;
            let length = file.metadata()?.len();
            let complete = complete_length(&mut file, length)?;
            file.rewind()?;
            Ok((file, length, complete))
        };
        let (input, length, complete): (Box<dyn Read + Send>, u64, u64) = match open() {
            Ok((file, length, complete)) => (Box::new(file.take(complete)), length, complete),
            Err(error) if error.kind() == io::ErrorKind::NotFound && state == State::Running => {
                (Box::new(io::empty()), 0, 0)
            }
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        let input = BufReader::new(input);
        let mut lines = Self { path, input, line: 0, buffer: Vec::new() };
        if complete < length && state == State::Finished {
            while lines.next()?.is_some() {}
            lines.line += 1;
            return Err(lines.damaged("the line is cut off"));
        }
        Ok(lines)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Of the line last read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.line
    }

    /// The line last read, with its end.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The complete lines that were not read yet.
    pub(super) fn into_input(self) -> (PathBuf, Input) {
        (self.path, self.input)
    }

    /// The next line with its end; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, ReadError> {
        self.buffer.clear();
        let mut capped = (&mut self.input).take(MAX_LINE_BYTES);
        let read = capped
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if !self.buffer.ends_with(b"\n") {
            return Err(self.damaged("the line is longer than 4 MiB"));
        }
        Ok(Some(&self.buffer))
    }

    pub(super) fn damaged(&self, message: impl Into<String>) -> ReadError {
        ReadError::Damaged { path: self.path.clone(), line: self.line, message: message.into() }
    }
}

/// Bytes up to and with the last line end.
fn complete_length(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = [0; 8192];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        // At most the block's length, so it fits.
        let bytes = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
