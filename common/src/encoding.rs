//! How text is encoded for the parts of a request.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// RFC 3986, section 2.3: everything but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends `text` as a segment or a value of a URL.
pub fn percent(text: &str, out: &mut Vec<u8>) {
    for chunk in percent_encode(text.as_bytes(), RESERVED) {
        out.extend_from_slice(chunk.as_bytes());
    }
}

/// Appends `text` as a value of an `application/x-www-form-urlencoded` body.
pub fn form(text: &str, out: &mut Vec<u8>) {
    for (index, part) in text.split(' ').enumerate() {
        if index > 0 {
            out.push(b'+');
        }
        percent(part, out);
    }
}

/// Appends `text` as the inside of a JSON string: RFC 8259, section 7, what must be
/// escaped and nothing else.
pub fn json(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in text.bytes() {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..0x20 => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', DIGITS[high], DIGITS[low]]);
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

/// The text with its escapes decoded. What is not an escape, or would not be UTF-8, stays as it is.
pub fn percent_decoded(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if plus_is_space && text.contains('+') {
        let spaced = text.replace('+', " ");
        return match percent_decode_str(&spaced).decode_utf8() {
            Ok(decoded) => Cow::Owned(decoded.into_owned()),
            Err(_) => Cow::Borrowed(text),
        };
    }
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: fn(&str, &mut Vec<u8>), text: &str) -> String {
        let mut out = Vec::new();
        write(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_place_has_its_way() {
        assert_eq!(written(percent, "a b/ü"), "a%20b%2F%C3%BC");
        assert_eq!(written(form, "a b+"), "a+b%2B");
        assert_eq!(percent_decoded("100%&a%2fb", false), "100%&a/b");
        assert_eq!(percent_decoded("a+b%2B", true), "a b+");
        assert_eq!(percent_decoded("%ff+", true), "%ff+", "not UTF-8");
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(text in any::<String>()) {
            let encoded = written(percent, &text);
            prop_assert_eq!(percent_decoded(&encoded, false), text.as_str());
            let encoded = written(form, &text);
            prop_assert_eq!(percent_decoded(&encoded, true), text.as_str());
            let quoted = format!("\"{}\"", written(json, &text));
            prop_assert_eq!(&quoted, &serde_json::Value::from(text.as_str()).to_string());
        }
    }
}
