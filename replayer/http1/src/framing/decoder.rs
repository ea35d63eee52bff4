//! One answer, from bytes in any pieces.

use std::mem::{MaybeUninit, replace};

use httparse::{Header, ParserConfig, Response, Status};

use super::chunked::Chunked;
use super::head::{Body, interpret};
use super::section::{Section, is_folded, unfold};
use super::{FramingError, Limits, MAX_HEADERS, Method};
use crate::{Answer, Sink};

/// Reads one answer. After an error it must not be fed again.
#[derive(Debug)]
pub struct Decoder {
    method: Method,
    limits: Limits,
    state: State,
    /// A head or trailer section that is not whole yet.
    section: Section,
    /// What is left of `limits.head_bytes`.
    head_left: usize,
    status: u16,
    persistent: bool,
    body_bytes: u64,
}

#[derive(Debug)]
enum State {
    Head,
    Sized(u64),
    Chunked(Chunked),
    Trailers,
    UntilClose,
    Done,
}

impl Decoder {
    pub fn new(method: Method, limits: Limits) -> Self {
        Self {
            method,
            limits,
            state: State::Head,
            section: Section::head(),
            head_left: limits.head_bytes,
            status: 0,
            persistent: false,
            body_bytes: 0,
        }
    }

    /// Takes bytes up to the end of the answer and returns how many those
    /// were. What it leaves is not part of the answer.
    ///
    /// # Errors
    /// When the bytes are no answer or one over the limits.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, FramingError> {
        let mut used = 0;
        while used < bytes.len() && !self.is_done() {
            used += self.step(&bytes[used..], sink)?;
        }
        Ok(used)
    }

    /// Tells that no more bytes will come.
    ///
    /// # Errors
    /// When the answer needs more. Then it was cut off.
    pub fn end(&mut self) -> Result<(), FramingError> {
        match replace(&mut self.state, State::Done) {
            State::Done | State::UntilClose => Ok(()),
            cut => {
                self.state = cut;
                Err(FramingError::Incomplete)
            }
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Of the final head; 0 before it.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection can carry another exchange, once this is done.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// Bytes of the body so far, without chunk framing.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    fn step(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, FramingError> {
        match &mut self.state {
            State::Head => self.head(bytes, sink),
            State::Sized(left) => {
                let take = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                sink.body(&bytes[..take]);
                *left -= take as u64;
                self.body_bytes += take as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                Ok(take)
            }
            State::Chunked(chunked) => {
                let used = chunked.feed(bytes, &self.limits, sink)?;
                self.body_bytes = chunked.body_bytes();
                if chunked.at_trailers() {
                    self.section = Section::trailers();
                    self.state = State::Trailers;
                }
                Ok(used)
            }
            State::Trailers => self.trailers(bytes),
            State::UntilClose => {
                sink.body(bytes);
                self.body_bytes += bytes.len() as u64;
                Ok(bytes.len())
            }
            State::Done => Ok(0),
        }
    }

    /// A head that is whole in `bytes` is parsed there; any other is collected first.
    fn head(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<usize, FramingError> {
        if self.section.is_empty() {
            let allowed = &bytes[..bytes.len().min(self.head_left)];
            match self.parse_head(allowed, sink) {
                Ok(Some(used)) => return self.spend(used),
                Err(FramingError::Head { .. }) if is_folded(bytes) => {}
                Err(error) => return Err(error),
                Ok(None) => {}
            }
        }
        let (used, whole) = self.section.collect(bytes);
        self.spend(used)?;
        if let Some(mut whole) = whole {
            unfold(&mut whole);
            self.parse_head(&whole, sink)?.ok_or(FramingError::Incomplete)?;
        }
        Ok(used)
    }

    /// The bytes of the head at the start of `bytes`, or nothing if it is not whole.
    fn parse_head(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) -> Result<Option<usize>, FramingError> {
        let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_HEADERS];
        let mut head = Response::new(&mut []);
        let parsed = ParserConfig::default()
            .parse_response_with_uninit_headers(&mut head, bytes, &mut headers)
            .map_err(|source| FramingError::Head { source })?;
        let (Status::Complete(used), Some(status), Some(minor)) = (parsed, head.code, head.version)
        else {
            return Ok(None);
        };
        let limit = self.limits.line_bytes;
        if head.headers.iter().any(|header| header.name.len() + header.value.len() > limit) {
            return Err(FramingError::LineTooLong { limit });
        }
        match status {
            101 => return Err(FramingError::Upgraded),
            100..=199 => {
                self.section = Section::head();
                return Ok(Some(used));
            }
            200..=999 => {}
            _ => return Err(FramingError::Status { status }),
        }
        let framing = interpret(minor, status, self.method, head.headers)?;
        self.status = status;
        self.persistent = framing.persistent;
        self.state = match framing.body {
            Body::None => State::Done,
            Body::Sized(length) => State::Sized(length),
            Body::Chunked => State::Chunked(Chunked::new()),
            Body::UntilClose => State::UntilClose,
        };
        sink.head(status, head.headers);
        Ok(Some(used))
    }

    /// Trailers are checked and dropped.
    fn trailers(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        // Mostly there are none, and then nothing needs to be kept.
        if self.section.is_empty() && bytes.starts_with(b"\r\n") {
            self.state = State::Done;
            return Ok(2);
        }
        let (used, whole) = self.section.collect(bytes);
        self.spend(used)?;
        if let Some(mut whole) = whole {
            unfold(&mut whole);
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            httparse::parse_headers(&whole, &mut headers)
                .map_err(|source| FramingError::Trailer { source })?;
            self.state = State::Done;
        }
        Ok(used)
    }

    /// Takes `used` bytes from what heads may have.
    fn spend(&mut self, used: usize) -> Result<usize, FramingError> {
        let limit = self.limits.head_bytes;
        self.head_left =
            self.head_left.checked_sub(used).ok_or(FramingError::HeadTooLong { limit })?;
        Ok(used)
    }
}

/// A whole answer and what followed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub answer: Answer,
    pub persistent: bool,
    /// Bytes of the answer; any after it are not part of it.
    pub used: usize,
}

/// Reads one answer from all that a connection sent before it ended: the
/// framing as a pure function, for tests and fuzzing.
///
/// # Errors
/// As [`Decoder::feed`] and [`Decoder::end`].
pub fn decode_all(bytes: &[u8], method: Method, limits: Limits) -> Result<Decoded, FramingError> {
    let mut answer = Answer::default();
    let mut decoder = Decoder::new(method, limits);
    let used = decoder.feed(bytes, &mut answer)?;
    decoder.end()?;
    Ok(Decoded { answer, persistent: decoder.is_persistent(), used })
}
