//! What a text says once its escapes are taken back, and where each character of it stands.

mod bytes;
mod escapes;
mod out;

use std::borrow::Cow;
use std::ops::Range;

use trace::format::Encoding;

pub(crate) use bytes::looks_like_utf_16;
use bytes::{utf_8, utf_16};
pub(crate) use escapes::Escapes;
use out::Out;

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
        let mut out = Out::of(&self.text);
        escapes.take_back(&self.text, &mut out);
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
