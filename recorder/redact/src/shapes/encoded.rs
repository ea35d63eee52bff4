//! What looks like a secret once base64 or hexadecimal digits are undone: nothing of the run that
//! holds it is left.

use std::ops::Range;

use crate::base64::decode;

/// Shorter runs of digits hold no secret that has a look of its own.
const SHORTEST_BASE64: usize = 20;
const SHORTEST_HEX: usize = 28;

/// Shorter stretches of text within what was decoded are chance.
const SHORTEST_TEXT: usize = 12;

/// How far into a run its digits may begin, where letters stand right before them.
const BASE64_OFFSETS: usize = 4;
const HEX_OFFSETS: usize = 2;

/// Adds the runs of digits in which `tokens` counts any once they are undone.
pub(super) fn find(
    text: &str,
    found: &mut Vec<Range<usize>>,
    tokens: impl Fn(&str) -> usize + Copy,
) {
    let count = |decoded: Vec<u8>| texts_of(&decoded).map(tokens).sum::<usize>();
    runs(
        text,
        SHORTEST_HEX,
        |b| b.is_ascii_hexdigit(),
        found,
        |run| (0..HEX_OFFSETS).map(|offset| count(hex(&run[offset..]))).sum(),
    );
    runs(text, SHORTEST_BASE64, is_base64, found, |run| {
        (0..BASE64_OFFSETS).map(|offset| count(base64(&run[offset..]))).sum()
    });
}

/// Adds the runs of at least `shortest` bytes of a kind in which `count` finds something.
fn runs(
    text: &str,
    shortest: usize,
    is_of: fn(u8) -> bool,
    found: &mut Vec<Range<usize>>,
    count: impl Fn(&[u8]) -> usize,
) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for run in bytes.split(|b| !is_of(*b)) {
        let end = start + run.len();
        let secrets = if run.len() < shortest { 0 } else { count(run) };
        if secrets > 0 {
            // A `/` is a digit, and what ends the segments of a path before it.
            let slashes: Vec<usize> = (0..run.len()).filter(|at| run[*at] == b'/').collect();
            let before = slashes.partition_point(|at| count(&run[at + 1..]) == secrets);
            let from = start + before.checked_sub(1).map_or(0, |last| slashes[last] + 1);
            // Padding belongs to it.
            let padding = bytes[end..].iter().take(2).take_while(|b| **b == b'=').count();
            found.push(from..end + padding);
        }
        start = end + 1;
    }
}

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')
}

/// What whole groups of four digits stand for, and the rest where it stands for something.
fn base64(digits: &[u8]) -> Vec<u8> {
    // One digit alone in the last group stands for nothing.
    let whole = digits.len() - usize::from(digits.len() % 4 == 1);
    std::str::from_utf8(&digits[..whole]).ok().and_then(decode).unwrap_or_default()
}

fn hex(digits: &[u8]) -> Vec<u8> {
    let value = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .chunks_exact(2)
        .map(|pair| value(pair[0]).zip(value(pair[1])).map_or(0, |(high, low)| high << 4 | low))
        .collect()
}

/// The stretches of plain text in what was decoded.
fn texts_of(decoded: &[u8]) -> impl Iterator<Item = &str> {
    decoded
        .split(|b| !matches!(b, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
        .filter(|text| text.len() >= SHORTEST_TEXT)
        .filter_map(|text| std::str::from_utf8(text).ok())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use crate::shapes::tokens;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

    fn left_of(text: &str) -> String {
        let mut text = text.to_owned();
        for range in tokens(&text.clone()).collect::<Vec<_>>().into_iter().rev() {
            text.replace_range(range, "…");
        }
        text
    }

    #[test]
    fn a_secret_by_its_look_is_found_at_each_alignment_and_in_hex() {
        for before in [&b""[..], b"\xff", b"\x00\x9f", b"\x80\x81\x82"] {
            let encoded = BASE64_STANDARD.encode([before, KEY.as_bytes()].concat());
            assert_eq!(left_of(&format!("a={encoded} b")), "a=… b");
            let encoded = BASE64_URL_SAFE_NO_PAD.encode([before, KEY.as_bytes(), b"\xfe"].concat());
            assert_eq!(left_of(&format!("\"{encoded}\"")), "\"…\"");
        }
        let hex: String = KEY.bytes().map(|b| format!("{b:02x}")).collect();
        assert_eq!(left_of(&format!("x={hex}&y")), "x=…&y");
        assert_eq!(left_of(&format!("x={}&y", hex.to_uppercase())), "x=…&y");
    }

    #[test]
    fn a_secret_in_a_path_leaves_the_segments_before_it() {
        let encoded = BASE64_STANDARD.encode(format!("u:{KEY};x"));
        for path in ["/account/reset/", "/a/", "/ab/c/", "/abc/d/"] {
            assert_eq!(left_of(&format!("{path}{encoded}")), format!("{path}…"));
        }
        let two = format!("/a/{encoded}/b/{}/c", BASE64_STANDARD.encode(KEY));
        assert_eq!(left_of(&two), "/a/…/c");
        let both = BASE64_STANDARD.encode(format!("???{KEY}???{KEY}"));
        assert_eq!(both.split_once('/').unwrap().1.matches('/').count(), 1, "{both}");
        assert_eq!(left_of(&format!("/a/{both}")), "/a/Pz8/…");
    }

    #[test]
    fn digits_that_stand_for_nothing_secret_stay() {
        for text in [
            "8d3f0c4e-6f0b-4d0a-9a53-0d5f0d1c2b3a",
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            "SGVsbG8sIHdvcmxkISBIb3cgYXJlIHlvdSB0b2RheT8=",
            "/api/v1/incidents/open/by/agency/and/status",
        ] {
            assert_eq!(left_of(text), text);
        }
    }
}
