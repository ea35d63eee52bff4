//! Whose exchange it is: sessions told apart by cookie, bearer token or connection.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

/// How sessions are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionBy {
    /// By token, else by cookie, else by connection.
    #[default]
    Auto,
    Cookie,
    Bearer,
    Connection,
}

#[derive(Debug, Default)]
pub(super) struct Identity {
    by: SessionBy,
    /// Hashes tokens and cookies, which are not kept themselves.
    hashes: RandomState,
    credentials: HashMap<u64, usize>,
    /// What each session sent or received. Two sessions may hold the same credential, for example
    /// where two log in to the same account at once.
    held: HashMap<usize, Held>,
    connections: HashMap<u64, usize>,
    /// Counts what is noted.
    now: u64,
    /// Sessions that made an account by this name and have not logged in to it.
    registered: HashMap<u64, usize>,
}

/// Credentials and connections of a session, each with when it was last seen.
#[derive(Debug, Default)]
struct Held {
    credentials: HashMap<u64, u64>,
    connections: HashMap<u64, u64>,
}

/// How many of either a session is known by at least: a cookie that changes with each answer, or a
/// connection a request, pushes out what was not seen for so long.
const MOST_HELD: usize = 512;

/// Once there are twice as many, the half that was seen last stays; returns the others.
fn forgotten(held: &mut HashMap<u64, u64>) -> Vec<u64> {
    if held.len() < 2 * MOST_HELD {
        return Vec::new();
    }
    let mut times: Vec<u64> = held.values().copied().collect();
    let (_, &mut middle, _) = times.select_nth_unstable(MOST_HELD);
    held.extract_if(|_, seen| *seen < middle).map(|(key, _)| key).collect()
}

/// The credentials that a request carries.
#[derive(Debug, Default)]
pub(super) struct ShownCredentials {
    bearer: Option<u64>,
    cookies: Vec<u64>,
    /// Secrets in its body, such as a token that is to be exchanged for another.
    tokens: Vec<u64>,
}

impl ShownCredentials {
    /// Whether it carries one as those do who have logged in.
    pub(super) fn has_login(&self) -> bool {
        self.bearer.is_some() || !self.cookies.is_empty()
    }
}

impl Identity {
    pub(super) fn new(by: SessionBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// Reads the credentials of a request with these secrets in its body.
    pub(super) fn shown<'a>(
        &self,
        headers: &[(String, Bytes)],
        secrets: impl Iterator<Item = &'a str>,
    ) -> ShownCredentials {
        let mut shown = ShownCredentials::default();
        let tokens = secrets.filter(|secret| identifies_client(secret));
        shown.tokens.extend(tokens.map(|secret| self.hashes.hash_one(secret)));
        for (name, value) in headers {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            if name.eq_ignore_ascii_case("authorization") {
                let token = value.split_once(' ').map_or(value, |(_, token)| token);
                shown.bearer = Some(self.hashes.hash_one(token));
            } else if name.eq_ignore_ascii_case("cookie") {
                let pairs = value.split(';').map(str::trim).filter(|pair| identifies_client(pair));
                shown.cookies.extend(pairs.map(|pair| self.hashes.hash_one(pair)));
            }
        }
        if matches!(self.by, SessionBy::Cookie | SessionBy::Connection) {
            shown.bearer = None;
            shown.tokens.clear();
        }
        if matches!(self.by, SessionBy::Bearer | SessionBy::Connection) {
            shown.cookies.clear();
        }
        shown
    }

    /// The session that the request belongs to, if it is known. `is_another` says of a session
    /// that this request is the login of somebody else; `is_logged_in`, that a token which it does
    /// not know is none of its own.
    pub(super) fn of(
        &self,
        shown: &ShownCredentials,
        connection: u64,
        is_another: impl Fn(usize) -> bool,
        is_logged_in: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let on_connection = self.connections.get(&connection).copied();
        let mut all = shown.bearer.iter().chain(&shown.cookies);
        if let Some(session) = on_connection
            && all.clone().any(|&credential| self.holds(session, credential))
        {
            return Some(session);
        }
        if let Some(&session) = all.find_map(|credential| self.credentials.get(credential)) {
            return Some(session);
        }
        // Whoever shows a token of his own is not who was given one that he sends.
        if shown.bearer.is_none()
            && let Some(session) = self.given(shown, on_connection)
        {
            return Some(session);
        }
        let session = on_connection?;
        let is_another = self.by != SessionBy::Connection
            && (is_another(session) || shown.bearer.is_some() && is_logged_in(session));
        (!is_another).then_some(session)
    }

    /// The session that was given a token which the body has: that of the connection, if it was.
    fn given(&self, shown: &ShownCredentials, on_connection: Option<usize>) -> Option<usize> {
        let holds = |session: &usize| shown.tokens.iter().any(|&token| self.holds(*session, token));
        on_connection
            .filter(holds)
            .or_else(|| shown.tokens.iter().find_map(|token| self.credentials.get(token)).copied())
    }

    /// A session made an account by these names: whoever first logs in by one of them is it.
    pub(super) fn register<'a>(&mut self, session: usize, names: impl Iterator<Item = &'a String>) {
        if self.by != SessionBy::Connection {
            self.registered.extend(names.map(|name| (self.hashes.hash_one(name), session)));
        }
    }

    /// The session that made an account by one of these names, and has not logged in to it so far.
    pub(super) fn log_in<'a>(&mut self, names: impl Iterator<Item = &'a String>) -> Option<usize> {
        let hashes: Vec<u64> = names.map(|name| self.hashes.hash_one(name)).collect();
        let session = hashes.iter().find_map(|name| self.registered.get(name)).copied()?;
        self.registered.retain(|_, by| *by != session);
        Some(session)
    }

    /// From now on the connection and the credentials sent on it belong to this session.
    pub(super) fn bind(&mut self, session: usize, shown: &ShownCredentials, connection: u64) {
        self.connections.insert(connection, session);
        self.now += 1;
        let held = self.held.entry(session).or_default();
        held.connections.insert(connection, self.now);
        for gone in forgotten(&mut held.connections) {
            remove_of(&mut self.connections, gone, session);
        }
        for &credential in shown.bearer.iter().chain(&shown.cookies) {
            self.hold(session, credential);
            self.credentials.entry(credential).or_insert(session);
        }
    }

    fn hold(&mut self, session: usize, credential: u64) {
        self.now += 1;
        let held = self.held.entry(session).or_default();
        held.credentials.insert(credential, self.now);
        for gone in forgotten(&mut held.credentials) {
            remove_of(&mut self.credentials, gone, session);
        }
    }

    fn holds(&self, session: usize, credential: u64) -> bool {
        self.held.get(&session).is_some_and(|held| held.credentials.contains_key(&credential))
    }

    /// An answer gave this token, or this cookie as `name=value`, to the session.
    pub(super) fn give(&mut self, session: usize, credential: &str) {
        if identifies_client(credential) {
            let credential = self.hashes.hash_one(credential);
            self.hold(session, credential);
            self.credentials.insert(credential, session);
        }
    }

    /// Forgets everything that belongs to these sessions.
    pub(super) fn forget(&mut self, is_gone: impl Fn(usize) -> bool) {
        self.credentials.retain(|_, session| !is_gone(*session));
        self.held.retain(|session, _| !is_gone(*session));
        self.connections.retain(|_, session| !is_gone(*session));
        self.registered.retain(|_, session| !is_gone(*session));
    }
}

/// Removes the key where it leads to this session.
fn remove_of(map: &mut HashMap<u64, usize>, key: u64, session: usize) {
    if map.get(&key) == Some(&session) {
        map.remove(&key);
    }
}

/// Whether a token, or a cookie as `name=value`, can identify a single client: `lang=en` cannot.
fn identifies_client(credential: &str) -> bool {
    let value = credential.split_once('=').map_or(credential, |(_, value)| value);
    value.len() >= 16 || (value.len() >= 8 && value.bytes().any(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.e30.abc";

    fn shown(identity: &Identity, name: &str, value: &str) -> ShownCredentials {
        let headers = [(name.to_owned(), Bytes::copy_from_slice(value.as_bytes()))];
        identity.shown(&headers, std::iter::empty())
    }

    #[test]
    fn a_token_means_its_session_on_any_connection() {
        let mut identity = Identity::new(SessionBy::Auto);
        identity.bind(1, &ShownCredentials::default(), 1);
        identity.give(1, TOKEN);
        let sent = shown(&identity, "Authorization", &format!("Bearer {TOKEN}"));
        assert_eq!(identity.of(&sent, 9, |_| false, |_| true), Some(1));
        let other = shown(&identity, "Authorization", "Bearer another-token-1");
        assert_eq!(identity.of(&other, 1, |_| false, |_| true), None, "one of its own");
        assert_eq!(
            identity.of(&ShownCredentials::default(), 1, |_| true, |_| true),
            None,
            "another login"
        );
        assert_eq!(identity.of(&ShownCredentials::default(), 1, |_| false, |_| true), Some(1));
    }

    #[test]
    fn what_changes_with_each_answer_takes_bounded_memory_and_hides_nobody() {
        let mut identity = Identity::new(SessionBy::Auto);
        identity.give(1, TOKEN);
        let steady = shown(&identity, "Authorization", &format!("Bearer {TOKEN}"));
        for number in 0..50_000 {
            identity.give(1, &format!("sid=0123456789abcdef{number}"));
            identity.bind(1, &steady, number);
        }
        let held = &identity.held[&1];
        let most = 2 * MOST_HELD;
        for count in [
            held.credentials.len(),
            held.connections.len(),
            identity.credentials.len(),
            identity.connections.len(),
        ] {
            assert!((MOST_HELD..=most).contains(&count), "{count}");
        }
        let never = |_| false;
        assert_eq!(identity.of(&steady, 1_000_000, never, never), Some(1));
        let latest = shown(&identity, "Cookie", "sid=0123456789abcdef49999");
        assert_eq!(identity.of(&latest, 1_000_000, never, never), Some(1));
    }

    #[test]
    fn who_holds_the_same_token_is_told_apart_by_connection() {
        let mut identity = Identity::new(SessionBy::Auto);
        for session in [1, 2] {
            identity.bind(session, &ShownCredentials::default(), session as u64);
            identity.give(session, TOKEN);
        }
        let sent = shown(&identity, "authorization", &format!("Bearer {TOKEN}"));
        assert_eq!(identity.of(&sent, 1, |_| false, |_| true), Some(1));
        assert_eq!(identity.of(&sent, 2, |_| false, |_| true), Some(2));
    }

    #[test]
    fn a_cookie_means_its_session_and_a_common_one_none() {
        let mut identity = Identity::new(SessionBy::Cookie);
        identity.give(3, "sid=0123456789abcdef");
        identity.give(3, "lang=en");
        let sent = shown(&identity, "Cookie", "lang=en; sid=0123456789abcdef");
        assert_eq!(identity.of(&sent, 1, |_| false, |_| true), Some(3));
        let sent = shown(&identity, "Cookie", "lang=en");
        assert_eq!(identity.of(&sent, 1, |_| false, |_| true), None);
    }

    #[test]
    fn a_token_in_a_body_means_the_session_that_was_given_it() {
        let mut identity = Identity::new(SessionBy::Auto);
        for session in [1, 2] {
            identity.bind(session, &ShownCredentials::default(), session as u64);
        }
        identity.give(1, TOKEN);
        let refresh = identity.shown(&[], [TOKEN].into_iter());
        for connection in [1, 2, 9] {
            assert_eq!(identity.of(&refresh, connection, |_| false, |_| true), Some(1));
        }
        let headers = [("authorization".to_owned(), Bytes::from_static(b"Bearer his-own-token-1"))];
        let sent = identity.shown(&headers, [TOKEN].into_iter());
        assert_eq!(identity.of(&sent, 9, |_| false, |_| true), None, "he has one of his own");
    }
}
