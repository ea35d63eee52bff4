//! A finished exchange as it was seen on the wire. It exists only in memory:
//! [`crate::correlate`] decides what of it may reach the disk.

use std::fmt;

use bytes::Bytes;

use trace::format::RecordedError;

/// One request and what came back.
pub struct Exchange {
    /// Unique in the recording.
    pub id: String,
    /// The client's connection that it came on, numbered from 1.
    pub connection: u64,
    /// Microseconds from the start of the recording to the request's first byte.
    pub at: u64,
    /// `1.1` or `2`.
    pub http: &'static str,
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// In order, hop-by-hop ones aside.
    pub headers: Vec<(String, Bytes)>,
    pub body: SeenBody,
    pub result: Result<SeenAnswer, RecordedError>,
}

pub struct SeenAnswer {
    pub status: u16,
    pub headers: Vec<(String, Bytes)>,
    /// From the request's first byte to the end of the answer's head, in microseconds.
    pub header_us: u64,
    /// From the request's first byte to the end of the answer's body, in microseconds.
    pub total_us: u64,
    /// As on the wire, transfer coding undone, content coding not.
    pub body: SeenBody,
}

/// A body, kept where it was not over the cap.
pub enum SeenBody {
    Whole(Bytes),
    /// Over the cap: its size in bytes and its digest, `sha256:…`.
    TooLarge {
        size: u64,
        sha256: String,
    },
}

/// Leaves out anything that could be secret.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The value of a header, empty where there is none that is text.
pub(crate) fn text_of<'a>(headers: &'a [(String, Bytes)], name: &str) -> &'a str {
    let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
    found.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
}
