//! Writes a value the way its place in the request needs it.

use recorder::trace::format::Encoding;

/// Appends `text` to `out`, encoded.
///
/// Line breaks in a raw value would end a header, so they become spaces.
pub fn encode(text: &str, encoding: Encoding, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Raw => {
            out.extend(text.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
        }
        Encoding::Json => json(text, out),
        Encoding::Percent => percent(text, out),
        Encoding::Form => {
            for (index, part) in text.split(' ').enumerate() {
                if index > 0 {
                    out.push(b'+');
                }
                percent(part, out);
            }
        }
    }
}

/// RFC 8259, section 7: what must be escaped, and nothing else.
fn json(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

/// RFC 3986, section 2.3: everything but the unreserved characters.
fn percent(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
}

fn hex(nibble: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(nibble)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str, encoding: Encoding) -> String {
        let mut out = Vec::new();
        encode(text, encoding, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_place_has_its_way() {
        assert_eq!(encoded("a b/ü", Encoding::Percent), "a%20b%2F%C3%BC");
        assert_eq!(encoded("a b+", Encoding::Form), "a+b%2B");
        assert_eq!(encoded("a\r\nX: y", Encoding::Raw), "a  X: y");
    }

    proptest! {
        #[test]
        fn json_reads_back(text in any::<String>()) {
            let quoted = format!("\"{}\"", encoded(&text, Encoding::Json));
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }
}
