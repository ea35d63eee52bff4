//! HTTP/1.1 framing of answers (RFC 9112) without I/O.

mod chunked;
mod decoder;
mod head;
mod section;

pub use self::decoder::{Decoded, Decoder, decode_all};

/// What of the request's method decides how its answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// No body follows, whatever the head says.
    Head,
    Other,
}

/// More header fields than this are refused.
pub const MAX_HEADERS: usize = 100;

/// What an answer may take, so that a broken target cannot fill the memory.
/// Bodies have no limit: they are streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all heads and trailers of one answer, interim heads included.
    pub head_bytes: usize,
    /// Bytes of one header line: name and value.
    pub line_bytes: usize,
    /// Bytes of the line before a chunk: size and extensions.
    pub chunk_line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes: 64 * 1024, line_bytes: 32 * 1024, chunk_line_bytes: 4 * 1024 }
    }
}

/// Why bytes are not an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("malformed head")]
    Head { source: httparse::Error },
    #[error("heads of more than {limit} bytes")]
    HeadTooLong { limit: usize },
    #[error("header line of more than {limit} bytes")]
    LineTooLong { limit: usize },
    #[error("switched to a protocol that nobody asked for")]
    Upgraded,
    #[error("status {status} is none")]
    Status { status: u16 },
    #[error("Content-Length is not a number")]
    Length,
    #[error("Content-Length is given twice and differs")]
    ConflictingLengths,
    #[error("chunked more than once")]
    ChunkedTwice,
    #[error("malformed chunk size")]
    ChunkSize,
    #[error("chunk line of more than {limit} bytes")]
    ChunkLineTooLong { limit: usize },
    #[error("chunk is longer than its size")]
    ChunkEnd,
    #[error("malformed trailer")]
    Trailer { source: httparse::Error },
    #[error("ended before it was complete")]
    Incomplete,
}
