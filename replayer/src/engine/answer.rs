//! What is kept of an answer while it is read.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common_net::coding::decode;
use httparse::Header;

use super::expiry::{Expiry, life_beside, life_of_token};
use super::release::Ticket;
use super::settings::Settings;
use super::user::User;

use crate::bind::{Extracted, extract_form, extract_json};
use crate::prepare::{Capture, CaptureFrom, Request, Source};
use crate::time::At;
use http1::Sink;
use http1::cookies::{Asked, name_and_value};

/// Bodies are kept up to this size where something is captured from them.
pub(super) const MAX_KEPT_BODY: usize = 16 << 20;

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

/// Takes an answer in for a lane.
pub(super) struct Answer<'a> {
    pub status: u16,
    pub wanted: Wanted,
    /// Lent by the worker, so that it is allocated once.
    pub body: Vec<u8>,
    /// The body was longer than what may be kept.
    pub is_cut: bool,
    content_encoding: Vec<u8>,
    /// The shortest of the login's values in the head.
    life: Option<Duration>,
    user: &'a User,
    ticket: &'a Ticket,
    request: &'a Request,
    place: Place<'a>,
}

/// Where and when the request went, for cookies and tokens.
struct Place<'a> {
    settings: &'a Settings,
    at: At,
}

impl Place<'_> {
    fn wall_clock(&self) -> DateTime<Utc> {
        self.settings.wall_clock(self.at)
    }
}

impl<'a> Answer<'a> {
    pub(super) fn new(
        wanted: Wanted,
        body: Vec<u8>,
        user: &'a User,
        ticket: &'a Ticket,
        request: &'a Request,
        settings: &'a Settings,
        at: At,
    ) -> Self {
        Self {
            status: 0,
            wanted,
            body,
            is_cut: false,
            content_encoding: Vec::new(),
            life: None,
            user,
            ticket,
            request,
            place: Place { settings, at },
        }
    }

    /// The body without its content coding, if it was kept whole and is what it says.
    pub(super) fn decoded(&self) -> Option<Cow<'_, [u8]>> {
        if self.is_cut {
            return None;
        }
        decode(&self.content_encoding, &self.body, MAX_KEPT_BODY).ok()
    }

    /// Captures what the request's answer is to give; tells whether any was rebound.
    pub(super) fn capture(&self) -> bool {
        let mut is_rebound = false;
        let mut life = self.life;
        let decoded = self.decoded();
        for capture in &self.request.captures {
            let value = match (&capture.from, &decoded) {
                // Taken when the head was read.
                (
                    CaptureFrom::Header(_)
                    | CaptureFrom::HeaderSegment { .. }
                    | CaptureFrom::Cookie(_),
                    _,
                ) => continue,
                (CaptureFrom::Json { tokens, lists }, Some(body)) => {
                    match extract_json(body, tokens, lists) {
                        Extracted::Found(value) => Some(value),
                        Extracted::Rebound(value) => {
                            is_rebound = true;
                            Some(value)
                        }
                        Extracted::Nothing => None,
                    }
                }
                (CaptureFrom::Form(name), Some(body)) => std::str::from_utf8(body)
                    .ok()
                    .and_then(|page| extract_form(page, name))
                    .map(Cow::into_owned),
                (_, None) => None,
            };
            let beside = match (capture.into, &capture.from, &decoded) {
                (Source::Login(_), CaptureFrom::Json { tokens, .. }, Some(body)) => {
                    life_beside(body, tokens)
                }
                _ => None,
            };
            life = shorter(life, beside);
            life = shorter(life, self.keep(capture, value.as_deref()));
        }
        if let Some(life) = life {
            self.user.expires(Expiry { at: self.place.at + life, life });
        }
        is_rebound
    }

    /// Keeps what a capture gave; of a login's, how long it is good for where it says.
    fn keep(&self, capture: &Capture, value: Option<&str>) -> Option<Duration> {
        self.user.capture(self.ticket, capture.into, value);
        match capture.into {
            Source::Login(_) => life_of_token(value?, self.place.wall_clock()),
            Source::Session(_) => None,
        }
    }
}

impl Sink for Answer<'_> {
    fn head(&mut self, status: u16, headers: &[Header<'_>]) {
        self.status = status;
        self.body.clear();
        self.content_encoding.clear();
        for header in headers {
            if header.name.eq_ignore_ascii_case("set-cookie") {
                let cookies = &mut self.user.state.borrow_mut().cookies;
                let asked = Asked { host: &self.place.settings.host, path: &self.request.path };
                cookies.store(header.value, asked, self.place.wall_clock());
            } else if header.name.eq_ignore_ascii_case("content-encoding") {
                if !self.content_encoding.is_empty() {
                    self.content_encoding.push(b',');
                }
                self.content_encoding.extend_from_slice(header.value);
            }
        }
        let mut life = None;
        for capture in &self.request.captures {
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
                CaptureFrom::Json { .. } | CaptureFrom::Form(_) => continue,
            };
            life = shorter(life, self.keep(capture, value));
        }
        self.life = life;
    }

    fn body(&mut self, bytes: &[u8]) {
        let most = match self.wanted {
            Wanted::Nothing => return,
            Wanted::FailureSample { .. } if self.status < 400 => return,
            Wanted::FailureSample { bytes } => bytes,
            Wanted::Whole => MAX_KEPT_BODY,
        };
        let room = most.saturating_sub(self.body.len());
        self.is_cut |= bytes.len() > room;
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

fn text_of<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok()
}

/// Of two lives that may be known, the one that ends first: a refresh token outlives the
/// token that it is for.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
