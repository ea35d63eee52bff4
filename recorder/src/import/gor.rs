//! GoReplay's files: payloads, each with a line of type, id and time before it, and a separator
//! after it.
//!
//! Types are 1 for a request, 2 for its answer and 3 for the answer that an earlier replay got,
//! which is left out. A request and its answer have the same id; memory for those that wait for
//! the other is bounded. The file does not tell connections apart, so sessions are told apart by
//! token or cookie, else by the client's address and program where a proxy noted them.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead, Read as _};
use std::path::Path;

use bytes::Bytes;

use super::error::ImportError;
use super::format::{Format, LONGEST_US, Take};
use super::http::{self, Message, header};
use super::input::Input;
use super::remarks::Remarks;
use crate::exchange::{Exchange, SeenAnswer, SeenBody};
use trace::format::{RecordedError, RecordedErrorKind, SourceKind};

const SEPARATOR: &[u8] = "\n🐵🙈🙉\n".as_bytes();

/// No payload is longer.
const MOST_PAYLOAD: usize = 64 << 20;

/// How many separators within one payload are looked into.
const MOST_LOOKS: u32 = 100;

/// How long a request waits for its answer, by the recording's own clock, and how many may.
const MOST_WAIT_US: u64 = 300_000_000;
const MOST_WAITING: usize = 20_000;
const MOST_WAITING_BYTES: usize = 32 << 20;

/// A number above this is a time, below it a duration: eleven days in nanoseconds.
const FIRST_TIME_NS: u64 = 1_000_000_000_000_000;

#[derive(Debug)]
pub struct Gor {
    /// `host` or `host:port`; none for all.
    pub host: Option<String>,
}

impl Format for Gor {
    const KIND: SourceKind = SourceKind::Gor;

    fn read(&self, input: &mut Input, take: Take<'_>) -> Result<Remarks, ImportError> {
        let path = input.path().to_owned();
        let mut payloads = Payloads { input: input.content()?, path: &path, at: 0 };
        let mut matcher = Matcher {
            host: self.host.as_deref(),
            other: None,
            wanted: 0,
            remarks: Remarks::default(),
            waiting: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            latest: 0,
            hashes: RandomState::new(),
            alone: 0,
        };
        while let Some(payload) = payloads.next()? {
            matcher.add(payload, take)?;
        }
        matcher.finish(take)
    }
}

/// The line before a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meta {
    kind: u8,
    id: String,
    /// Nanoseconds since 1970; of an answer, in some versions, how long it took.
    time: u64,
    /// Of an answer, in later versions, nanoseconds.
    latency: Option<u64>,
}

impl Meta {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.trim_end_matches('\r').split(' ');
        let kind = match words.next()? {
            "1" => 1,
            "2" => 2,
            "3" => 3,
            _ => return None,
        };
        let id = words.next()?;
        let is_id = matches!(id.len(), 24 | 40) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let time = words.next()?.parse().ok()?;
        // Or the client's address.
        let latency = words.next().and_then(|word| word.parse().ok());
        is_id.then(|| Self { kind, id: id.to_owned(), time, latency })
    }

    /// How long this answer to a request of that time took to its first byte and to its last, in
    /// microseconds.
    ///
    /// The latency is told from the request's start by some versions, and from the answer's own by
    /// others: one that would have ended before the answer began is its own.
    fn took(&self, request: u64) -> (u64, u64) {
        let us = |header: u64, total: u64| {
            ((header / 1000).min(LONGEST_US), (total / 1000).min(LONGEST_US))
        };
        if self.time < FIRST_TIME_NS {
            return us(self.time, self.time);
        }
        let header = self.time.saturating_sub(request);
        let total = match self.latency {
            Some(latency) if latency >= header => latency,
            Some(latency) => header.saturating_add(latency),
            None => header,
        };
        // Of an answer that has the request's time only the latency is known.
        us(if header == 0 { total } else { header }, total)
    }
}

struct Payload {
    meta: Meta,
    bytes: Vec<u8>,
}

struct Payloads<'a> {
    input: Box<dyn BufRead + 'a>,
    path: &'a Path,
    at: u64,
}

impl Payloads<'_> {
    fn next(&mut self) -> Result<Option<Payload>, ImportError> {
        let mut line = Vec::new();
        let at = self.at;
        // Empty lines may stand between payloads.
        loop {
            line.clear();
            if self.line(&mut line)? == 0 {
                return Ok(None);
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let meta = Meta::parse(line.strip_suffix(b"\n").unwrap_or(&line)).ok_or_else(|| {
            let shown: String = String::from_utf8_lossy(&line).chars().take(60).collect();
            let message = format!(
                "at byte {at} stands {shown:?} instead of a payload's type (1 to 3), id (24 or 40 hex digits) and time"
            );
            ImportError::Content { path: self.path.to_owned(), line: None, message }
        })?;
        let bytes = self.payload(&meta, at)?;
        Ok(Some(Payload { meta, bytes }))
    }

    /// Reads up to the separator that ends the payload. One within the body is recognised by the
    /// length in the head, or by what follows.
    fn payload(&mut self, meta: &Meta, at: u64) -> Result<Vec<u8>, ImportError> {
        let mut bytes = Vec::new();
        let mut looks = 0;
        loop {
            if self.line(&mut bytes)? == 0 {
                return if missing(meta, &bytes) == Some(0) {
                    Ok(bytes)
                } else {
                    let message = format!("the payload at byte {at} is not complete");
                    Err(ImportError::Cut { path: self.path.to_owned(), message })
                };
            }
            if let Some(payload) = bytes.strip_suffix(SEPARATOR) {
                // Each look reads the whole payload, which may be made of separators.
                looks += 1;
                let is_whole = looks <= MOST_LOOKS
                    && missing(meta, payload).is_none_or(|missing| missing == 0);
                if is_whole || self.begins_another()? {
                    let length = payload.len();
                    bytes.truncate(length);
                    return Ok(bytes);
                }
            }
            if bytes.len() > MOST_PAYLOAD {
                let message = format!("the payload at byte {at} is over {MOST_PAYLOAD} bytes long");
                return Err(ImportError::Content {
                    path: self.path.to_owned(),
                    line: None,
                    message,
                });
            }
        }
    }

    /// Whether what comes next is the line of another payload, or the end.
    fn begins_another(&mut self) -> Result<bool, ImportError> {
        let buffered =
            self.input.fill_buf().map_err(|error| ImportError::reading(self.path, error))?;
        let line = buffered.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(buffered.is_empty() || Meta::parse(line).is_some())
    }

    fn line(&mut self, into: &mut Vec<u8>) -> Result<usize, ImportError> {
        let most = (MOST_PAYLOAD + 1).saturating_sub(into.len()) as u64;
        let read = (&mut self.input).take(most).read_until(b'\n', into);
        let count = read.map_err(|error| ImportError::reading(self.path, error))?;
        self.at += count as u64;
        Ok(count)
    }
}

/// How many bytes a payload lacks according to its own head; none where it has no head.
fn missing(meta: &Meta, payload: &[u8]) -> Option<usize> {
    match meta.kind {
        1 => http::request(payload).map(|message| message.missing),
        _ => http::answer(payload, true).map(|(_, message)| message.missing),
    }
}

struct Matcher<'a> {
    host: Option<&'a str>,
    /// A host that was not wanted.
    other: Option<String>,
    wanted: u64,
    remarks: Remarks,
    waiting: HashMap<String, Waiting>,
    /// Ids by when they came.
    order: VecDeque<String>,
    bytes: usize,
    /// The latest time of a request, in microseconds.
    latest: u64,
    hashes: RandomState,
    /// Counts the requests whose client nothing identifies.
    alone: u64,
}

/// One of a request and its answer.
enum Waiting {
    Request(Payload),
    Answer(Payload),
}

impl Waiting {
    fn size(&self) -> usize {
        let (Self::Request(payload) | Self::Answer(payload)) = self;
        payload.bytes.len()
    }
}

impl Matcher<'_> {
    fn add(&mut self, payload: Payload, take: Take<'_>) -> Result<(), ImportError> {
        if payload.meta.kind == 3 {
            self.remarks.count("answers to an earlier replay (skipped)");
            return Ok(());
        }
        let id = payload.meta.id.clone();
        let is_request = payload.meta.kind == 1;
        if is_request {
            self.latest = self.latest.max(payload.meta.time / 1000);
        }
        match self.waiting.remove(&id) {
            Some(Waiting::Request(request)) if !is_request => {
                self.bytes -= request.bytes.len();
                self.emit(&request, Some(&payload), take)?;
            }
            Some(Waiting::Answer(answer)) if is_request => {
                self.bytes -= answer.bytes.len();
                self.emit(&payload, Some(&answer), take)?;
            }
            twice => {
                if let Some(earlier) = twice {
                    self.bytes -= earlier.size();
                    self.remarks.count("payloads whose id came twice (skipped)");
                }
                self.bytes += payload.bytes.len();
                let waiting =
                    if is_request { Waiting::Request(payload) } else { Waiting::Answer(payload) };
                self.waiting.insert(id.clone(), waiting);
                self.order.push_back(id);
            }
        }
        while let Some(oldest) = self.order.front() {
            let is_over = match self.waiting.get(oldest) {
                None => true,
                Some(Waiting::Request(payload)) => {
                    payload.meta.time / 1000 + MOST_WAIT_US < self.latest
                }
                Some(Waiting::Answer(_)) => false,
            };
            let is_full = self.waiting.len() > MOST_WAITING || self.bytes > MOST_WAITING_BYTES;
            if !is_over && !is_full {
                break;
            }
            let oldest = self.order.pop_front().unwrap_or_default();
            self.give_up(&oldest, take)?;
        }
        Ok(())
    }

    fn give_up(&mut self, id: &str, take: Take<'_>) -> Result<(), ImportError> {
        let Some(waiting) = self.waiting.remove(id) else { return Ok(()) };
        self.bytes -= waiting.size();
        match waiting {
            Waiting::Request(request) => self.emit(&request, None, take),
            Waiting::Answer(_) => {
                self.remarks.count("answers without their requests (skipped)");
                Ok(())
            }
        }
    }

    fn finish(mut self, take: Take<'_>) -> Result<Remarks, ImportError> {
        while let Some(oldest) = self.order.pop_front() {
            self.give_up(&oldest, take)?;
        }
        match (self.host, self.other) {
            (Some(wanted), Some(other)) if self.wanted == 0 => Err(ImportError::Option {
                option: "--host",
                message: format!("{wanted} does not occur; it has {other}"),
            }),
            _ => Ok(self.remarks),
        }
    }

    fn emit(
        &mut self,
        request: &Payload,
        answer: Option<&Payload>,
        take: Take<'_>,
    ) -> Result<(), ImportError> {
        let Some(sent) = http::request(&request.bytes) else {
            self.remarks.count("requests that are not HTTP/1 (skipped)");
            return Ok(());
        };
        if let (Some(wanted), Some(host)) = (self.host, header(&sent.headers, "host"))
            && !http::is_host(host, wanted)
        {
            self.other.get_or_insert_with(|| host.to_owned());
            self.remarks.count("requests to other hosts (skipped)");
            return Ok(());
        }
        if sent.missing > 0 {
            self.remarks.count("writes without their bodies (skipped)");
            return Ok(());
        }
        self.wanted += 1;
        let connection = self.client(&sent.headers);
        let result = self.result(request, &sent, answer);
        let Message { first: (method, target), headers, body, .. } = sent;
        // A proxy's client sends whole URLs.
        let path = target.find("://").map_or(target, |scheme| {
            let rest = &target[scheme + 3..];
            rest.find('/').map_or("/", |slash| &rest[slash..])
        });
        take(Exchange {
            id: String::new(),
            connection,
            at: request.meta.time / 1000,
            http: "1.1",
            method: method.to_owned(),
            path: path.to_owned(),
            body: SeenBody::Whole(body.into()),
            headers,
            result,
        })
    }

    fn result(
        &mut self,
        request: &Payload,
        sent: &Message<'_>,
        answer: Option<&Payload>,
    ) -> Result<SeenAnswer, RecordedError> {
        let has_body = sent.first.0 != "HEAD";
        let found = answer.and_then(|answer| {
            let (status, message) = http::answer(&answer.bytes, has_body)?;
            Some((status, message, answer.meta.took(request.meta.time)))
        });
        let Some((status, message, (header_us, total_us))) = found else {
            self.remarks.count("requests without an answer");
            return Err(RecordedError { kind: RecordedErrorKind::StillOpen, after_us: 0 });
        };
        if message.missing > 0 {
            self.remarks.count("answers without all of their bodies");
        }
        Ok(SeenAnswer {
            status,
            headers: message.headers,
            header_us,
            total_us,
            body: SeenBody::Whole(message.body.into()),
        })
    }

    /// A number for the client, as far as the headers identify it.
    fn client(&mut self, headers: &[(String, Bytes)]) -> u64 {
        let address = header(headers, "x-forwarded-for").or_else(|| header(headers, "x-real-ip"));
        match address {
            // Above all numbers that are counted up.
            Some(address) => {
                self.hashes.hash_one((address, header(headers, "user-agent"))) | 1 << 63
            }
            None => {
                self.alone += 1;
                self.alone
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_took_as_long_as_its_line_says() {
        const AT: u64 = 1_790_000_000_000_000_000;
        let took = |time: u64, latency: &str| {
            let line = format!("2 {:040x} {time}{latency}", 1);
            Meta::parse(line.as_bytes()).unwrap().took(AT)
        };
        assert_eq!(took(5_000_000, ""), (5000, 5000));
        assert_eq!(took(AT + 5_000_000, ""), (5000, 5000));
        assert_eq!(took(AT + 5_000_000, " 192.0.2.1:80"), (5000, 5000));
        assert_eq!(took(AT + 5_000_000, " -1"), (5000, 5000));
        // From the request's start, from its own, and where nothing else is known.
        assert_eq!(took(AT + 5_000_000, " 7000000"), (5000, 7000));
        assert_eq!(took(AT + 5_000_000, " 2000000"), (5000, 7000));
        assert_eq!(took(AT, " 7000000"), (7000, 7000));
        assert_eq!(took(AT + 1000, &format!(" {}", u64::MAX)), (1, LONGEST_US));
    }
}
