//! What is secret by its looks.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::table::{TABLE, TokenShape};

/// A shape of the table with what its first part may begin with.
struct Shape {
    token: &'static TokenShape,
    /// `{"alg":` and the like, in base64url.
    heads: Vec<String>,
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let head = |key: &String| {
        // Nine bytes are twelve characters: none of them depends on what comes after.
        let json = format!("{{\"{key}\":\"");
        BASE64_URL_SAFE_NO_PAD.encode(&json.as_bytes()[..json.len() / 3 * 3])
    };
    let shape = |token: &'static TokenShape| Shape {
        token,
        heads: token.first_keys.iter().map(head).collect(),
    };
    TABLE.tokens.iter().map(shape).collect()
});

/// Where in a text something stands that looks like a token, in order and apart from each other.
pub fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = SHAPES.iter().filter_map(|shape| shape.find(text, from));
        let range = found.min_by_key(|range| range.start)?;
        from = range.end;
        Some(range)
    })
}

/// Whether something in the text looks like a token.
pub fn has_token(text: &str) -> bool {
    tokens(text).next().is_some()
}

impl Shape {
    fn find(&self, text: &str, mut from: usize) -> Option<Range<usize>> {
        while let Some(found) = text[from..].find(&self.token.begins) {
            let start = from + found;
            let length = text[start..].find(|c| !is_token_character(c));
            let range = start..length.map_or(text.len(), |length| start + length);
            if self.fits(&text[range.clone()]) {
                return Some(range);
            }
            from = start + self.token.begins.len();
        }
        None
    }

    fn fits(&self, candidate: &str) -> bool {
        let first_part = candidate.find('.');
        first_part.is_some_and(|length| length >= self.token.first_part)
            || self.heads.iter().any(|head| candidate.starts_with(head.as_str()))
    }
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        tokens(text).map(|range| &text[range]).collect()
    }

    #[test]
    fn a_token_is_known_by_its_dots_or_by_its_header() {
        let token = "eyJ4NXQiOiJhIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let cut_off = "eyJhbGciOiJIUzI1Ni";
        assert_eq!(found(&format!("Bearer {token}, {cut_off}")), [token, cut_off]);
    }

    #[test]
    fn what_only_begins_like_a_token_is_none() {
        for text in ["heyJude.html", "eye", "?cursor=eyJpZCI6MTIzNDU2fQ", "", "eyJ"] {
            assert!(!has_token(text), "{text}");
        }
    }
}
