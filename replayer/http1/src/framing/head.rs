//! What a head says about the body and about the connection.

use httparse::Header;

use super::{FramingError, Method};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Sized(u64),
    Chunked,
    UntilClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) body: Body,
    /// Whether the server keeps the connection after this answer.
    pub(super) persistent: bool,
}

/// RFC 9112 section 6.3 for answers, and section 9.3 for the connection.
/// `minor` is that of the HTTP version, 0 or 1.
pub(super) fn interpret(
    minor: u8,
    status: u16,
    method: Method,
    headers: &[Header<'_>],
) -> Result<Framing, FramingError> {
    let mut length = Ok(None);
    let mut coding = Coding::default();
    let mut close = false;
    let mut keep_alive = false;
    for Header { name, value } in headers {
        if name.eq_ignore_ascii_case("content-length") {
            length = length.and_then(|earlier| read_length(earlier, value));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            coding.read(value);
        } else if name.eq_ignore_ascii_case("connection") {
            // What nearly every answer says, before the list that it could be.
            if value.eq_ignore_ascii_case(b"keep-alive") {
                keep_alive = true;
                continue;
            }
            for option in list(value) {
                close |= option.eq_ignore_ascii_case(b"close");
                keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
    }
    let persistent = !close && (minor == 1 || keep_alive);
    if method == Method::Head || matches!(status, 204 | 304) {
        return Ok(Framing { body: Body::None, persistent });
    }
    if coding.present {
        // A length beside a coding may be an attempt to smuggle, and HTTP/1.0
        // knows no codings: the body is read by the coding, and the connection
        // is not trusted any further.
        let sound = minor == 1 && matches!(length, Ok(None));
        let body = coding.body()?;
        return Ok(Framing { body, persistent: persistent && sound && body == Body::Chunked });
    }
    Ok(match length? {
        Some(0) => Framing { body: Body::None, persistent },
        Some(length) => Framing { body: Body::Sized(length), persistent },
        None => Framing { body: Body::UntilClose, persistent: false },
    })
}

/// The same length may be given more than once (RFC 9110 section 8.6).
fn read_length(mut earlier: Option<u64>, value: &[u8]) -> Result<Option<u64>, FramingError> {
    if let (None, Some(length)) = (earlier, digits(value)) {
        return Ok(Some(length));
    }
    for item in value.split(|&byte| byte == b',') {
        let length = digits(item.trim_ascii()).ok_or(FramingError::Length)?;
        if earlier.is_some_and(|earlier| earlier != length) {
            return Err(FramingError::ConflictingLengths);
        }
        earlier = Some(length);
    }
    Ok(earlier)
}

/// Digits alone: `parse` would take a sign.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The transfer codings of all `Transfer-Encoding` lines.
#[derive(Default)]
struct Coding {
    present: bool,
    chunked: u32,
    chunked_last: bool,
}

impl Coding {
    fn read(&mut self, value: &[u8]) {
        self.present = true;
        for item in list(value) {
            let name = item.split(|&byte| byte == b';').next().unwrap_or_default();
            self.chunked_last = name.trim_ascii().eq_ignore_ascii_case(b"chunked");
            self.chunked += u32::from(self.chunked_last);
        }
    }

    fn body(&self) -> Result<Body, FramingError> {
        match (self.chunked, self.chunked_last) {
            (0, _) => Ok(Body::UntilClose),
            (1, true) => Ok(Body::Chunked),
            (1, false) => Ok(Body::UntilClose),
            _ => Err(FramingError::ChunkedTwice),
        }
    }
}

/// The elements of a comma-separated list; empty ones are ignored (RFC 9110 section 5.6.1.2).
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}
