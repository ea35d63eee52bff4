//! What is secret by its looks, wherever it stands.

mod card;
mod encoded;
mod jwt;
mod pem;
mod prefix;
mod url;

use std::ops::Range;

use crate::value::looks_random;

pub(crate) use card::is_card_number;

/// Where in a text something stands that looks like a secret, in order and apart from each other.
/// Takes time in proportion to the text, whatever is in it.
pub fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut found = plain(text);
    encoded::find(text, &mut found, |decoded| plain(decoded).len());
    united(found).into_iter()
}

/// What stands there as it is.
fn plain(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    jwt::find(text, &mut found);
    prefix::find(text, &mut found);
    pem::find(text, &mut found);
    card::find(text, &mut found);
    url::find(text, &mut found);
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
