//! Watches the requests of a connection byte by byte: when each began, and whether it gave its
//! length in two ways. hyper tells neither: it calls the service when a head is complete,
//! and drops a `Content-Length` that stands beside a `Transfer-Encoding` (RFC 9112 6.3 lets a
//! server reject such a request, and a recording proxy has no reason to guess).

use std::collections::VecDeque;
use std::time::Instant;

/// How much of each line is kept: enough for the two headers that give a length.
const LINE_BYTES: usize = 96;

/// Heads that were read ahead of being answered. hyper reads ahead 64 KiB, and no request is
/// shorter than 18 bytes; more means that the two disagree about where requests end.
const MAX_WAITING: usize = 4096;

/// What is known about a head besides what hyper tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// When its first byte was read.
    pub(super) began: Instant,
    /// It has both a `Content-Length` and a `Transfer-Encoding`, or a length that is none.
    pub(super) ambiguous: bool,
}

/// The requests of one HTTP/1.1 connection, in order. Lines may contain secrets, hence no `Debug`.
pub(super) struct Heads {
    state: State,
    line: LineStart,
    waiting: VecDeque<Head>,
}

#[derive(Debug)]
enum State {
    /// Before or in a head.
    Head(Partial),
    /// This many bytes of the body are still to come.
    Body(u64),
    /// In the line before a chunk, with the size so far; digits are over after the first other byte.
    ChunkSize {
        size: u64,
        digits: bool,
    },
    /// This many bytes of the chunk and its line end are still to come.
    Chunk(u64),
    Trailer,
    /// Not HTTP/1.1, or no longer.
    Off,
}

#[derive(Debug, Default)]
struct Partial {
    began: Option<Instant>,
    request_line: bool,
    length: Option<u64>,
    chunked: bool,
    strange: bool,
}

/// The beginning of a line.
struct LineStart {
    bytes: [u8; LINE_BYTES],
    /// Of the whole line, so far.
    length: usize,
}

impl Heads {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head(Partial::default()),
            line: LineStart { bytes: [0; LINE_BYTES], length: 0 },
            waiting: VecDeque::new(),
        }
    }

    /// The next request's head; none if this is not HTTP/1.1, or if hyper found a request that was
    /// not found here.
    pub(super) fn take(&mut self) -> Option<Head> {
        self.waiting.pop_front()
    }

    /// When the head that is still incomplete began.
    pub(super) fn partial_since(&self) -> Option<Instant> {
        match &self.state {
            State::Head(partial) => partial.began,
            _ => None,
        }
    }

    /// What follows is not HTTP.
    pub(super) fn off(&mut self) {
        self.state = State::Off;
    }

    /// Takes what was read.
    pub(super) fn read(&mut self, mut bytes: &[u8], now: Instant) {
        while !bytes.is_empty() {
            let used = match &mut self.state {
                State::Off => return,
                State::Head(partial) => {
                    if partial.began.is_none() && !matches!(bytes[0], b'\r' | b'\n') {
                        partial.began = Some(now);
                    }
                    let (used, ended) = self.line.add(bytes);
                    if ended {
                        self.end_of_line();
                    }
                    used
                }
                State::Body(left) => {
                    let used = part(bytes, left);
                    if *left == 0 {
                        self.state = State::Head(Partial::default());
                    }
                    used
                }
                State::Chunk(left) => {
                    let used = part(bytes, left);
                    if *left == 0 {
                        self.state = State::ChunkSize { size: 0, digits: true };
                    }
                    used
                }
                State::ChunkSize { size, digits } => {
                    match char::from(bytes[0]).to_digit(16) {
                        Some(digit) if *digits => {
                            *size = size.saturating_mul(16).saturating_add(digit.into());
                        }
                        _ => *digits = false,
                    }
                    if bytes[0] == b'\n' {
                        self.state = match *size {
                            0 => State::Trailer,
                            size => State::Chunk(size.saturating_add(2)),
                        };
                    }
                    1
                }
                State::Trailer => {
                    let (used, ended) = self.line.add(bytes);
                    if ended && self.line.take().is_empty() {
                        self.state = State::Head(Partial::default());
                    }
                    used
                }
            };
            bytes = &bytes[used..];
        }
    }

    fn end_of_line(&mut self) {
        let State::Head(partial) = &mut self.state else { return };
        let cut = self.line.length > LINE_BYTES;
        let line = self.line.take();
        if !partial.request_line {
            if line == b"PRI * HTTP/2.0" {
                self.state = State::Off;
            } else {
                partial.request_line = !line.is_empty();
            }
            return;
        }
        if line.is_empty() {
            return self.end_of_head();
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            partial.strange |= cut || value.is_none();
            partial.length = value;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            partial.chunked = true;
        }
    }

    fn end_of_head(&mut self) {
        let State::Head(partial) = std::mem::replace(&mut self.state, State::Off) else { return };
        let Partial { began: Some(began), length, chunked, strange, .. } = partial else { return };
        if self.waiting.len() == MAX_WAITING {
            return;
        }
        let ambiguous = strange || (chunked && length.is_some());
        self.waiting.push_back(Head { began, ambiguous });
        self.state = match length {
            _ if chunked => State::ChunkSize { size: 0, digits: true },
            None | Some(0) => State::Head(Partial::default()),
            Some(length) => State::Body(length),
        };
    }
}

impl LineStart {
    /// How many bytes belong to this line, and whether it ends with them.
    fn add(&mut self, bytes: &[u8]) -> (usize, bool) {
        let (used, ended) = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (bytes.len(), false),
        };
        let start = self.length.min(LINE_BYTES);
        let kept = used.min(LINE_BYTES - start);
        self.bytes[start..start + kept].copy_from_slice(&bytes[..kept]);
        self.length += used;
        (used, ended)
    }

    /// The beginning of the line without its end; the next one begins.
    fn take(&mut self) -> &[u8] {
        let line = &self.bytes[..self.length.min(LINE_BYTES)];
        self.length = 0;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// Takes what there is of `left` bytes.
fn part(bytes: &[u8], left: &mut u64) -> usize {
    let used = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= used as u64;
    used
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ambiguity of each head found, the bytes coming in pieces of `size`.
    fn found(text: &str, size: usize) -> Vec<bool> {
        let (mut heads, now) = (Heads::new(), Instant::now());
        for piece in text.as_bytes().chunks(size) {
            heads.read(piece, now);
        }
        std::iter::from_fn(|| heads.take()).map(|head| head.ambiguous).collect()
    }

    const REQUESTS: [(&str, bool); 7] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\nxx", false),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nA;x=1\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\nA: b\r\n\r\n",
            false,
        ),
        (
            "\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            true,
        ),
        ("POST / HTTP/1.1\nContent-Length:5\nTransfer-Encoding:\tchunked\n\n0\n\n", true),
        ("DELETE / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", false),
        (
            "GET / HTTP/1.1\r\nLong: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n\r\n",
            false,
        ),
    ];

    proptest! {
        #[test]
        fn every_request_is_found_however_the_bytes_come(
            picked in proptest::collection::vec(0..REQUESTS.len(), 1..6), size in 1..200usize,
        ) {
            let text: String = picked.iter().map(|&request| REQUESTS[request].0).collect();
            let expected: Vec<bool> = picked.iter().map(|&request| REQUESTS[request].1).collect();
            prop_assert_eq!(found(&text, size), expected);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in any::<Vec<u8>>()) {
            let mut heads = Heads::new();
            heads.read(&bytes, Instant::now());
        }
    }

    #[test]
    fn a_head_begins_with_its_first_byte() {
        let (mut heads, first) = (Heads::new(), Instant::now());
        let later = first + std::time::Duration::from_secs(1);
        heads.read(b"\r\n", first);
        assert_eq!(heads.partial_since(), None);
        heads.read(b"G", first);
        assert_eq!(heads.partial_since(), Some(first));
        heads.read(b"ET / HTTP/1.1\r\n\r\n", later);
        assert_eq!((heads.take().unwrap().began, heads.partial_since()), (first, None));
    }

    #[test]
    fn http_2_is_left_alone() {
        assert!(found("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n", 7).is_empty());
    }
}
