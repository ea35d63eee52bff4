//! Lines of a file, one at a time, none longer than the cap.

use std::io::{self, BufRead, Read};

/// No line of a trace or journal is longer, its end included.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;

/// The start of the last line of a trace; no other line starts like it.
pub(super) const END_PREFIX: &[u8] = b"{\"end\":";

pub(super) struct Lines<R> {
    input: R,
    /// Of the line last read, from 1.
    number: u64,
    buffer: Vec<u8>,
}

/// What [`Lines::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FoundLine {
    /// It stands in [`Lines::bytes`], its end included.
    Whole,
    /// The file ends before the line does.
    Cut,
    TooLong,
    /// The file ended with the line before.
    Nothing,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, buffer: Vec::new() }
    }

    pub(super) fn next(&mut self) -> io::Result<FoundLine> {
        self.buffer.clear();
        self.number += 1;
        let mut capped = (&mut self.input).take(MAX_LINE_BYTES as u64);
        capped.read_until(b'\n', &mut self.buffer)?;
        Ok(match self.buffer.last() {
            Some(b'\n') => FoundLine::Whole,
            Some(_) if self.buffer.len() == MAX_LINE_BYTES => FoundLine::TooLong,
            Some(_) => FoundLine::Cut,
            None => FoundLine::Nothing,
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// A JSON error without the line number, which counts within the one line.
pub(super) fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    if error.is_data() {
        message.to_owned()
    } else {
        format!("{message} in column {}", error.column())
    }
}
