//! Turns observed exchanges into lines of the trace: sessions are told apart, values from earlier
//! answers are bound to where they came from, and secrets are left out.
//!
//! [`identity`] says whose exchange it is, [`answer`] what its answer gives to that
//! session's [`values`] (a page or a text in [`page`]), and [`bind`] what each of the places of a
//! request is bound to: the best [`source`], or something [`fresh`]. Where the places are, and what
//! of them is secret, [`redact`] knows.
//!
//! Memory per session: at most 512 KiB of values from answers, 8192 values that the client sent,
//! 8192 ids that it generated. At most [`MAX_SESSIONS`] sessions are kept; those idle for longest
//! are forgotten first.

mod answer;
mod bind;
mod client_values;
mod counters;
mod fresh;
mod identity;
mod log;
mod names;
mod page;
mod received;
mod route;
mod rules;
mod sent;
mod signup;
mod source;
mod values;
mod who;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use manifest::format::{Account, Manifest};
use redact::{Common, Place, Redactor, body, is_password_name, is_secret_field};

use self::answer::Giver;
use self::bind::Binder;
use self::counters::Counters;
use self::identity::Identity;
pub use self::identity::SessionBy;
pub(crate) use self::log::{LogReader, Logged};
use self::received::{Content, Looked};
pub use self::rules::{Rules, RulesError};
use self::sent::SentBody;
use self::signup::Entry;
use self::source::Answered;
use self::values::SessionValues;
use self::who::Login;
use crate::edits;
use crate::exchange::{Exchange, SeenAnswer, text_of};
use trace::format::{Answer, Part, RecordedResult, Request, canonical};
use trace::journal::LateCapture;
use trace::own_site;
use trace::shape::Shape;

const MAX_SESSIONS: usize = 50_000;

/// By so many names a session is known that logged in by them.
const MOST_NAMES: usize = 1000;

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
    common: Common,
    counters: Counters,
    sessions: HashMap<usize, Session>,
    next_session: usize,
}

#[derive(Default)]
struct Session {
    name: String,
    account: Option<Arc<Account>>,
    /// Whose it is: that account's number, and the names that it logged in by.
    number: Option<usize>,
    names: BTreeSet<String>,
    values: SessionValues,
    is_logged_in: bool,
    /// What it has logged in to so far is an account that it had just made.
    has_registered: bool,
    /// When its latest request was sent.
    last: u64,
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
            common: Common::default(),
            counters: Counters::default(),
            sessions: HashMap::new(),
            next_session: 1,
        }
    }

    /// Takes an exchange in order of completion.
    pub fn take(&mut self, exchange: Exchange) -> Correlated {
        let Exchange { id, connection, at, http, method, path, headers, body, result } = exchange;
        let body = SentBody::of(body, text_of(&headers, "content-encoding"));
        let names = &self.rules.names;
        let mut places = match &body {
            SentBody::Known(bytes) => {
                body::of_body(bytes, text_of(&headers, "content-type"), &path, names)
            }
            SentBody::None | SentBody::Unknown { .. } => Vec::new(),
        };
        let mut path_places = body::of_path(&path, names);
        let login = self.login(&path, &places);
        let secrets = places.iter().filter(|place| place.is_secret());
        let tokens = secrets.filter(|place| !is_password_name(&place.name));
        let shown = self.identity.shown(&headers, tokens.map(|place| place.value.as_str()));
        let number = self.session(&shown, connection, login.as_ref());
        let Some(session) = self.sessions.get_mut(&number) else {
            unreachable!("the session was found or made just now");
        };
        // One who makes an account for somebody else stays who he is.
        let login = login.filter(|login| !(login.registers && session.is_of_another(login)));
        if let Some(login) = &login {
            if session.names.len() < MOST_NAMES {
                session.names.extend(login.names.iter().cloned());
            }
            if let Some(account) = login.account {
                session.number = Some(account);
                session.account = Some(Arc::clone(&self.accounts[account]));
                session.values.set_account(&self.accounts[account]);
            }
        }
        let account = session.account.clone();
        // A word is a secret only as long as no other session says it too.
        self.common.judge(&mut places, number);
        self.common.judge(&mut path_places, number);
        let host = text_of(&headers, "host");
        let mut kept_headers = Vec::with_capacity(headers.len());
        for (name, value) in &headers {
            // A value that is not text cannot be stored, and hardly any server depends on one.
            let Ok(value) = std::str::from_utf8(value) else { continue };
            if name.eq_ignore_ascii_case("cookie") {
                session.learn(&body::of_cookies(value, &self.rules.names));
            }
            if let Some(password) = body::credentials_of(name, value) {
                session.values.learn(&password);
            }
            if !LEFT_OUT.iter().any(|left_out| name.eq_ignore_ascii_case(left_out)) {
                let value = own_site::stored(name, value, host);
                let places = body::of_header(name, value, &self.rules.names);
                session.learn(&places);
                kept_headers.push((name, value, places));
            }
        }
        // What one part of the request shows to be secret is secret in all of it.
        session.learn(&places);
        session.learn(&path_places);

        let status = result.as_ref().ok().map(|answer| answer.status);
        let entry = Entry::of(&method, &path, &places, status);
        let bare_path = path.split(['?', '#']).next().unwrap_or_default();
        let mut binder = Binder {
            values: &mut session.values,
            rules: &self.rules,
            account: account.as_deref(),
            at,
            now: self.started + chrono::Duration::microseconds(at.min(1 << 52) as i64),
            method: &method,
            path: bare_path,
            entry,
            counters: &mut self.counters,
            captures: Vec::new(),
            segments: Vec::new(),
        };
        let mut bind = Vec::new();
        let edits = binder.edits(path.as_bytes(), &path_places, true);
        let secret_segments = route::secret_segments(&path, &edits);
        let (stored_path, bindings) = edits::apply_to_text(&path, edits, Part::Path);
        bind.extend(bindings);
        let mut stored_headers = Vec::with_capacity(kept_headers.len());
        for (name, value, places) in kept_headers {
            let edits = binder.edits(value.as_bytes(), &places, false);
            let part = Part::Header(stored_headers.len());
            let (value, bindings) = edits::apply_to_text(value, edits, part);
            bind.extend(bindings);
            stored_headers.push((canonical(name), value));
        }
        let edits = match &body {
            SentBody::Known(bytes) => binder.edits(bytes, &places, true),
            SentBody::None | SentBody::Unknown { .. } => Vec::new(),
        };
        let (stored_body, bindings) = body.stored(edits);
        bind.extend(bindings);
        let Binder { mut captures, mut segments, .. } = binder;
        segments.extend(secret_segments);
        let name = route::name(&method, &path, &segments, &self.rules);

        session.last = session.last.max(at);
        let mut shape = None;
        let mut prologue = false;
        let result = match result {
            Err(error) => RecordedResult::Error(error),
            Ok(answer) => {
                let ended = at + answer.total_us;
                let answered = Arc::new(Answered {
                    id: id.clone(),
                    at,
                    ended,
                    path: bare_path.to_owned(),
                    is_write: matches!(&*method, "POST" | "PUT" | "PATCH"),
                    is_login: entry != Entry::None && answer.status < 400,
                });
                let mut said: Vec<&Place> = places.iter().chain(&path_places).collect();
                said.sort_by(|a, b| a.value.cmp(&b.value));
                let mut giver = Giver {
                    values: &mut session.values,
                    rules: &self.rules,
                    answered,
                    said,
                    credentials: Vec::new(),
                };
                let Looked { size, content, is_seen, has_secret_key } = giver.answer(&answer);
                let credentials = giver.credentials;
                if let Some(login) = login.filter(|_| answer.status < 400) {
                    // A login right after a registration is part of how the session begins.
                    prologue = !session.is_logged_in || session.has_registered;
                    session.is_logged_in = true;
                    session.has_registered = login.registers && prologue;
                    if session.has_registered {
                        self.identity.register(number, login.names.iter());
                    }
                } else if shown.has_login() {
                    session.has_registered = false;
                }
                for credential in &credentials {
                    self.identity.give(number, credential);
                }
                // Only now are all secrets of this answer known.
                shape = match &content {
                    // A shape has the keys.
                    Some(Content::Json(json)) if !has_secret_key => {
                        Shape::of_json(answer.status, Some(json))
                    }
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

    /// What the body says of who logs in, if it has a password.
    fn login(&self, path: &str, places: &[Place]) -> Option<Login> {
        let is_password = |place: &&Place| is_password_name(&place.name);
        let password = places.iter().find(is_password)?;
        let accounts =
            places.iter().filter_map(|place| self.logins.get(&place.value.to_lowercase()).copied());
        // A login with a wrong password is not the account's.
        let mut right = accounts.filter(|&account| {
            self.accounts[account].fields.values().any(|value| *value == password.value)
        });
        Some(Login::new(path, places, right.next()))
    }

    fn session(
        &mut self,
        shown: &identity::ShownCredentials,
        connection: u64,
        login: Option<&Login>,
    ) -> usize {
        let sessions = &self.sessions;
        let of = |session| sessions.get(&session).filter(|session: &&Session| session.is_logged_in);
        let is_logged_in = |session| of(session).is_some();
        let is_another = |session| {
            login.is_some_and(|login| {
                !login.registers && of(session).is_some_and(|session| session.is_of_another(login))
            })
        };
        if let Some(session) = self.identity.of(shown, connection, is_another, is_logged_in) {
            return session;
        }
        let logs_in = login.filter(|login| !login.registers);
        if let Some(session) = logs_in.and_then(|login| self.identity.log_in(login.names.iter()))
            && self.sessions.contains_key(&session)
        {
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

impl Session {
    /// Whether somebody else than whose it is logs in, or has an account made for him.
    fn is_of_another(&self, login: &Login) -> bool {
        self.is_logged_in && login.is_of_another(self.number, &self.names)
    }

    /// From now on these secrets are known wherever they stand.
    fn learn(&mut self, places: &[Place]) {
        for place in places.iter().filter(|place| place.is_secret()) {
            self.values.learn(&place.value);
        }
    }
}

#[cfg(test)]
mod tests;
