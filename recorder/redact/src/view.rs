//! What a text says once its escapes are taken back, and where each character of it stands.

use std::borrow::Cow;
use std::ops::Range;

use trace::format::Encoding;

/// Escapes within escapes are taken back this often, all in all.
const MOST_VIEWS: usize = 8;

/// A text, or what it says, whose characters are known by where they stand in the part of the
/// message that it comes from.
pub(crate) struct View<'a> {
    pub(crate) text: Cow<'a, str>,
    from: Positions<'a>,
    pub(crate) written: Written,
}

#[derive(Clone)]
enum Positions<'a> {
    /// As it stands, from here on.
    At(usize),
    /// Of each byte of the text, and of its end.
    Table(Cow<'a, [u32]>),
}

/// How a value of a view is written in the part of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    As(Encoding),
    /// In a way that replay does not know.
    Otherwise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    Json,
    Percent,
    /// Percent, and `+` for a space.
    Form,
    Html,
}

impl<'a> View<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text: text.into(), from: Positions::At(0), written: Written::As(Encoding::Raw) }
    }

    /// UTF-8, of which what is none is taken for Latin-1.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self::of(text);
        }
        let (text, table) = utf_8(bytes);
        let written = Written::As(Encoding::Raw);
        Self { text: text.into(), from: Positions::Table(table.into()), written }
    }

    /// UTF-16, if the bytes look like it.
    pub(crate) fn of_utf_16(bytes: &'a [u8]) -> Option<Self> {
        looks_like_utf_16(bytes).then(|| {
            let (text, table) = utf_16(bytes);
            let from = Positions::Table(table.into());
            Self { text: text.into(), from, written: Written::Otherwise }
        })
    }

    /// Where this range stands in the part of the message.
    pub(crate) fn place(&self, range: &Range<usize>) -> Range<usize> {
        match &self.from {
            Positions::At(at) => at + range.start..at + range.end,
            Positions::Table(table) => table[range.start] as usize..table[range.end] as usize,
        }
    }

    /// A part of it.
    pub(crate) fn part(&self, range: Range<usize>) -> View<'_> {
        let from = match &self.from {
            Positions::At(at) => Positions::At(at + range.start),
            Positions::Table(table) => {
                Positions::Table(Cow::Borrowed(&table[range.start..=range.end]))
            }
        };
        View { text: Cow::Borrowed(&self.text[range]), from, written: self.written }
    }

    /// What it says without these escapes.
    pub(crate) fn without(&self, escapes: Escapes) -> View<'_> {
        let written = self.written.then(escapes);
        if !escapes.are_in(&self.text) {
            return View { written, ..self.part(0..self.text.len()) };
        }
        let mut out = Out { text: String::with_capacity(self.text.len()), table: Vec::new() };
        match escapes {
            Escapes::Json => json(&self.text, &mut out),
            Escapes::Percent => percent(&self.text, false, &mut out),
            Escapes::Form => percent(&self.text, true, &mut out),
            Escapes::Html => html(&self.text, &mut out),
        }
        let Out { text, mut table } = out;
        table.push(self.text.len() as u32);
        for at in &mut table {
            *at = self.place(&(*at as usize..*at as usize)).start as u32;
        }
        View { text: text.into(), from: Positions::Table(table.into()), written }
    }

    /// What the text says without its escapes, those inside others too; nothing where it has none.
    pub(crate) fn plain(&self) -> Vec<View<'static>> {
        let mut all: Vec<View<'static>> = Vec::new();
        self.add_plain(&mut all);
        let mut next = 0;
        while next < all.len() && all.len() < MOST_VIEWS {
            let view = std::mem::replace(&mut all[next], View::of(""));
            view.add_plain(&mut all);
            all[next] = view;
            next += 1;
        }
        all
    }

    fn add_plain(&self, all: &mut Vec<View<'static>>) {
        for escapes in [Escapes::Percent, Escapes::Json, Escapes::Html] {
            if escapes.are_in(&self.text) {
                let plain = self.without(escapes);
                if plain.text != self.text && all.iter().all(|known| known.text != plain.text) {
                    all.push(plain.into_owned());
                }
            }
        }
    }

    pub(crate) fn into_owned(self) -> View<'static> {
        let from = match self.from {
            Positions::At(at) => Positions::At(at),
            Positions::Table(table) => Positions::Table(Cow::Owned(table.into_owned())),
        };
        View { text: Cow::Owned(self.text.into_owned()), from, written: self.written }
    }
}

impl Written {
    fn then(self, escapes: Escapes) -> Self {
        match (self, escapes) {
            (Self::As(Encoding::Raw), Escapes::Json) => Self::As(Encoding::Json),
            (Self::As(Encoding::Raw), Escapes::Percent) => Self::As(Encoding::Percent),
            (Self::As(Encoding::Raw), Escapes::Form) => Self::As(Encoding::Form),
            _ => Self::Otherwise,
        }
    }

    /// How replay writes the value there, which reads `written` now: where it knows no way, a
    /// value that needs no escapes can be written as it is.
    pub(crate) fn encoding(self, value: &str, written: &[u8]) -> Option<Encoding> {
        match self {
            Self::As(encoding) => Some(encoding),
            Self::Otherwise if value.as_bytes() == written => Some(Encoding::Raw),
            Self::Otherwise => None,
        }
    }
}

impl Escapes {
    fn are_in(self, text: &str) -> bool {
        let has = |wanted: u8| text.as_bytes().contains(&wanted);
        match self {
            Self::Json => has(b'\\'),
            Self::Percent => has(b'%'),
            Self::Form => has(b'%') || has(b'+'),
            Self::Html => has(b'&') && has(b';'),
        }
    }
}

/// A text that is being made, with where in the other one each of its bytes comes from.
struct Out {
    text: String,
    table: Vec<u32>,
}

impl Out {
    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.table.resize(self.text.len(), at as u32);
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
            Some(b'u') => match unicode(after) {
                Some(found) => found,
                None => ('\\', 0),
            },
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

/// The characters of bytes that may be UTF-8, each with where it begins; other bytes are taken for
/// Latin-1.
fn mixed(bytes: &[u8]) -> impl Iterator<Item = (usize, char)> {
    let mut at = 0;
    bytes.utf8_chunks().flat_map(move |chunk| {
        let start = at;
        let invalid = start + chunk.valid().len();
        at = invalid + chunk.invalid().len();
        let valid = chunk.valid().char_indices().map(move |(index, c)| (start + index, c));
        let bytes = chunk.invalid().iter().enumerate();
        valid.chain(bytes.map(move |(index, byte)| (invalid + index, char::from(*byte))))
    })
}

fn utf_8(bytes: &[u8]) -> (String, Vec<u32>) {
    let mut out = Out { text: String::with_capacity(bytes.len()), table: Vec::new() };
    for (at, c) in mixed(bytes) {
        out.push(c, at);
    }
    out.table.push(bytes.len() as u32);
    (out.text, out.table)
}

/// A byte order mark, or an ASCII character at the start as UTF-16 has it.
pub(crate) fn looks_like_utf_16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [0, 1..0x80, 0, 1..0x80, ..] | [1..0x80, 0, 1..0x80, 0, ..] => true,
        _ => false,
    }
}

fn utf_16(bytes: &[u8]) -> (String, Vec<u32>) {
    let is_big = bytes[0] == 0xfe || bytes[0] == 0;
    let mut out = Out { text: String::with_capacity(bytes.len() / 2), table: Vec::new() };
    let units = bytes.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    });
    let mut at = 0;
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.push(c, at);
        at += 2 * c.len_utf16();
    }
    out.table.push(bytes.len() as u32);
    (out.text, out.table)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, escapes: Escapes) -> (String, Vec<String>) {
        let view = View::of(text);
        let plain = view.without(escapes);
        let places = plain.text.char_indices().map(|(at, c)| {
            let range = plain.place(&(at..at + c.len_utf8()));
            text[range].to_owned()
        });
        (plain.text.to_string(), places.collect())
    }

    #[test]
    fn each_character_is_known_by_what_it_was_written_as() {
        let json = read(r#"a\"\u00e9\ud83d\ude00\ud83d\q"#, Escapes::Json);
        assert_eq!(json.0, "a\"é😀\u{fffd}\\q");
        assert_eq!(json.1, ["a", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\", "q"]);
        let percent = read("a%2f%C3%A9%fc+%", Escapes::Form);
        assert_eq!(percent.0, "a/éü %");
        assert_eq!(percent.1, ["a", "%2f", "%C3%A9", "%fc", "+", "%"]);
        let html = read("a&amp;&#39;&#x22;&x;", Escapes::Html);
        assert_eq!((html.0.as_str(), html.1[2].as_str()), ("a&'\"&x;", "&#39;"));
    }

    #[test]
    fn escapes_within_escapes_are_taken_back_too() {
        let view = View::of("x%5C%22y");
        let all: Vec<_> = view.plain().into_iter().map(|view| view.text.to_string()).collect();
        assert_eq!(all, ["x\\\"y", "x\"y"]);
        assert!(View::of("nothing").plain().is_empty());
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_text_all_the_same() {
        let view = View::of_bytes(b"M\xfcller \xc3\xa9");
        assert_eq!(view.text, "Müller é");
        assert_eq!(view.place(&(1..3)), 1..2);
        let bytes: Vec<u8> = "\u{feff}pö".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let view = View::of_utf_16(&bytes).unwrap();
        assert_eq!((view.text.as_ref(), view.place(&(3..4))), ("\u{feff}pö", 2..4));
        assert_eq!(View::of_utf_16(b"\0p\0a").unwrap().text, "pa");
        assert!(View::of_utf_16(b"pa").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_view_that_stands_in_them(bytes: Vec<u8>) {
            let view = View::of_bytes(&bytes);
            let utf_16 = View::of_utf_16(&bytes);
            for view in view.plain().iter().chain([&view]).chain(&utf_16) {
                let end = view.text.len();
                prop_assert_eq!(view.place(&(0..end)).end, bytes.len());
                let mut at = 0;
                for (index, _) in view.text.char_indices() {
                    let start = view.place(&(index..end)).start;
                    prop_assert!(start >= at);
                    at = start;
                }
            }
        }
    }
}
