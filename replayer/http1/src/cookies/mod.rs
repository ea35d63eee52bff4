//! The cookies of one user at one target (RFC 6265).
//!
//! All requests of a user go to one host, so a cookie's domain decides only
//! whether it is taken and which cookie it replaces. The list of public
//! suffixes is left out: a target can set cookies for no other host anyway.

mod date;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

/// More cookies than this and the oldest goes (RFC 6265 section 6.1 asks for 50 a domain).
const MAX_COOKIES: usize = 50;
/// Cookies of more bytes in name and value are ignored (same section).
const MAX_COOKIE_BYTES: usize = 4096;

/// The request that an answer with a `Set-Cookie` belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Of the target, without port.
    pub host: &'a str,
    /// With or without a query.
    pub path: &'a str,
}

/// Empty, it holds no memory, and asking it costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Jar {
    /// In the order in which they are sent: longer paths first, then older ones.
    cookies: Vec<Cookie>,
    /// Cookies ever made, which numbers them by age.
    made: u64,
}

#[derive(Clone)]
struct Cookie {
    name: Box<[u8]>,
    value: Box<[u8]>,
    domain: Box<str>,
    path: Box<[u8]>,
    secure: bool,
    expires: Option<DateTime<Utc>>,
    age: u64,
}

impl Jar {
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// Of all cookies, whatever they go with.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.cookies.iter().map(|cookie| &*cookie.value)
    }

    /// Takes the value of one `Set-Cookie` line. What is no cookie, or for
    /// another domain, is ignored, as browsers do.
    pub fn store(&mut self, set_cookie: &[u8], asked: Asked<'_>, now: DateTime<Utc>) {
        let Some(mut cookie) = read(set_cookie, asked, now) else { return };
        let replaced = self.cookies.iter().position(|other| {
            other.name == cookie.name && other.domain == cookie.domain && other.path == cookie.path
        });
        cookie.age = match replaced {
            // It keeps its place in the order.
            Some(at) => self.cookies.remove(at).age,
            None => self.made,
        };
        if cookie.is_expired(now) {
            return;
        }
        if self.cookies.len() >= MAX_COOKIES {
            self.make_room(now);
        }
        self.made += 1;
        let order = |other: &Cookie| (usize::MAX - other.path.len(), other.age);
        let at = self.cookies.partition_point(|other| order(other) < order(&cookie));
        self.cookies.insert(at, cookie);
    }

    fn make_room(&mut self, now: DateTime<Utc>) {
        self.cookies.retain(|cookie| !cookie.is_expired(now));
        if self.cookies.len() < MAX_COOKIES {
            return;
        }
        let oldest = (0..self.cookies.len()).min_by_key(|&at| self.cookies[at].age);
        if let Some(oldest) = oldest {
            self.cookies.remove(oldest);
        }
    }

    /// Appends the value of the `Cookie` header for a request to `path` (with
    /// or without a query), and tells whether there is any. `secure` is
    /// whether the request goes over TLS.
    pub fn write(&self, path: &str, secure: bool, now: DateTime<Utc>, out: &mut Vec<u8>) -> bool {
        let path = without_query(path);
        let mut any = false;
        for cookie in &self.cookies {
            if !cookie.goes_with(path, secure) || cookie.is_expired(now) {
                continue;
            }
            if any {
                out.extend_from_slice(b"; ");
            }
            any = true;
            out.extend_from_slice(&cookie.name);
            out.push(b'=');
            out.extend_from_slice(&cookie.value);
        }
        any
    }
}

/// Without the value.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &String::from_utf8_lossy(&self.name))
            .field("domain", &self.domain)
            .field("path", &String::from_utf8_lossy(&self.path))
            .finish_non_exhaustive()
    }
}

impl Cookie {
    fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn goes_with(&self, path: &[u8], secure: bool) -> bool {
        (secure || !self.secure)
            && path
                .strip_prefix(&*self.path)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || self.path.ends_with(b"/"))
    }
}

/// Name and value of a `Set-Cookie` line; none where it names no cookie.
pub fn name_and_value(set_cookie: &[u8]) -> Option<(&[u8], &[u8])> {
    let pair = set_cookie.split(|&byte| byte == b';').next()?;
    let (name, value) = split_pair(pair);
    value.filter(|_| !name.is_empty()).map(|value| (name, value))
}

fn read(set_cookie: &[u8], asked: Asked<'_>, now: DateTime<Utc>) -> Option<Cookie> {
    let (name, value) = name_and_value(set_cookie)?;
    if name.len() + value.len() > MAX_COOKIE_BYTES {
        return None;
    }
    let mut cookie = Cookie {
        name: name.into(),
        value: value.into(),
        domain: asked.host.to_ascii_lowercase().into(),
        path: default_path(asked.path).into(),
        secure: false,
        expires: None,
        age: 0,
    };
    let mut max_age = None;
    for attribute in set_cookie.split(|&byte| byte == b';').skip(1) {
        let (key, value) = split_pair(attribute);
        let value = value.unwrap_or_default();
        let is = |other: &str| key.eq_ignore_ascii_case(other.as_bytes());
        if is("expires") {
            cookie.expires = date::parse(value).or(cookie.expires);
        } else if is("max-age") {
            max_age = end_of_life(value, now).or(max_age);
        } else if is("domain") {
            cookie.domain = domain(value, asked.host)?;
        } else if is("path") {
            let given = if value.starts_with(b"/") { value } else { default_path(asked.path) };
            cookie.path = given.into();
        } else if is("secure") {
            cookie.secure = true;
        }
    }
    // Max-Age wins, wherever it stands.
    cookie.expires = max_age.or(cookie.expires);
    Some(cookie)
}

/// `key=value`, both trimmed; without `=` there is no value.
fn split_pair(pair: &[u8]) -> (&[u8], Option<&[u8]>) {
    match pair.iter().position(|&byte| byte == b'=') {
        Some(at) => (pair[..at].trim_ascii(), Some(pair[at + 1..].trim_ascii())),
        None => (pair.trim_ascii(), None),
    }
}

fn end_of_life(max_age: &[u8], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let digits = max_age.strip_prefix(b"-").unwrap_or(max_age);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if max_age.starts_with(b"-") {
        return Some(DateTime::<Utc>::MIN_UTC);
    }
    // More digits than fit mean forever.
    let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(i64::MAX);
    let life = TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX);
    Some(now.checked_add_signed(life).unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// The cookie's domain, or none where it is not the host's to set.
fn domain(value: &[u8], host: &str) -> Option<Box<str>> {
    let named = std::str::from_utf8(value).ok()?.to_ascii_lowercase();
    let named = named.strip_prefix('.').unwrap_or(&named);
    let host = host.to_ascii_lowercase();
    if named.is_empty() || named == host {
        return Some(host.into());
    }
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let is_parent = host.strip_suffix(named).is_some_and(|rest| rest.ends_with('.'));
    (is_parent && !is_address).then(|| named.into())
}

/// The path up to its last slash (RFC 6265 section 5.1.4).
fn default_path(asked: &str) -> &[u8] {
    let path = without_query(asked);
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) if at > 0 && path[0] == b'/' => &path[..at],
        _ => b"/",
    }
}

fn without_query(path: &str) -> &[u8] {
    let path = path.as_bytes();
    path.split(|&byte| byte == b'?').next().unwrap_or(path)
}
