//! The chunked transfer coding (RFC 9112 section 7.1), up to its trailers.

use super::{FramingError, Limits};
use crate::Sink;

#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    at: At,
    /// Size of this chunk; within its data, what is left of it.
    size: u64,
    /// Bytes of the chunk line so far.
    line: usize,
    /// Bytes of the body so far.
    body_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    FirstDigit,
    Digits,
    /// Only white space may be between the size and its end.
    AfterSize,
    Extension,
    LineEnd,
    Data,
    DataCr,
    DataLf,
    Trailers,
}

impl Chunked {
    pub(super) const fn new() -> Self {
        Self { at: At::FirstDigit, size: 0, line: 0, body_bytes: 0 }
    }

    /// After the last chunk; the trailer section is not read here.
    pub(super) fn at_trailers(&self) -> bool {
        self.at == At::Trailers
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Takes bytes up to the end of the last chunk: how many those were.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        sink: &mut impl Sink,
    ) -> Result<usize, FramingError> {
        let mut used = 0;
        while used < bytes.len() && self.at != At::Trailers {
            if self.at == At::Data {
                used += self.data(&bytes[used..], sink);
            } else {
                self.byte(bytes[used], limits)?;
                used += 1;
            }
        }
        Ok(used)
    }

    fn data(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let take = usize::try_from(self.size).map_or(bytes.len(), |left| left.min(bytes.len()));
        sink.body(&bytes[..take]);
        self.size -= take as u64;
        self.body_bytes += take as u64;
        if self.size == 0 {
            self.at = At::DataCr;
        }
        take
    }

    fn byte(&mut self, byte: u8, limits: &Limits) -> Result<(), FramingError> {
        self.at = match (self.at, byte) {
            (At::FirstDigit | At::Digits, _) if byte.is_ascii_hexdigit() => self.digit(byte)?,
            (At::Digits | At::AfterSize, b' ' | b'\t') => At::AfterSize,
            (At::Digits | At::AfterSize, b';') => At::Extension,
            (At::Digits | At::AfterSize | At::Extension, b'\r') => At::LineEnd,
            (At::Extension, _) if byte != b'\n' => At::Extension,
            (At::LineEnd, b'\n') if self.size == 0 => At::Trailers,
            (At::LineEnd, b'\n') => At::Data,
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::FirstDigit,
            (At::DataCr | At::DataLf, _) => return Err(FramingError::ChunkEnd),
            _ => return Err(FramingError::ChunkSize),
        };
        self.line += 1;
        if self.line > limits.chunk_line_bytes {
            return Err(FramingError::ChunkLineTooLong { limit: limits.chunk_line_bytes });
        }
        if matches!(self.at, At::Data | At::FirstDigit) {
            self.line = 0;
        }
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<At, FramingError> {
        let digit = char::from(byte).to_digit(16).ok_or(FramingError::ChunkSize)?;
        let size = self.size.checked_mul(16).ok_or(FramingError::ChunkSize)?;
        self.size = size | u64::from(digit);
        Ok(At::Digits)
    }
}
