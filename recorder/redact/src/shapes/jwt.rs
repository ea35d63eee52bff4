//! JSON Web Tokens.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::table::{TABLE, TokenShape};

/// A shape of the table with what its first part may begin with.
struct Shape {
    token: &'static TokenShape,
    /// `{"alg":"` and the like, in base64url.
    heads: Vec<String>,
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let head = |key: &String| {
        let json = format!("{{\"{key}\":\"");
        let mut head = BASE64_URL_SAFE_NO_PAD.encode(&json);
        // A last character that shares bits with what comes after says nothing.
        head.truncate(json.len() * 8 / 6);
        head
    };
    let shape = |token: &'static TokenShape| Shape {
        token,
        heads: token.first_keys.iter().map(head).collect(),
    };
    TABLE.tokens.iter().map(shape).collect()
});

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let first = SHAPES.iter().filter_map(|shape| text.find(&shape.token.begins)).min();
    let Some(first) = first else { return };
    // Of what comes before, the run that the first one stands in.
    let before = text[..first].rfind(|c| !is_token_character(c));
    let mut at =
        before.map_or(0, |before| before + text[before..].chars().next().map_or(0, char::len_utf8));
    for run in text[at..].split(|c| !is_token_character(c)) {
        let end = at + run.len();
        if let Some(start) = SHAPES.iter().filter_map(|shape| shape.find(run)).min() {
            found.push(at + start..end);
        }
        // What ended the run may be longer than a byte.
        at = end + text[end..].chars().next().map_or(0, char::len_utf8);
    }
}

impl Shape {
    /// Where a token begins that ends with this run of a token's characters.
    fn find(&self, run: &str) -> Option<usize> {
        let TokenShape { begins, first_part, .. } = self.token;
        let mut at = 0;
        let (parts, _last) = run.rsplit_once('.').unwrap_or_default();
        let mut dotted = parts.split('.').filter_map(|part| {
            let start = part.find(begins).filter(|start| part.len() - start >= *first_part);
            let found = start.map(|start| at + start);
            at += part.len() + 1;
            found
        });
        let headed = self.heads.iter().filter_map(|head| run.find(head.as_str()));
        dotted.next().into_iter().chain(headed).min()
    }
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::super::found_by;
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        found_by(find, text)
    }

    #[test]
    fn a_token_is_known_by_its_dots_or_by_its_header() {
        let token = "eyJ4NXQiOiJhIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        let cut_off = "eyJhbGciOiJIUzI1Ni";
        assert_eq!(found(&format!("Bearer {token}, {cut_off}")), [token, cut_off]);
    }

    #[test]
    fn a_token_ends_with_the_characters_that_it_may_have() {
        let token = "a.eyJ4NXQiOiJhIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        assert_eq!(found(&format!("é{token}é{token}")), [&token[2..], &token[2..]]);
        assert_eq!(found(&"eyJ".repeat(1 << 20)), [""; 0]);
    }

    #[test]
    fn what_only_begins_like_a_token_is_none() {
        for text in ["heyJude.html", "eye", "?cursor=eyJpZCI6MTIzNDU2fQ", "", "eyJ"] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
