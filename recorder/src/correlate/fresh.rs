//! Values that a client made and that have to be others in each run of its session.
//!
//! Of a longer value only what makes it unique is made anew, so that it keeps its form: the id or
//! the number in it, and where there is none a number behind it; of an address what stands before
//! the `@`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use common::pieces::pieces;

use super::client_values;
use super::names::{is_user_name, last_of};
use crate::edits::key;
use trace::format::{Encoding, FreshId};

/// Values that a session made. When there are more, all of them are forgotten.
const MOST: usize = 8192;

/// Longer texts are not looked into, in bytes.
const LONGEST: usize = 4096;

/// As few digits as make two clones' numbers differ.
const DIGITS: u32 = 8;

/// Shorter numbers are not known again when they stand by themselves.
const SHORTEST_NUMBER: usize = 6;

/// What of a value is made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// In bytes of the value; empty where something is added.
    pub(super) range: Range<usize>,
    pub(super) key: String,
    pub(super) like: FreshId,
    /// It is a word that others may say as well: it is the client's own only under this name.
    pub(super) only: Option<String>,
}

impl Made {
    /// Whether this value under that name is what the client made.
    pub(super) fn is_under(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.eq_ignore_ascii_case(last_of(name)))
    }
}

/// The name under which alone a value is known again, if it is a word and nobody's name.
fn only(text: &str, name: &str) -> Option<String> {
    let is_word = text.len() < 12 && !text.bytes().any(|byte| byte.is_ascii_digit());
    (is_word && !is_user_name(name)).then(|| last_of(name).to_owned())
}

/// What a session made so far.
#[derive(Default)]
pub(super) struct Fresh {
    by_text: HashMap<Arc<str>, Made>,
    /// How many keys have this name.
    keys: HashMap<String, u32>,
    unnamed: u64,
}

impl Fresh {
    pub(super) fn knows(&self, text: &str) -> bool {
        self.by_text.contains_key(text)
    }

    pub(super) fn of(&self, text: &str) -> Option<Made> {
        self.by_text.get(text).cloned()
    }

    /// A part of a longer text that the session made by itself: an id, or a number that nobody
    /// counts to.
    pub(super) fn within(&self, text: &str) -> Option<Made> {
        if self.by_text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let known = |word: Range<usize>| {
            let is_long = word.len() >= SHORTEST_NUMBER && word.len() < text.len();
            let made = self.by_text.get(&text[word.clone()]).filter(|_| is_long)?;
            let Range { start, end } = made.range;
            let range = word.start + start..word.start + end;
            (made.only.is_none() && !range.is_empty()).then(|| Made { range, ..made.clone() })
        };
        let is_mark = |c: char| !c.is_ascii_alphanumeric();
        // A UUID is several words, with a `-` between them.
        let longer = pieces(text, move |c| is_mark(c) && c != '-');
        longer.chain(pieces(text, is_mark)).find_map(known)
    }

    /// A value that is made anew as a whole.
    pub(super) fn whole(&mut self, text: &str, like: FreshId) -> Made {
        if let Some(made) = self.of(text) {
            return made;
        }
        self.unnamed += 1;
        let key = format!("f{}", self.unnamed);
        let made = Made { range: 0..text.len(), key, like, only: None };
        self.keep(text, made)
    }

    /// A value that is made anew like a pattern.
    pub(super) fn like(&mut self, text: &str, name: &str, pattern: &str) -> Made {
        if let Some(made) = self.of(text) {
            return made;
        }
        let (key, like) = (self.key(name), FreshId::Pattern(pattern.to_owned()));
        let only = only(text, name);
        self.keep(text, Made { range: 0..text.len(), key, like, only })
    }

    /// A value of which a part is made anew; the same part as of another value where both have it.
    pub(super) fn part(&mut self, text: &str, name: &str) -> Made {
        if let Some(made) = self.of(text) {
            return made;
        }
        let stem = stem(text);
        let made = match self.of(stem) {
            Some(made) => made,
            None => {
                let (range, like) = unique_part(stem);
                match self.of(&stem[range.clone()]).filter(|_| !range.is_empty()) {
                    Some(part) => Made { range, ..part },
                    None => {
                        let key = self.key(name);
                        let made = Made { range: range.clone(), key, like, only: None };
                        if range.len() >= SHORTEST_NUMBER && range.len() < stem.len() {
                            let whole = Made { range: 0..range.len(), ..made.clone() };
                            self.keep(&stem[range], whole);
                        }
                        made
                    }
                }
            }
        };
        if stem.len() < text.len() && stem.len() >= SHORTEST_NUMBER && last_number(stem).is_some() {
            self.keep(stem, made.clone());
        }
        self.keep(text, Made { only: only(text, name), ..made })
    }

    /// Called like the field, so that what two sessions made in their logins is called the same.
    fn key(&mut self, name: &str) -> String {
        let name = key(name);
        if self.keys.len() >= MOST {
            self.keys.clear();
        }
        let count = self.keys.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}.{count}") }
    }

    fn keep(&mut self, text: &str, made: Made) -> Made {
        if self.by_text.len() >= MOST {
            self.by_text.clear();
        }
        self.by_text.insert(text.into(), made.clone());
        made
    }
}

/// What makes a value unique: of an address what stands before the `@`.
fn stem(text: &str) -> &str {
    match text.split_once('@') {
        Some((local, domain)) if is_domain(domain) && !local.is_empty() => local,
        _ => text,
    }
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

/// `someone@example.org`
pub(super) fn is_address(text: &str) -> bool {
    stem(text).len() < text.len() && !text.contains(char::is_whitespace)
}

/// Where a value has an id or a number, the last of them; else its end.
fn unique_part(text: &str) -> (Range<usize>, FreshId) {
    if let Some((range, like)) = client_values::id_within(text) {
        return (range, like);
    }
    let digits = FreshId::Digits;
    match last_number(text) {
        Some(range) => {
            let length = (range.len() as u32).max(DIGITS);
            (range, digits(length))
        }
        None => (text.len()..text.len(), digits(DIGITS)),
    }
}

/// The last run of digits.
pub(super) fn last_number(text: &str) -> Option<Range<usize>> {
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = text[..end].rfind(|c: char| !c.is_ascii_digit());
    let start = start.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    (end - start <= 30).then_some(start..end)
}

/// Whether there is an id in a value, or a number long enough that nobody counts to it.
pub(super) fn tells_itself(text: &str, fewest: usize) -> bool {
    client_values::id_within(text).is_some()
        || last_number(stem(text)).is_some_and(|range| range.len() >= fewest)
}

/// What is left of a value without its last number, if it has one: that of a counter.
pub(super) fn counted(text: &str) -> Option<(&str, &str)> {
    let stem = stem(text);
    let range = last_number(stem)?;
    Some((&stem[..range.start], &stem[range]))
}

/// Where a range of the value stands in what was written; none where it cannot be told.
pub(super) fn in_written(
    value: &str,
    range: &Range<usize>,
    written: &[u8],
    encode: Encoding,
) -> Option<Range<usize>> {
    if written == value.as_bytes() {
        return Some(range.clone());
    }
    let (mut at, mut decoded) = (0, 0);
    let (mut start, mut end) = (None, None);
    loop {
        if decoded == range.start {
            start.get_or_insert(at);
        }
        if decoded == range.end {
            end.get_or_insert(at);
        }
        if at >= written.len() {
            break;
        }
        let (length, gives) = unit(&written[at..], encode)?;
        at += length;
        decoded += gives;
    }
    (decoded == value.len()).then_some(start?..end?)
}

/// How long what stands first is as written, and decoded.
fn unit(written: &[u8], encode: Encoding) -> Option<(usize, usize)> {
    match (encode, written) {
        (Encoding::Percent | Encoding::Form, [b'%', a, b, ..])
            if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() =>
        {
            Some((3, 1))
        }
        (Encoding::Json, [b'\\', b'u', digits @ ..]) => {
            let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
            match u32::from_str_radix(digits, 16).ok()? {
                // Half of a pair, whose other half follows.
                0xd800..=0xdbff => Some((12, 4)),
                code => Some((6, char::from_u32(code)?.len_utf8())),
            }
        }
        (Encoding::Json, [b'\\', _, ..]) => Some((2, 1)),
        _ => Some((1, 1)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(text: &str) -> (String, FreshId) {
        let made = Fresh::default().part(text, "x");
        let mut form = text.to_owned();
        form.replace_range(made.range, "<>");
        (form, made.like)
    }

    #[test]
    fn a_value_keeps_its_form() {
        let uuid = "8c1d2f00-0000-4000-8000-0123456789ab";
        for (text, form, like) in [
            ("u1795679399@mail.com", "u<>@mail.com", FreshId::Digits(10)),
            ("jake@jake.jake", "jake<>@jake.jake", FreshId::Digits(8)),
            (&format!("Load test {uuid}"), "Load test <>", FreshId::Uuid),
            ("Article 3", "Article <>", FreshId::Digits(8)),
            ("Пирог", "Пирог<>", FreshId::Digits(8)),
            ("été2é", "été<>é", FreshId::Digits(8)),
        ] {
            assert_eq!(made(text), (form.to_owned(), like), "{text}");
        }
    }

    #[test]
    fn what_two_values_have_in_common_is_made_once() {
        let mut fresh = Fresh::default();
        let name = fresh.part("jake", "username");
        assert_eq!(fresh.part("jake@jake.jake", "email"), name);
        let address = fresh.part("u1795679399@mail.com", "email");
        let user = fresh.of("u1795679399").unwrap();
        assert_eq!((&user, &*user.key), (&address, "email"));
        assert_eq!(fresh.part("Info", "title").only.as_deref(), Some("title"));
        fresh.part("info@mail.com", "email");
        assert_eq!(fresh.of("info"), None);
        let number = fresh.of("1795679399").unwrap();
        assert_eq!((number.range, number.key), (0..10, address.key));
        assert_eq!(fresh.part("anna", "username").key, "username.2");
    }

    #[test]
    fn a_part_is_found_in_what_was_written() {
        let value = "u17@x.org";
        let found = |written: &str, encode| {
            let range = in_written(value, &(1..3), written.as_bytes(), encode)?;
            Some(written[range].to_owned())
        };
        assert_eq!(found("u17%40x.org", Encoding::Form).as_deref(), Some("17"));
        assert_eq!(found("\\u007517@x.org", Encoding::Json).as_deref(), Some("17"));
        assert_eq!(found("u17&x.org.", Encoding::Raw), None);
    }

    proptest! {
        #[test]
        fn any_part_of_any_value_is_found_again(
            value in "\\PC{0,12}",
            (from, to) in (0..12_usize, 0..12_usize),
            encode in prop::sample::select(vec![Encoding::Percent, Encoding::Form, Encoding::Json]),
        ) {
            let bounds: Vec<usize> =
                value.char_indices().map(|(at, _)| at).chain([value.len()]).collect();
            let (from, to) = (bounds[from % bounds.len()], bounds[to % bounds.len()]);
            let range = from.min(to)..from.max(to);
            let mut written = Vec::new();
            trace::values::encode(&value, encode, &mut written);
            let found = in_written(&value, &range, &written, encode).unwrap();
            let mut part = Vec::new();
            trace::values::encode(&value[range], encode, &mut part);
            prop_assert_eq!(&written[found], &part[..]);
        }

        #[test]
        fn any_value_is_taken(text in "\\PC{0,40}") {
            let (form, _) = made(&text);
            prop_assert!(form.contains("<>"));
        }
    }
}
