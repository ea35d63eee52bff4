//! A request of a log, and the texts of which its formats are made.

use std::borrow::Cow;

use common::encoding;

/// A request of the log.
#[derive(Debug, PartialEq)]
pub(super) struct Hit<'a> {
    /// Of completion, microseconds since 1970.
    pub(super) time_us: u64,
    /// Whether that is finer than a second.
    pub(super) is_exact: bool,
    pub(super) took_us: Option<u64>,
    pub(super) client: Cow<'a, str>,
    /// Empty where it is not known.
    pub(super) agent: Cow<'a, str>,
    pub(super) host: Option<Cow<'a, str>>,
    pub(super) method: Cow<'a, str>,
    /// Path and query.
    pub(super) target: Cow<'a, str>,
    pub(super) http: &'static str,
    pub(super) status: u16,
    pub(super) size: u64,
}

/// The text between quotes, in which quotes are escaped, and the rest of the line.
pub(super) fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return Some((&text[..at], &text[at + 1..])),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

pub(super) fn request_line(request: &str) -> Option<(&str, Cow<'_, str>, &'static str)> {
    let (method, rest) = request.split_once(' ')?;
    let (url, version) = rest.rsplit_once(' ')?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_method || !version.starts_with("HTTP/") {
        return None;
    }
    Some((method, target(url)?, http_version(version)))
}

pub(super) fn http_version(version: &str) -> &'static str {
    if version.starts_with("HTTP/2") || version.starts_with("HTTP/3") { "2" } else { "1.1" }
}

/// Path and query of a request's target; escapes of the log become those of a URL.
pub(super) fn target(url: &str) -> Option<Cow<'_, str>> {
    let path: Cow<'_, str> = match url.split_once("://") {
        Some((_, rest)) if !url.starts_with('/') => match rest.find(['/', '?']) {
            // The path is `/`, which such a URL does not contain.
            Some(at) if rest[at..].starts_with('?') => format!("/{}", &rest[at..]).into(),
            Some(at) => rest[at..].into(),
            None => "/".into(),
        },
        _ => url.into(),
    };
    if !path.starts_with('/') {
        return None;
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if path.bytes().all(is_plain) {
        return Some(path);
    }
    let mut encoded = Vec::with_capacity(path.len() + 8);
    let mut rest = &*path;
    while let Some(next) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|hex| hex.get(..2));
        if let Some(hex) = hex.filter(|hex| u8::from_str_radix(hex, 16).is_ok()) {
            encoded.push(b'%');
            encoded.extend_from_slice(hex.as_bytes());
            rest = &rest[4..];
            continue;
        }
        match u8::try_from(next) {
            Ok(byte) if is_plain(byte) => encoded.push(byte),
            _ => encoding::percent(next.encode_utf8(&mut [0; 4]), &mut encoded),
        }
        rest = &rest[next.len_utf8()..];
    }
    // What is no ASCII was encoded.
    String::from_utf8(encoded).ok().map(Cow::from)
}
