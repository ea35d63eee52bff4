//! Where an answer goes while it is read.

use httparse::Header;

/// Takes one answer. Called synchronously, from the buffer that it was read
/// into: what is to be kept must be copied, and nothing may block.
pub trait Sink {
    /// The first byte of the request has gone out.
    fn sent(&mut self) {}

    /// The final head, exactly once and before any body; interim ones (1xx) are not told.
    fn head(&mut self, status: u16, headers: &[Header<'_>]);

    /// The next piece of the body, never empty: without chunk framing, content
    /// coding still on.
    fn body(&mut self, bytes: &[u8]);
}

/// For answers of which only the framing counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Sink for Discard {
    fn head(&mut self, _status: u16, _headers: &[Header<'_>]) {}
    fn body(&mut self, _bytes: &[u8]) {}
}

/// Keeps the whole answer, for probes and tests. The body is not bounded here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// In order, names as sent.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Sink for Answer {
    fn head(&mut self, status: u16, headers: &[Header<'_>]) {
        self.status = status;
        self.headers =
            headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect();
    }

    fn body(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }
}
