//! Tokens that begin as their issuer's tokens do.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::table::{Letters, PrefixShape, TABLE};

struct Search {
    beginnings: AhoCorasick,
    /// The shape of each beginning.
    shapes: Vec<&'static PrefixShape>,
}

static SEARCH: LazyLock<Search> = LazyLock::new(|| {
    let all = TABLE.prefixes.iter().flat_map(|shape| shape.begins.iter().map(move |b| (b, shape)));
    let (beginnings, shapes): (Vec<&String>, Vec<_>) = all.unzip();
    let beginnings =
        AhoCorasick::new(beginnings).expect("a hundred beginnings are far below the limit");
    Search { beginnings, shapes }
});

/// What tells a token from other words stands within so many bytes, so that looking for it takes
/// no longer than the text is long.
const LOOKED_AT: usize = 256;

/// As many letters and digits in a row are no word.
const MIXED: usize = 12;

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let Search { beginnings, shapes } = &*SEARCH;
    let bytes = text.as_bytes();
    let mut end = 0;
    for begins in beginnings.find_overlapping_iter(text) {
        let start = begins.start();
        // Within a word it is none, and within a token that was found it is told already.
        let is_within = start > 0 && bytes[start - 1].is_ascii_alphanumeric();
        if is_within || start < end {
            continue;
        }
        let shape = shapes[begins.pattern().as_usize()];
        let rest = &bytes[begins.end()..];
        let length =
            |rest: &[u8]| rest.iter().position(|byte| !shape.has(*byte)).unwrap_or(rest.len());
        let first = &rest[..rest.len().min(LOOKED_AT)];
        let first = &first[..length(first)];
        let mut runs = first.split(|byte| !byte.is_ascii_alphanumeric());
        if first.len() >= shape.least && (!shape.mixed || runs.any(is_mixed)) {
            end = begins.end() + length(rest);
            found.push(start..end);
        }
    }
}

fn is_mixed(run: &[u8]) -> bool {
    run.len() >= MIXED
        && run.iter().any(u8::is_ascii_digit)
        && run.iter().any(u8::is_ascii_alphabetic)
}

impl PrefixShape {
    fn has(&self, byte: u8) -> bool {
        match self.only {
            Letters::Any if byte.is_ascii_alphanumeric() => true,
            Letters::Upper if byte.is_ascii_uppercase() || byte.is_ascii_digit() => true,
            _ => self.more.as_bytes().contains(&byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::found_by;
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        found_by(find, text)
    }

    #[test]
    fn tokens_are_known_by_how_they_begin() {
        // Put together here, so that no scanner takes this file for a leak.
        let tail = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
        for (begins, length) in [
            ("ghp_", 36),
            ("xoxb-", 24),
            ("sk-", 40),
            ("sk-proj-", 40),
            ("sk_live_", 24),
            ("AIza", 35),
            ("glpat-", 20),
            ("npm_", 36),
            ("hvs.", 30),
            ("github_pat_", 40),
        ] {
            let token = format!("{begins}{}", &tail[..length]);
            assert_eq!(found(&format!("see \"{token}\", please")), [token.as_str()]);
        }
        let key = ["AKIA", "IOSFODNN7ABCDEFG"].concat();
        assert_eq!(found(&format!("<a>{key}</a>")), [key.as_str()]);
    }

    #[test]
    fn words_that_begin_alike_are_none() {
        for text in [
            "sk-learn-and-other-packages-of-python",
            "task-a1B2c3D4e5F6g7H8i9J0",
            "AKIAK",
            "npm_package_name",
            "ghp_short",
            "dapi",
            "SG.1",
            "key-words-and-other-things-of-this-kind",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
