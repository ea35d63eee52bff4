//! What of a request may be put on the wire as it is.
//!
//! HTTP/1.1 tells the parts of a head apart by spaces and line ends alone: a line end in a path
//! or a header begins another header or another request, which nobody counted and no
//! `--read-only` saw. Whoever reads a request from a file, or makes one of somebody's text, asks
//! here: traces and journals when a line is read, imports, personas, and what rewrites.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::format::Request;

/// Why a request cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    #[error("its {0} is empty")]
    Empty(Place),
    /// A target that names another host, or none.
    #[error("its path begins with neither / nor is it *")]
    Target,
    #[error("its {0} holds the byte 0x{1:02x}, which cannot be sent there")]
    Byte(Place, u8),
}

/// A place in the head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Method,
    Path,
    HeaderName,
    HeaderValue,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Method => "method",
            Self::Path => "path",
            Self::HeaderName => "header name",
            Self::HeaderValue => "header value",
        })
    }
}

/// Method, path and headers of a request.
///
/// # Errors
/// With the first that cannot be sent.
pub fn check(request: &Request) -> Result<(), Unsendable> {
    method(&request.method)?;
    target(&request.path)?;
    request.headers.iter().try_for_each(|(name, value)| header(name, value.as_bytes()))
}

/// # Errors
/// When it is no token (RFC 9110, section 5.6.2).
pub fn method(text: &str) -> Result<(), Unsendable> {
    token(Place::Method, text)
}

/// Path and query, or `*`.
///
/// # Errors
/// When it holds a space or a control character, or would name another host.
pub fn target(text: &str) -> Result<(), Unsendable> {
    if !text.starts_with('/') && text != "*" {
        return Err(Unsendable::Target);
    }
    first(Place::Path, text.as_bytes(), breaks_target)
}

/// # Errors
/// When the name is no token, or the value holds a control character other than a tab.
pub fn header(name: &str, value: &[u8]) -> Result<(), Unsendable> {
    token(Place::HeaderName, name)?;
    first(Place::HeaderValue, value, breaks_value)
}

/// Path and query with what cannot be sent percent-encoded; all else as it is.
pub fn encoded_target(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(breaks_target) {
        return text.into();
    }
    let mut encoded = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) if breaks_target(byte) => {
                // Writing to a String does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            _ => encoded.push(character),
        }
    }
    encoded.into()
}

/// Bytes above ASCII may stand: some clients send them, and they end nothing.
pub(crate) fn breaks_target(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

pub(crate) fn breaks_value(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

fn token(place: Place, text: &str) -> Result<(), Unsendable> {
    if text.is_empty() {
        return Err(Unsendable::Empty(place));
    }
    let is_outside =
        |byte: u8| !byte.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(&byte);
    first(place, text.as_bytes(), is_outside)
}

fn first(place: Place, text: &[u8], is_wrong: impl Fn(u8) -> bool) -> Result<(), Unsendable> {
    match text.iter().find(|byte| is_wrong(**byte)) {
        Some(byte) => Err(Unsendable::Byte(place, *byte)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_ends_a_line_or_a_word_is_refused_in_every_place() {
        for byte in ['\r', '\n', '\0', ' ', '\u{7f}'] {
            let text = format!("a{byte}b");
            assert!(method(&text).is_err(), "{text:?}");
            assert!(target(&format!("/{text}")).is_err(), "{text:?}");
            assert!(header(&text, b"").is_err(), "{text:?}");
            assert_eq!(header("a", text.as_bytes()).is_err(), byte != ' ', "{text:?}");
        }
        assert_eq!(method(""), Err(Unsendable::Empty(Place::Method)));
        assert_eq!(header("", b"a"), Err(Unsendable::Empty(Place::HeaderName)));
        for path in ["", "a", "http://other.example/", "other.example:443", "**"] {
            assert_eq!(target(path), Err(Unsendable::Target), "{path}");
        }
        assert_eq!(header("User-Agent", "curl/8 (ü)\tx".as_bytes()), Ok(()));
        assert_eq!(target("*"), Ok(()));
        let problem = target("/a\nb").unwrap_err().to_string();
        assert_eq!(problem, "its path holds the byte 0x0a, which cannot be sent there");
    }

    proptest! {
        #[test]
        fn what_is_encoded_can_be_sent_and_reads_back(
            path in r"/(%[0-9a-fA-F]{2}|[\x00-\x7f]|\PC){0,40}"
        ) {
            let encoded = encoded_target(&path);
            prop_assert_eq!(target(&encoded), Ok(()));
            // By bytes, since escapes need not be text.
            let read = |text| percent_decode_str(text).collect::<Vec<u8>>();
            prop_assert_eq!(read(&encoded), read(&path));
        }
    }
}
