//! What is secret by its looks, wherever it stands.

mod card;
mod encoded;
mod jwt;
mod pem;
mod prefix;
mod url;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::table::TABLE;
use crate::value::looks_random;

pub(crate) use card::is_card_number;

/// In bytes: the password of `://:p@`.
const SHORTEST: usize = 6;

/// Where in a text something stands that looks like a secret, in order and apart from each other.
/// Takes time in proportion to the text, whatever is in it.
pub fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    if text.len() < SHORTEST {
        return Vec::new().into_iter();
    }
    let mut found = plain(text);
    encoded::find(text, &mut found, |decoded| plain(decoded).len());
    united(found).into_iter()
}

/// What any of these but cards has in it. Nearly no text has: one look tells.
static MARKS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let tokens = TABLE.tokens.iter().map(|shape| shape.begins.as_str());
    let prefixes = TABLE.prefixes.iter().flat_map(|shape| &shape.begins).map(String::as_str);
    AhoCorasick::new(tokens.chain(prefixes).chain([pem::BEGIN, url::MARK]))
        .expect("a hundred beginnings are far below the limit")
});

/// What stands there as it is.
fn plain(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    card::find(text, &mut found);
    if MARKS.is_match(text) {
        jwt::find(text, &mut found);
        prefix::find(text, &mut found);
        pem::find(text, &mut found);
        url::find(text, &mut found);
    }
    found
}

/// Whether something in the text looks like a secret.
pub fn has_token(text: &str) -> bool {
    tokens(text).next().is_some()
}

/// Whether a text as a whole looks like a secret, or like nothing that anybody would call
/// something.
pub fn is_no_name(text: &str) -> bool {
    looks_random(text) || has_token(text)
}

/// The ranges in order, those that overlap as one.
pub(crate) fn united(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

/// What one of the searches finds in a text, for their tests.
#[cfg(test)]
fn found_by(find: fn(&str, &mut Vec<Range<usize>>), text: &str) -> Vec<&str> {
    let mut ranges = Vec::new();
    find(text, &mut ranges);
    ranges.into_iter().map(|range| &text[range]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_one() {
        assert_eq!(united(vec![4..6, 0..2, 1..3, 5..9, 9..10]), [0..3, 4..9, 9..10]);
    }
}
