//! How bound values are written, while recording and at replay.

use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use common::encoding;

use super::format::{ClockFormat, Encoding, FreshId};

/// Appends `text` to `out` the way its place in the request needs it.
///
/// Line breaks in a raw value would end a header, so they become spaces.
pub fn encode(text: &str, encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Raw => {
            out.extend(text.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
        }
        Encoding::Json => encoding::json(text, out),
        Encoding::Percent => encoding::percent(text, out),
        Encoding::Form => encoding::form(text, out),
    }
}

/// Appends a fresh id: the same for equal seeds, and otherwise as good as random.
pub fn write_fresh(seed: u64, like: FreshId, out: &mut Vec<u8>) {
    let mut stream = SplitMix(seed);
    match like {
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

    fn fresh(seed: u64, like: FreshId) -> String {
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
    fn ids_have_the_recorded_form_and_differ_by_seed() {
        let uuid = fresh(1, FreshId::Uuid);
        assert_eq!(uuid::Uuid::parse_str(&uuid).unwrap().get_version_num(), 4);
        assert_eq!(fresh(1, FreshId::Uuid), uuid);
        assert_ne!(fresh(2, FreshId::Uuid), uuid);
        assert_eq!(fresh(3, FreshId::Digits(12)).parse::<u64>().unwrap().to_string().len(), 12);
        assert_eq!(fresh(3, FreshId::Hex(32)).len(), 32);
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
