//! Single values: how they are written, and those that the client makes itself.

use chrono::{DateTime, SecondsFormat, Utc};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use seeder::manifest::format::SECRET_FIELDS;

use super::body::quoted;
use crate::redact;
use crate::trace::format::{ClockFormat, Encoding, FreshId};

/// Whether a field of an account must stay in the manifest.
pub(super) fn is_secret_field(field: &str) -> bool {
    SECRET_FIELDS.contains(&field) || redact::is_secret_name(field)
}

/// As replay writes a value of that encoding.
pub(super) fn encoded(text: &str, encode: Encoding) -> String {
    match encode {
        Encoding::Raw | Encoding::Form => text.to_owned(),
        Encoding::Json => {
            let quoted = quoted(text);
            quoted[1..quoted.len() - 1].to_owned()
        }
        Encoding::Percent => text.bytes().fold(String::new(), |mut out, byte| {
            // RFC 3986, section 2.3.
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(byte.into());
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        }),
    }
}

pub(super) fn clock(now: DateTime<Utc>, format: ClockFormat) -> String {
    match format {
        ClockFormat::Rfc3339Millis => now.to_rfc3339_opts(SecondsFormat::Millis, true),
        ClockFormat::Rfc3339Seconds => now.to_rfc3339_opts(SecondsFormat::Secs, true),
        ClockFormat::UnixSeconds => now.timestamp().to_string(),
        ClockFormat::UnixMillis => now.timestamp_millis().to_string(),
    }
}

pub(super) fn fresh_id(like: FreshId, source: &mut ChaCha8Rng) -> String {
    let mut digits = |count: u32, base: u32| -> String {
        // A number below the base is a digit of it.
        (0..count).filter_map(|_| char::from_digit(source.random_range(0..base), base)).collect()
    };
    match like {
        FreshId::Digits(length) => digits(length, 10),
        FreshId::Hex(length) => digits(length, 16),
        // RFC 9562, version 4: the variant's digit is one of 8, 9, a and b.
        FreshId::Uuid => {
            let variant = char::from(b"89ab"[source.random_range(0..4)]);
            let mut digits = |count| -> String {
                (0..count)
                    .filter_map(|_| char::from_digit(source.random_range(0..16), 16))
                    .collect()
            };
            format!(
                "{}-{}-4{}-{variant}{}-{}",
                digits(8),
                digits(4),
                digits(3),
                digits(3),
                digits(12)
            )
        }
    }
}
