//! Escapes of JSON, URLs, forms and HTML, taken back.

use super::bytes::mixed;
use super::out::Out;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    Json,
    Percent,
    /// Percent, and `+` for a space.
    Form,
    Html,
}

impl Escapes {
    /// What the text says without them.
    pub(super) fn take_back(self, text: &str, out: &mut Out) {
        match self {
            Self::Json => json(text, out),
            Self::Percent => percent(text, false, out),
            Self::Form => percent(text, true, out),
            Self::Html => html(text, out),
        }
    }

    pub(super) fn are_in(self, text: &str) -> bool {
        let has = |wanted: u8| text.as_bytes().contains(&wanted);
        match self {
            Self::Json => has(b'\\'),
            Self::Percent => has(b'%'),
            Self::Form => has(b'%') || has(b'+'),
            Self::Html => has(b'&') && has(b';'),
        }
    }
}

fn json(text: &str, out: &mut Out) {
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        if c != '\\' {
            out.push(c, at);
            continue;
        }
        let after = &text[at + 1..];
        let (plain, length) = match after.as_bytes().first() {
            Some(b'"') => ('"', 1),
            Some(b'\'') => ('\'', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'/') => ('/', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => unicode(after).unwrap_or(('\\', 0)),
            _ => ('\\', 0),
        };
        out.push(plain, at);
        // All of them are ASCII.
        for _ in 0..length {
            rest.next();
        }
    }
}

/// The character of `u` and four digits, of a surrogate with its other half, and their length.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix('u')?.get(..4)?;
        u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
    };
    let first = unit(text)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 5));
    }
    let second = text.get(5..).and_then(|rest| rest.strip_prefix('\\')).and_then(unit);
    let pair = second.filter(|low| first < 0xdc00 && (0xdc00..0xe000).contains(low));
    match pair {
        Some(low) => {
            Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00))?, 11))
        }
        None => Some((char::REPLACEMENT_CHARACTER, 5)),
    }
}

fn percent(text: &str, plus_is_space: bool, out: &mut Out) {
    let escape = |at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        Some((digit(digits[0])? * 16 + digit(digits[1])?) as u8)
            .filter(|_| text.as_bytes()[at] == b'%')
    };
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let mut bytes = Vec::new();
        while at + 3 * bytes.len() < text.len()
            && let Some(byte) = escape(at + 3 * bytes.len())
        {
            bytes.push(byte);
        }
        if bytes.is_empty() {
            out.push(if plus_is_space && c == '+' { ' ' } else { c }, at);
            at += c.len_utf8();
            continue;
        }
        for (index, c) in mixed(&bytes) {
            out.push(c, at + 3 * index);
        }
        at += 3 * bytes.len();
    }
}

fn html(text: &str, out: &mut Out) {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let entity = (c == '&').then(|| entity(&text[at + 1..])).flatten();
        let (plain, length) = entity.map_or((c, c.len_utf8()), |(c, length)| (c, length + 1));
        out.push(plain, at);
        at += length;
    }
}

/// A character reference behind its `&`, and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(10).position(|byte| byte == b';')?;
    let name = &text[..end];
    let plain = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)?
        }
    };
    Some((plain, end + 1))
}
