//! Values that a client generated itself, recognised by their form.

use std::ops::Range;

use chrono::{DateTime, Utc};

use trace::format::{ClockFormat, FreshId};

/// A client's clock may be off by this much, in seconds.
const NEAR_S: i64 = 300;

/// The format of a time that lies near `now`.
pub(super) fn time(text: &str, now: DateTime<Utc>) -> Option<ClockFormat> {
    let is_near = |time: DateTime<Utc>| (time - now).num_seconds().abs() <= NEAR_S;
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match (text.len(), is_digits) {
        (10, true) => {
            let time = DateTime::from_timestamp(text.parse().ok()?, 0)?;
            is_near(time).then_some(ClockFormat::UnixSeconds)
        }
        (13, true) => {
            let time = DateTime::from_timestamp_millis(text.parse().ok()?)?;
            is_near(time).then_some(ClockFormat::UnixMillis)
        }
        (20 | 24, false) if text.ends_with('Z') && text.as_bytes()[10] == b'T' => {
            let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
            let format = match text.len() {
                20 => ClockFormat::Rfc3339Seconds,
                _ => ClockFormat::Rfc3339Millis,
            };
            is_near(time).then_some(format)
        }
        _ => None,
    }
}

/// The kind of a client-generated id: a UUID, or as many hexadecimal digits as a hash has.
pub(super) fn id(text: &str) -> Option<FreshId> {
    if is_uuid(text) {
        return Some(FreshId::Uuid);
    }
    let is_hex = matches!(text.len(), 16..=64)
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_lowercase());
    is_hex.then_some(FreshId::Hex(text.len() as u32))
}

/// The last UUID or hash that stands in a longer text by itself.
pub(super) fn id_within(text: &str) -> Option<(Range<usize>, FreshId)> {
    const UUID: usize = 36;
    let is_apart =
        |at: usize| !matches!(text.as_bytes().get(at), Some(b) if b.is_ascii_alphanumeric());
    let uuid = (0..(text.len() + 1).saturating_sub(UUID)).rev().find(|&at| {
        text.get(at..at + UUID).is_some_and(is_uuid)
            && is_apart(at + UUID)
            && at.checked_sub(1).is_none_or(is_apart)
    });
    if let Some(at) = uuid {
        return Some((at..at + UUID, FreshId::Uuid));
    }
    let mut end = text.len();
    text.rsplit(|c: char| !c.is_ascii_alphanumeric()).find_map(|run| {
        let range = end - run.len()..end;
        let before = text[..range.start].chars().next_back();
        end = range.start - before.map_or(0, char::len_utf8);
        let like = id(run)?;
        Some((range, like))
    })
}

/// A number with too many digits to be a count.
pub(super) fn number(text: &str) -> Option<FreshId> {
    let is_long = matches!(text.len(), 9..=30) && text.bytes().all(|b| b.is_ascii_digit());
    (is_long && !text.starts_with('0')).then_some(FreshId::Digits(text.len() as u32))
}

/// RFC 9562, section 4, of any version.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_near_the_clock_are_known_by_their_format() {
        let now = DateTime::parse_from_rfc3339("2026-11-24T04:00:00Z").unwrap().to_utc();
        for (text, format) in [
            ("2026-11-24T04:01:00Z", ClockFormat::Rfc3339Seconds),
            ("2026-11-24T03:59:00.123Z", ClockFormat::Rfc3339Millis),
            ("1795492860", ClockFormat::UnixSeconds),
            ("1795492860123", ClockFormat::UnixMillis),
        ] {
            assert_eq!(time(text, now), Some(format), "{text}");
        }
        for text in [
            "2026-11-23T04:00:00Z",
            "2026-11-24 04:00:00Z",
            "1700000000",
            "4",
            "é".repeat(10).as_str(),
        ] {
            assert_eq!(time(text, now), None, "{text}");
        }
    }

    #[test]
    fn ids_are_known_by_their_looks() {
        assert_eq!(id("8C1D2f00-0000-4000-8000-0123456789ab"), Some(FreshId::Uuid));
        assert_eq!(id("0af7651916cd43dd8448eb211c80319c"), Some(FreshId::Hex(32)));
        assert_eq!(number("123456789"), Some(FreshId::Digits(9)));
        for text in ["deadbeefdeadbeef", "1234567890123456", "8c1d2f00", "hello"] {
            assert_eq!(id(text), None, "{text}");
        }
        assert_eq!((number("12345678"), number("0123456789")), (None, None));
        let uuid = "8c1d2f00-0000-4000-8000-0123456789ab";
        assert_eq!(id_within(&format!("é_{uuid}!")), Some((3..39, FreshId::Uuid)));
        assert_eq!(id_within("a 0af7651916cd43dd é"), Some((2..18, FreshId::Hex(16))));
        assert_eq!((id_within("deadbeef 12"), id_within("")), (None, None));
    }
}
