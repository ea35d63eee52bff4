//! Turns observed exchanges into lines of the trace: sessions are told apart, values from earlier
//! answers are bound to where they came from, and secrets are left out.
//!
//! [`identity`] says whose exchange it is, [`answer`] what its answer gives to that
//! session's [`values`], and [`bind`] what each of the [`places`] of a request is bound to.
//!
//! Memory per session: at most 512 KiB of values from answers, 8192 values that the client sent,
//! 8192 ids that it generated. At most [`MAX_SESSIONS`] sessions are kept; those idle for longest
//! are forgotten first.

mod answer;
mod bind;
mod client_values;
mod edits;
mod identity;
mod json;
mod places;
mod route;
mod rules;
mod values;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use manifest::format::{Account, Manifest};
use redact::{Redactor, is_password_name, is_secret_field};
use serde_json::Value;

use self::answer::Giver;
use self::bind::Binder;
use self::identity::Identity;
pub use self::identity::SessionBy;
use self::places::Place;
pub use self::rules::{Rules, RulesError};
use self::values::{Answered, SessionValues};
use crate::exchange::{Exchange, SeenAnswer, SeenBody};
use trace::format::{Answer, Binding, Body, Origin, Part, RecordedResult, Request, canonical};
use trace::journal::LateCapture;
use trace::shape::{Shape, json_of, may_be_json};

const MAX_SESSIONS: usize = 50_000;

/// A body that is larger than this once decoded is not looked into.
const MAX_LOOKED_INTO: usize = 16 << 20;

/// Headers that replay computes, or that belong to the connection.
const LEFT_OUT: [&str; 6] =
    ["host", "content-length", "cookie", "expect", "content-encoding", "transfer-encoding"];

/// What has to be known before the first exchange.
#[derive(Debug)]
pub struct Config {
    /// The accounts whose logins are recognised.
    pub manifest: Option<Manifest>,
    pub session_by: SessionBy,
    pub rules: Rules,
    /// Whether the trace keeps the bodies of answers, without secrets.
    pub keep_bodies: bool,
    /// Wall clock at the recording's start.
    pub started: DateTime<Utc>,
    /// Prefix of each session's name.
    pub prefix: String,
}

/// What is journaled for one exchange.
pub struct Correlated {
    pub request: Request,
    /// Of the answer's body, if it was JSON; the journal gives it its digest.
    pub shape: Option<Shape>,
    /// Captures that earlier requests turn out to need, to be journaled before the request.
    pub captures: Vec<LateCapture>,
}

/// Holds the sessions, with bounded memory for each.
pub struct Correlator {
    rules: Rules,
    keep_bodies: bool,
    accounts: Vec<Arc<Account>>,
    /// Accounts by the values that they log in with.
    logins: HashMap<String, usize>,
    started: DateTime<Utc>,
    prefix: String,
    identity: Identity,
    sessions: HashMap<usize, Session>,
    next_session: usize,
}

#[derive(Default)]
struct Session {
    name: String,
    account: Option<Arc<Account>>,
    values: SessionValues,
    is_logged_in: bool,
    /// When its latest request was sent.
    last: u64,
}

/// A request's body as it will be stored, before anything is bound.
enum SentBody {
    None,
    Text(String),
    Binary(Vec<u8>),
    Unknown { size: u64, sha256: String },
}

impl Correlator {
    pub fn new(config: Config) -> Self {
        let Config { manifest, session_by, rules, keep_bodies, started, prefix } = config;
        let accounts: Vec<Arc<Account>> =
            manifest.map_or_else(Vec::new, |m| m.accounts.into_iter().map(Arc::new).collect());
        let mut logins = HashMap::new();
        for (index, account) in accounts.iter().enumerate() {
            for (field, value) in &account.fields {
                if !is_secret_field(field) {
                    logins.insert(value.to_lowercase(), index);
                }
            }
            logins.insert(account.name.to_lowercase(), index);
        }
        Self {
            rules,
            keep_bodies,
            accounts,
            logins,
            started,
            prefix,
            identity: Identity::new(session_by),
            sessions: HashMap::new(),
            next_session: 1,
        }
    }

    /// Takes an exchange in order of completion.
    pub fn take(&mut self, exchange: Exchange) -> Correlated {
        let Exchange { id, connection, at, http, method, path, headers, body, result } = exchange;
        let header = |name: &str| text_of(&headers, name);
        let body = text_body(body, header("content-encoding"));
        let content_type = header("content-type").to_ascii_lowercase();
        let places = match &body {
            SentBody::Text(text) => body_places(text, &content_type, header("content-type")),
            _ => Vec::new(),
        };
        let login = self.login(&places);
        let shown = self.identity.shown(&headers);
        let number = self.session(&shown, connection, login.is_some());
        let Some(session) = self.sessions.get_mut(&number) else {
            unreachable!("the session was found or made just now");
        };
        if let Some(Some(account)) = login {
            session.account = Some(Arc::clone(&self.accounts[account]));
            session.values.set_account(&self.accounts[account]);
        }
        let account = session.account.clone();

        let mut binder = Binder {
            values: &mut session.values,
            rules: &self.rules,
            account: account.as_deref(),
            at,
            now: self.started + chrono::Duration::microseconds(at.min(1 << 52) as i64),
            creates: method == "PUT",
            captures: Vec::new(),
            segments: Vec::new(),
        };
        let mut bind = Vec::new();
        let edits = binder.edits(&path, &places::of_path(&path));
        let (stored_path, bindings) = edits::apply(&path, edits, Part::Path);
        bind.extend(bindings);
        let mut stored_headers = Vec::with_capacity(headers.len());
        for (name, value) in &headers {
            if LEFT_OUT.iter().any(|left_out| name.eq_ignore_ascii_case(left_out)) {
                continue;
            }
            // A value that is not text cannot be stored, and hardly any server depends on one.
            let Ok(value) = std::str::from_utf8(value) else { continue };
            let edits = binder.edits(value, &[places::of_header(name, value)]);
            let (value, bindings) = edits::apply(value, edits, Part::Header(stored_headers.len()));
            bind.extend(bindings);
            stored_headers.push((canonical(name), value));
        }
        let stored_body = match &body {
            SentBody::None => None,
            SentBody::Text(text) => {
                let edits = binder.edits(text, &places);
                let (text, bindings) = edits::apply(text, edits, Part::Body);
                bind.extend(bindings);
                Some(Body::Text(text))
            }
            SentBody::Binary(bytes) if binder.values.secrets().are_in(bytes) => {
                Some(truncated(bytes))
            }
            SentBody::Binary(bytes) => Some(Body::Base64(BASE64_STANDARD.encode(bytes))),
            SentBody::Unknown { size, sha256 } => {
                Some(Body::Truncated { size: *size, sha256: sha256.clone() })
            }
        };
        let Binder { mut captures, segments, .. } = binder;
        let name = route::name(&method, &path, &segments, &self.rules);

        session.last = session.last.max(at);
        let mut shape = None;
        let mut prologue = false;
        let result = match result {
            Err(error) => RecordedResult::Error(error),
            Ok(answer) => {
                let ended = at + answer.total_us;
                let path = path.split('?').next().unwrap_or_default().to_owned();
                let answered = Arc::new(Answered { id: id.clone(), at, ended, path });
                let mut giver = Giver {
                    values: &mut session.values,
                    rules: &self.rules,
                    answered,
                    credentials: Vec::new(),
                };
                let Looked { size, content, is_seen } = giver.answer(&answer);
                let credentials = giver.credentials;
                if login.is_some() && answer.status < 400 {
                    prologue = !session.is_logged_in;
                    session.is_logged_in = true;
                }
                for credential in &credentials {
                    self.identity.give(number, credential);
                }
                // Only now are all secrets of this answer known.
                shape = match &content {
                    Some(Content::Json(json)) => Shape::of_json(answer.status, Some(json)),
                    Some(Content::Text(_)) | None if is_seen => None,
                    _ => Shape::unseen(answer.status, text_of(&answer.headers, "content-type")),
                };
                let redactor =
                    Redactor { names: &self.rules.names, known: session.values.secrets() };
                let body = content
                    .filter(|_| self.keep_bodies)
                    .and_then(|content| content.without_secrets(redactor));
                let SeenAnswer { status, header_us, total_us, .. } = answer;
                let capture = Vec::new();
                RecordedResult::Answer(Answer {
                    status,
                    header_us,
                    total_us,
                    size,
                    shape: None,
                    capture,
                    body,
                })
            }
        };
        // What a login returns belongs to the user, whether or not this session needs it.
        if prologue {
            captures.extend(bind::secrets_of(&mut session.values, &id));
        }
        self.identity.bind(number, &shown, connection);
        let request = Request {
            id,
            at,
            session: session.name.clone(),
            persona: account.as_ref().map(|account| account.persona.clone()),
            account: account.as_ref().map(|account| account.name.clone()),
            name,
            http: http.to_owned(),
            method,
            path: stored_path,
            headers: stored_headers,
            body: stored_body,
            bind,
            after: Vec::new(),
            prologue,
            result,
        };
        Correlated { request, shape, captures }
    }

    /// Whether the body is a login, and the manifest's account that it is of.
    fn login(&self, places: &[Place<'_>]) -> Option<Option<usize>> {
        let is_password = |place: &&Place<'_>| is_password_name(place.name());
        let password = places.iter().find(is_password)?;
        let accounts =
            places.iter().filter_map(|place| self.logins.get(&place.value.to_lowercase()).copied());
        // A login with a wrong password is not the account's.
        let mut right = accounts.filter(|&account| {
            self.accounts[account].fields.values().any(|value| *value == password.value)
        });
        Some(right.next())
    }

    fn session(
        &mut self,
        shown: &identity::ShownCredentials,
        connection: u64,
        begins: bool,
    ) -> usize {
        let sessions = &self.sessions;
        let is_logged_in =
            |session| sessions.get(&session).is_some_and(|s: &Session| s.is_logged_in);
        if let Some(session) = self.identity.of(shown, connection, begins, is_logged_in) {
            return session;
        }
        if self.sessions.len() >= MAX_SESSIONS {
            self.forget_a_tenth();
        }
        let number = self.next_session;
        self.next_session += 1;
        let name = format!("{}-s{number}", self.prefix);
        self.sessions.insert(number, Session { name, ..Session::default() });
        number
    }

    fn forget_a_tenth(&mut self) {
        let mut times: Vec<u64> = self.sessions.values().map(|session| session.last).collect();
        times.sort_unstable();
        let oldest = times[times.len() / 10];
        self.sessions.retain(|_, session| session.last > oldest);
        let sessions = &self.sessions;
        self.identity.forget(|session| !sessions.contains_key(&session));
    }
}

/// A path as it may be stored where nothing is known about its session: parameters with secret
/// names lose their values, which then have to be given to the replay.
pub(crate) fn without_secrets(path: &str, rules: &Rules) -> (String, Vec<Binding>) {
    let places = if path.contains('?') { places::of_path(path) } else { Vec::new() };
    let secrets = places.iter().filter(|place| rules.is_secret(place.name()));
    let edits = secrets.map(|place| edits::Edit {
        range: place.range.clone(),
        from: Origin::Slot(place.name().to_owned()),
        encode: place.encode,
        is_secret: true,
    });
    edits::apply(path, edits.collect(), Part::Path)
}

/// The endpoint's name of a request that has no bindings.
pub(crate) fn endpoint(method: &str, path: &str, rules: &Rules) -> String {
    route::name(method, path, &[], rules)
}

/// A decoded body.
enum Content<'a> {
    Json(Value),
    Text(Cow<'a, str>),
}

/// What was found in an answer.
struct Looked<'a> {
    /// Bytes of the body after decoding.
    size: u64,
    content: Option<Content<'a>>,
    /// Whether the body was there to be looked into.
    is_seen: bool,
}

impl Content<'_> {
    /// The body as it may be kept, if at all.
    fn without_secrets(self, redactor: Redactor<'_>) -> Option<String> {
        match self {
            Self::Json(mut json) => {
                redactor.json(&mut json);
                Some(json.to_string())
            }
            Self::Text(text) => redactor.may_keep(&text).then(|| text.into_owned()),
        }
    }
}

impl Giver<'_> {
    fn answer<'a>(&mut self, answer: &'a SeenAnswer) -> Looked<'a> {
        self.headers(&answer.headers);
        let unseen = |size| Looked { size, content: None, is_seen: false };
        let bytes = match &answer.body {
            SeenBody::TooLarge { size, .. } => return unseen(*size),
            SeenBody::Whole(bytes) => bytes,
        };
        let coding = text_of(&answer.headers, "content-encoding");
        let Some(body) = decoded(bytes, coding) else { return unseen(bytes.len() as u64) };
        let size = body.len() as u64;
        let content_type = text_of(&answer.headers, "content-type");
        let content = match json_of(content_type, &body) {
            Some(json) => {
                self.json(&json);
                Some(Content::Json(json))
            }
            None => self.text(body, content_type).map(Content::Text),
        };
        Looked { size, content, is_seen: true }
    }

    /// A body that is not JSON, and was not to be.
    fn text<'a>(&mut self, body: Cow<'a, [u8]>, content_type: &str) -> Option<Cow<'a, str>> {
        if may_be_json(content_type, &body) {
            return None;
        }
        let text = text(body)?;
        if content_type.to_ascii_lowercase().contains("html") {
            self.page(&text);
        }
        Some(text)
    }
}

/// None where the bytes are not UTF-8.
fn text(bytes: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

fn text_of<'a>(headers: &'a [(String, Bytes)], name: &str) -> &'a str {
    let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
    found.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
}

/// Undoes content coding, because values are bound in the plain text.
fn text_body(body: SeenBody, coding: &str) -> SentBody {
    let bytes = match body {
        SeenBody::TooLarge { size, sha256 } => return SentBody::Unknown { size, sha256 },
        SeenBody::Whole(bytes) if bytes.is_empty() => return SentBody::None,
        SeenBody::Whole(bytes) => bytes,
    };
    let Some(plain) = decoded(&bytes, coding) else {
        let Body::Truncated { size, sha256 } = truncated(&bytes) else { return SentBody::None };
        return SentBody::Unknown { size, sha256 };
    };
    match String::from_utf8(plain.into_owned()) {
        Ok(text) => SentBody::Text(text),
        Err(error) => SentBody::Binary(error.into_bytes()),
    }
}

/// A body without its content coding; none where the coding is unknown, the body is damaged, or
/// it is larger than [`MAX_LOOKED_INTO`].
fn decoded<'a>(body: &'a [u8], codings: &str) -> Option<Cow<'a, [u8]>> {
    common_net::coding::decode(codings.as_bytes(), body, MAX_LOOKED_INTO).ok()
}

fn truncated(bytes: &[u8]) -> Body {
    Body::Truncated { size: bytes.len() as u64, sha256: common::digest::of(bytes) }
}

fn body_places<'a>(text: &'a str, content_type: &str, original: &str) -> Vec<Place<'a>> {
    if content_type.starts_with("application/x-www-form-urlencoded") {
        return places::of_form(text);
    }
    if content_type.starts_with("multipart/") {
        let boundary =
            original.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="));
        return boundary.map_or_else(Vec::new, |b| places::of_multipart(text, b.trim_matches('"')));
    }
    places::of_json(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
