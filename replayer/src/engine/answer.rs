//! What is kept of an answer while it is read. Reading changes nothing for the user: see
//! [`super::effects`].

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use common_net::coding::{decode, decode_beginning};
use httparse::Header;

use super::checks::Checks;
use super::expiry::life_beside;
use super::held::Held;
use super::shelf::Shelf;
use crate::bind::{Extracted, Slots, extract_json, extract_text};
use crate::prepare::{CaptureFrom, Request, Source};
use http1::Sink;
use http1::cookies::name_and_value;

/// Bodies are kept up to this size where something is captured from them, and all bodies of the
/// process together up to [`MOST_HELD`](super::held::MOST_HELD). Past either nothing is captured.
const MAX_KEPT_BODY: usize = 16 << 20;

/// A longer value is not captured: each user keeps his own.
const MAX_VALUE: usize = 256 << 10;

/// How much of a body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is read to its end and not kept.
    Nothing,
    /// Only of an answer that is a failure, and only its beginning.
    FailureSample {
        bytes: usize,
    },
    Whole,
}

/// What is kept of an answer. Its memory serves one answer after another.
#[derive(Default)]
pub(super) struct Kept {
    /// Without memory up to the first byte that is kept.
    body: Vec<u8>,
    /// What the memory of the body counts.
    held: Held,
    /// Where that comes from.
    bodies: Rc<Shelf<Vec<u8>>>,
    /// Nothing more of the body is kept: it is longer than may be, or the bodies of others take all
    /// the memory that there is.
    is_cut: bool,
    content_encoding: Vec<u8>,
    /// Where the whole body is wanted.
    content_type: Vec<u8>,
    set_cookies: SetCookies,
    /// By capture of the request; empty where the answer has no such value.
    values: Slots,
}

/// The values of an answer's `Set-Cookie` headers, one after another.
#[derive(Default)]
struct SetCookies {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

/// Takes an answer in.
pub(super) struct Answer<'a> {
    /// None until a head has come.
    status: Option<u16>,
    wanted: Wanted,
    request: &'a Request,
    /// None where nothing is checked.
    checks: Option<&'a Checks>,
    /// The first check that the head misses.
    missed_by_head: Option<u16>,
    kept: &'a mut Kept,
}

/// What can be read of a body.
pub(super) struct AnswerText {
    pub text: String,
    pub is_whole: bool,
}

/// What the body says beside the values in it.
pub(super) struct OfBody {
    /// A value came from a list that was shorter than recorded.
    pub is_rebound: bool,
    /// The shortest life that stands beside a value of the login.
    pub life: Option<Duration>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(request: &'a Request, wanted: Wanted, kept: &'a mut Kept) -> Self {
        Self { status: None, wanted, request, checks: None, missed_by_head: None, kept }
    }

    /// The same, held against what is asked of it.
    pub(super) fn checked(self, checks: &'a Checks) -> Self {
        Self { checks: Some(checks), ..self }
    }

    /// Makes room for the answer to another attempt.
    pub(super) fn reset(&mut self) {
        self.status = None;
    }

    /// Whether a head has come.
    pub(super) fn has_head(&self) -> bool {
        self.status.is_some()
    }

    /// Whether its status is that of a failure.
    pub(super) fn is_failing(&self) -> bool {
        self.status.is_some_and(|status| status >= 400)
    }

    pub(super) fn request(&self) -> &'a Request {
        self.request
    }

    /// The first check that it misses; `size` is that of the body as it came.
    pub(super) fn missed_check(&self, size: u64) -> Option<u16> {
        let checks = self.checks?;
        let body = checks.need_body().then(|| self.decoded()).flatten();
        let by_body = checks.missed_by_body(body.as_deref(), size);
        self.missed_by_head.into_iter().chain(by_body).min()
    }

    /// What was kept of the body as text, its content coding undone as far as that goes; at most
    /// about `most` bytes where it was not kept whole. Empty where nothing can be read of it.
    pub(super) fn text(&self, most: usize) -> AnswerText {
        let Kept { body, content_encoding, is_cut, .. } = &*self.kept;
        let (readable, is_whole) = match self.kept.decoded() {
            Some(whole) => (whole, true),
            None => match decode_beginning(content_encoding, body, most) {
                Ok(beginning) => (beginning, false),
                // Some servers say that what they did not encode was.
                Err(_) if std::str::from_utf8(body).is_ok() => (Cow::Borrowed(&body[..]), !is_cut),
                Err(_) => (Cow::Borrowed(&[][..]), true),
            },
        };
        let mut text = String::from_utf8_lossy(&readable).into_owned();
        // A character that was cut in two.
        text.truncate(text.trim_end_matches('\u{fffd}').len());
        AnswerText { text, is_whole }
    }

    /// The body without its content coding, if it was kept whole and is what it says.
    pub(super) fn decoded(&self) -> Option<Cow<'_, [u8]>> {
        self.kept.decoded()
    }

    /// Empty where it is not text, or the body was not wanted.
    pub(super) fn content_type(&self) -> &str {
        std::str::from_utf8(&self.kept.content_type).unwrap_or_default()
    }

    pub(super) fn set_cookies(&self) -> impl Iterator<Item = &[u8]> {
        self.kept.set_cookies.iter()
    }

    /// What the request's capture of this number gave: those of the head once that has come,
    /// those of the body once [`Answer::read_body`] was called.
    pub(super) fn value(&self, capture: usize) -> Option<&str> {
        self.kept.values.get(capture)
    }

    /// Looks in the body for what the request captures from it.
    pub(super) fn read_body(&mut self) -> OfBody {
        let mut found = OfBody { is_rebound: false, life: None };
        let mut values = std::mem::take(&mut self.kept.values);
        let decoded = self.kept.decoded();
        let text = OnceCell::new();
        for (number, capture) in self.request.captures.iter().enumerate() {
            let Some(body) = &decoded else { break };
            if !capture.from.is_in_body() {
                continue;
            }
            let extracted = match &capture.from {
                CaptureFrom::Json { tokens, lists } => {
                    if let Source::Login(_) = capture.into {
                        found.life = shorter(found.life, life_beside(body, tokens));
                    }
                    extract_json(body, tokens, lists)
                }
                from => text
                    .get_or_init(|| std::str::from_utf8(body).ok())
                    .map_or(Extracted::Nothing, |text| extract_text(text, from)),
            };
            if let Extracted::Found(value) | Extracted::Rebound(value) = &extracted {
                found.is_rebound |= matches!(extracted, Extracted::Rebound(_));
                set(&mut values, number, value);
            }
        }
        drop(decoded);
        self.kept.values = values;
        found
    }
}

impl Kept {
    /// Adds to the body, or gives up on it where the process holds too much already.
    fn append(&mut self, bytes: &[u8]) {
        if self.body.capacity() == 0 && !bytes.is_empty() {
            self.body = self.bodies.take();
            self.body.clear();
        }
        let needed = self.body.len() + bytes.len();
        let capacity = if needed > self.body.capacity() {
            needed.max(2 * self.body.capacity()).min(MAX_KEPT_BODY.max(needed))
        } else {
            self.body.capacity()
        };
        if !self.held.grow_to(capacity) {
            self.is_cut = true;
            return;
        }
        self.body.reserve_exact(capacity - self.body.len());
        self.body.extend_from_slice(bytes);
    }

    /// Has memory for bodies come from there.
    pub(super) fn takes_from(&mut self, bodies: &Rc<Shelf<Vec<u8>>>) {
        self.bodies = Rc::clone(bodies);
    }

    /// Gives the memory of the body back: nobody will look into it any more.
    pub(super) fn release(&mut self) {
        self.held.release();
        let body = std::mem::take(&mut self.body);
        if body.capacity() > 0 {
            self.bodies.give_back(body);
        }
    }

    /// In bytes, without what it holds in a moment of reading.
    pub(super) fn capacity(&self) -> usize {
        let Self { body, held: _, bodies: _, is_cut: _, content_encoding, content_type, .. } = self;
        let cookies = self.set_cookies.bytes.capacity() + self.set_cookies.ends.capacity() * 8;
        let text = body.capacity() + content_encoding.capacity() + content_type.capacity();
        text + cookies + self.values.capacity()
    }

    fn decoded(&self) -> Option<Cow<'_, [u8]>> {
        if self.is_cut {
            return None;
        }
        decode(&self.content_encoding, &self.body, MAX_KEPT_BODY).ok()
    }
}

impl SetCookies {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }
}

impl Sink for Answer<'_> {
    fn head(&mut self, status: u16, headers: &[Header<'_>]) {
        self.status = Some(status);
        self.missed_by_head = self.checks.and_then(|checks| checks.missed_by_head(headers));
        let Kept { body, is_cut, content_encoding, content_type, set_cookies, values, .. } =
            &mut *self.kept;
        body.clear();
        *is_cut = false;
        content_encoding.clear();
        content_type.clear();
        set_cookies.clear();
        for header in headers {
            if header.name.eq_ignore_ascii_case("set-cookie") {
                set_cookies.push(header.value);
            } else if header.name.eq_ignore_ascii_case("content-encoding") {
                if !content_encoding.is_empty() {
                    content_encoding.push(b',');
                }
                content_encoding.extend_from_slice(header.value);
            } else if self.wanted == Wanted::Whole
                && content_type.is_empty()
                && header.name.eq_ignore_ascii_case("content-type")
            {
                content_type.extend_from_slice(header.value);
            }
        }
        values.reset(self.request.captures.len());
        for (number, capture) in self.request.captures.iter().enumerate() {
            let value = match &capture.from {
                CaptureFrom::Header(name) => text_of(headers, name),
                CaptureFrom::HeaderSegment { name, from_end } => text_of(headers, name)
                    .and_then(|url| url.split(['?', '#']).next()?.rsplit('/').nth(*from_end)),
                CaptureFrom::Cookie(name) => headers
                    .iter()
                    .filter(|header| header.name.eq_ignore_ascii_case("set-cookie"))
                    .filter_map(|header| name_and_value(header.value))
                    .find(|(key, _)| *key == name.as_bytes())
                    .and_then(|(_, value)| std::str::from_utf8(value).ok()),
                CaptureFrom::Json { .. }
                | CaptureFrom::Form(_)
                | CaptureFrom::Meta(_)
                | CaptureFrom::Attribute(_)
                | CaptureFrom::Text { .. } => None,
            };
            if let Some(value) = value {
                values.set(number, value);
            }
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        let most = match self.wanted {
            Wanted::Nothing => return,
            Wanted::FailureSample { .. } if self.status.is_none_or(|status| status < 400) => return,
            Wanted::FailureSample { bytes } => bytes,
            Wanted::Whole => MAX_KEPT_BODY,
        };
        if self.kept.is_cut {
            return;
        }
        let room = most.saturating_sub(self.kept.body.len());
        self.kept.append(&bytes[..bytes.len().min(room)]);
        self.kept.is_cut |= bytes.len() > room;
    }
}

/// Keeps a value that is short enough to be kept for a user.
fn set(values: &mut Slots, number: usize, value: &str) {
    if value.len() <= MAX_VALUE {
        values.set(number, value);
    }
}

fn text_of<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok()
}

/// Of two lives that may be known, the one that ends first: a refresh token outlives the
/// token that it is for.
pub(super) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
