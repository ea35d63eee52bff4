//! A finished exchange as it was seen on the wire. It lives in memory alone:
//! what of it may reach the disk, [`crate::correlate`] decides.

use std::fmt;

use bytes::Bytes;

use crate::trace::format::RecordedError;

/// One request and what came back.
pub(crate) struct Exchange {
    /// Unique in the recording.
    pub(crate) id: String,
    /// The client's connection that it came on, numbered from 1.
    pub(crate) connection: u64,
    /// Microseconds from the start of the recording to the request's first byte.
    pub(crate) at: u64,
    /// `1.1` or `2`.
    pub(crate) http: &'static str,
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) path: String,
    /// In order, hop-by-hop ones aside.
    pub(crate) headers: Vec<(String, Bytes)>,
    pub(crate) body: SeenBody,
    pub(crate) result: Result<SeenAnswer, RecordedError>,
}

pub(crate) struct SeenAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Bytes)>,
    /// From the request's first byte to the end of the answer's head, in microseconds.
    pub(crate) header_us: u64,
    /// From the request's first byte to the end of the answer's body, in microseconds.
    pub(crate) total_us: u64,
    /// As on the wire, transfer coding undone, content coding not.
    pub(crate) body: SeenBody,
}

/// A body, kept where it was not over the cap.
pub(crate) enum SeenBody {
    Whole(Bytes),
    /// Over the cap: its size in bytes and its digest, `sha256:…`.
    TooLarge {
        size: u64,
        sha256: String,
    },
}

/// Without anything that could be secret.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("id", &self.id).finish_non_exhaustive()
    }
}
