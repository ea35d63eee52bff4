//! Whose exchange it is: sessions told apart by cookie, bearer token or connection.

use std::collections::{HashMap, HashSet};
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
    /// Which session sent or received which credential. Two sessions may hold the same one, for
    /// example where two log in to the same account at once.
    held: HashSet<(usize, u64)>,
    connections: HashMap<u64, usize>,
}

/// The credentials that a request carries.
#[derive(Debug, Default)]
pub(super) struct ShownCredentials {
    bearer: Option<u64>,
    cookies: Vec<u64>,
}

impl Identity {
    pub(super) fn new(by: SessionBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// Reads the request's credentials.
    pub(super) fn shown(&self, headers: &[(String, Bytes)]) -> ShownCredentials {
        let mut shown = ShownCredentials::default();
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
        }
        if matches!(self.by, SessionBy::Bearer | SessionBy::Connection) {
            shown.cookies.clear();
        }
        shown
    }

    /// The session that the request belongs to, if it is known. `begins` where it is a
    /// login: it then belongs to the connection's session only if nobody is logged in there.
    pub(super) fn of(
        &self,
        shown: &ShownCredentials,
        connection: u64,
        begins: bool,
        is_logged_in: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let on_connection = self.connections.get(&connection).copied();
        let mut all = shown.bearer.iter().chain(&shown.cookies);
        if let Some(session) = on_connection
            && all.clone().any(|&credential| self.held.contains(&(session, credential)))
        {
            return Some(session);
        }
        if let Some(&session) = all.find_map(|credential| self.credentials.get(credential)) {
            return Some(session);
        }
        let session = on_connection?;
        let is_another = self.by != SessionBy::Connection
            && (begins || shown.bearer.is_some())
            && is_logged_in(session);
        (!is_another).then_some(session)
    }

    /// From now on the connection and the credentials sent on it belong to this session.
    pub(super) fn bind(&mut self, session: usize, shown: &ShownCredentials, connection: u64) {
        self.connections.insert(connection, session);
        for &credential in shown.bearer.iter().chain(&shown.cookies) {
            self.held.insert((session, credential));
            self.credentials.entry(credential).or_insert(session);
        }
    }

    /// An answer gave this token, or this cookie as `name=value`, to the session.
    pub(super) fn give(&mut self, session: usize, credential: &str) {
        if identifies_client(credential) {
            let credential = self.hashes.hash_one(credential);
            self.held.insert((session, credential));
            self.credentials.insert(credential, session);
        }
    }

    /// Forgets everything that belongs to these sessions.
    pub(super) fn forget(&mut self, is_gone: impl Fn(usize) -> bool) {
        self.credentials.retain(|_, session| !is_gone(*session));
        self.held.retain(|(session, _)| !is_gone(*session));
        self.connections.retain(|_, session| !is_gone(*session));
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

    fn header(name: &str, value: &str) -> Vec<(String, Bytes)> {
        vec![(name.to_owned(), Bytes::copy_from_slice(value.as_bytes()))]
    }

    #[test]
    fn a_token_means_its_session_on_any_connection() {
        let mut identity = Identity::new(SessionBy::Auto);
        identity.bind(1, &ShownCredentials::default(), 1);
        identity.give(1, TOKEN);
        let shown = identity.shown(&header("Authorization", &format!("Bearer {TOKEN}")));
        assert_eq!(identity.of(&shown, 9, false, |_| true), Some(1));
        let other = identity.shown(&header("Authorization", "Bearer another-token-1"));
        assert_eq!(identity.of(&other, 1, false, |_| true), None, "one of its own");
        assert_eq!(
            identity.of(&ShownCredentials::default(), 1, true, |_| true),
            None,
            "another login"
        );
        assert_eq!(identity.of(&ShownCredentials::default(), 1, true, |_| false), Some(1));
    }

    #[test]
    fn who_holds_the_same_token_is_told_apart_by_connection() {
        let mut identity = Identity::new(SessionBy::Auto);
        for session in [1, 2] {
            identity.bind(session, &ShownCredentials::default(), session as u64);
            identity.give(session, TOKEN);
        }
        let shown = identity.shown(&header("authorization", &format!("Bearer {TOKEN}")));
        assert_eq!(identity.of(&shown, 1, false, |_| true), Some(1));
        assert_eq!(identity.of(&shown, 2, false, |_| true), Some(2));
    }

    #[test]
    fn a_cookie_means_its_session_and_a_common_one_none() {
        let mut identity = Identity::new(SessionBy::Cookie);
        identity.give(3, "sid=0123456789abcdef");
        identity.give(3, "lang=en");
        let shown = identity.shown(&header("Cookie", "lang=en; sid=0123456789abcdef"));
        assert_eq!(identity.of(&shown, 1, false, |_| true), Some(3));
        let shown = identity.shown(&header("Cookie", "lang=en"));
        assert_eq!(identity.of(&shown, 1, false, |_| true), None);
    }
}
