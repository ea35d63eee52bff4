//! The pieces of a text, by where they stand in it.

use std::ops::Range;

/// Where what stands between the characters that are `ends` stands, empty pieces too; in bytes.
pub fn pieces(text: &str, ends: impl FnMut(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split(ends).map(move |piece| {
        let range = at..at + piece.len();
        // What ended the piece may be longer than a byte.
        at = range.end + text[range.end..].chars().next().map_or(0, char::len_utf8);
        range
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_those_of_a_split(text in "[a-zé→ /]{0,20}") {
            let ends = |c: char| c == '→' || c == 'é' || c == '/';
            let found: Vec<&str> = pieces(&text, ends).map(|range| &text[range]).collect();
            prop_assert_eq!(found, text.split(ends).collect::<Vec<_>>());
        }
    }
}
