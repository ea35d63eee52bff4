//! How bound values are written, while recording and at replay.

use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use common::encoding;

use super::format::{ClockFormat, Encoding, FreshId};
use super::wire::{breaks_target, breaks_value, encoded_target};

/// Appends `text` to `out` in this encoding.
///
/// Line breaks in a raw value would end a header, and a NUL some servers' strings, so they
/// become spaces.
pub fn encode(text: &str, encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Raw => {
            out.extend(text.bytes().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { b }));
        }
        Encoding::Json => encoding::json(text, out),
        Encoding::Percent => encoding::percent(text, out),
        Encoding::Form => encoding::form(text, out),
    }
}

/// What is around a value in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The path or the query.
    Path,
    Header,
    /// Inside the quotes of a JSON string.
    JsonString,
    /// Where a JSON value stands without quotes.
    JsonValue,
    /// An `application/x-www-form-urlencoded` body.
    Form,
    /// Any other body.
    Body,
}

/// Appends `text` to `out` in this encoding, and never as more than one value of its place:
/// where a trace asks for a raw value the place has the last word, since a live answer decides
/// what the value is.
///
/// A raw value of a path may hold `/?&=%`, as a captured link to the next page does.
pub fn encode_at(text: &str, encoding: Encoding, place: Place, out: &mut Vec<u8>) {
    let start = out.len();
    match (encoding, place) {
        (Encoding::Raw, Place::JsonString) => encoding::json(text, out),
        (Encoding::Raw, Place::Form) => encoding::form(text, out),
        (Encoding::Raw, Place::JsonValue) if !is_json_scalar(text) => {
            out.push(b'"');
            encoding::json(text, out);
            out.push(b'"');
        }
        (Encoding::Raw, Place::Path) => out.extend_from_slice(text.as_bytes()),
        _ => encode(text, encoding, out),
    }
    match place {
        Place::Path if out[start..].iter().any(|byte| breaks_target(*byte)) => {
            let value = String::from_utf8_lossy(&out[start..]).into_owned();
            out.truncate(start);
            out.extend_from_slice(encoded_target(&value).as_bytes());
        }
        Place::Header => {
            for byte in &mut out[start..] {
                if breaks_value(*byte) {
                    *byte = b' ';
                }
            }
        }
        _ => {}
    }
}

/// A number, a truth value or null, and nothing beside it.
fn is_json_scalar(text: &str) -> bool {
    !text.starts_with(['"', '[', '{'])
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Appends a fresh id: the same for equal seeds, and otherwise as good as random.
pub fn write_fresh(seed: u64, like: &FreshId, out: &mut Vec<u8>) {
    let mut stream = SplitMix(seed);
    match *like {
        FreshId::Uuid => {
            let bits = u128::from(stream.next()) << 64 | u128::from(stream.next());
            let uuid = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
            let mut text = uuid::Uuid::encode_buffer();
            out.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
        }
        FreshId::Digits(length) => {
            // No leading zero: it may be a number.
            for index in 0..length {
                let digit = if index == 0 { 1 + stream.below(9) } else { stream.below(10) };
                out.push(b'0' + digit);
            }
        }
        FreshId::Hex(length) => {
            for _ in 0..length {
                out.push(b"0123456789abcdef"[usize::from(stream.below(16))]);
            }
        }
        FreshId::Pattern(ref pattern) => {
            let mut is_literal = false;
            for byte in pattern.bytes() {
                match byte {
                    _ if std::mem::take(&mut is_literal) => out.push(byte),
                    b'\\' => is_literal = true,
                    b'A' | b'a' => out.push(byte + stream.below(26)),
                    b'9' => out.push(b'0' + stream.below(10)),
                    _ => out.push(byte),
                }
            }
        }
    }
}

/// Appends a time as the recorded client wrote it.
pub fn write_clock(now: DateTime<Utc>, format: ClockFormat, out: &mut Vec<u8>) {
    let written = match format {
        ClockFormat::Rfc3339Millis => {
            write!(out, "{}", now.to_rfc3339_opts(SecondsFormat::Millis, true))
        }
        ClockFormat::Rfc3339Seconds => {
            write!(out, "{}", now.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
        ClockFormat::UnixSeconds => write!(out, "{}", now.timestamp()),
        ClockFormat::UnixMillis => write!(out, "{}", now.timestamp_millis()),
    };
    debug_assert!(written.is_ok(), "writing to memory cannot fail");
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u8 {
        // The bias of the remainder is below 2^-60 for these bounds.
        (self.next() % bound) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(seed: u64, like: &FreshId) -> String {
        let mut out = Vec::new();
        write_fresh(seed, like, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_raw_value_ends_no_header() {
        let mut out = Vec::new();
        encode("a\r\nX: y", Encoding::Raw, &mut out);
        assert_eq!(out, b"a  X: y");
    }

    #[test]
    fn a_value_stays_in_its_place() {
        let written = |text: &str, encoding, place| {
            let mut out = b"before:".to_vec();
            encode_at(text, encoding, place, &mut out);
            String::from_utf8(out.split_off(7)).unwrap()
        };
        use Encoding::{Form, Json, Percent, Raw};
        let evil = "a\"b&c d\r\nX: y\0";
        assert_eq!(written(evil, Raw, Place::Path), "a\"b&c%20d%0D%0AX:%20y%00");
        assert_eq!(written("a b", Json, Place::Path), "a%20b");
        assert_eq!(written("/next?a=1&b=%2F", Raw, Place::Path), "/next?a=1&b=%2F");
        assert_eq!(written(evil, Raw, Place::Header), "a\"b&c d  X: y ");
        assert_eq!(written(evil, Raw, Place::JsonString), "a\\\"b&c d\\r\\nX: y\\u0000");
        assert_eq!(written("1,\"admin\":true", Raw, Place::JsonValue), "\"1,\\\"admin\\\":true\"");
        for scalar in ["-2.5e3", "true", "null", "17"] {
            assert_eq!(written(scalar, Raw, Place::JsonValue), scalar);
        }
        assert_eq!(written("a&admin=1", Raw, Place::Form), "a%26admin%3D1");
        assert_eq!(written("a&b", Form, Place::Form), "a%26b");
        assert_eq!(written("a/b", Percent, Place::Path), "a%2Fb");
        assert_eq!(written("a\nb", Raw, Place::Body), "a b");
    }

    #[test]
    fn ids_have_the_recorded_form_and_differ_by_seed() {
        let uuid = fresh(1, &FreshId::Uuid);
        assert_eq!(uuid::Uuid::parse_str(&uuid).unwrap().get_version_num(), 4);
        assert_eq!(fresh(1, &FreshId::Uuid), uuid);
        assert_ne!(fresh(2, &FreshId::Uuid), uuid);
        assert_eq!(fresh(3, &FreshId::Digits(12)).parse::<u64>().unwrap().to_string().len(), 12);
        assert_eq!(fresh(3, &FreshId::Hex(32)).len(), 32);
        let like = |pattern: &str| fresh(4, &FreshId::Pattern(pattern.to_owned()));
        let made = like("SKU-99 aA \\9\\\\é");
        let [s, k, u, ..] = made.as_bytes() else { panic!("{made}") };
        assert!([s, k, u].iter().all(|letter| **letter != b'a'), "{made}");
        assert!(made.starts_with("SKU-") && made.ends_with(" 9\\é") && made.len() == 14, "{made}");
    }

    #[test]
    fn times_are_written_as_recorded() {
        let now = DateTime::from_timestamp_millis(1_763_935_200_123).unwrap();
        let written = |format| {
            let mut out = Vec::new();
            write_clock(now, format, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(ClockFormat::Rfc3339Millis), "2025-11-23T22:00:00.123Z");
        assert_eq!(written(ClockFormat::Rfc3339Seconds), "2025-11-23T22:00:00Z");
        assert_eq!(written(ClockFormat::UnixSeconds), "1763935200");
        assert_eq!(written(ClockFormat::UnixMillis), "1763935200123");
    }
}
