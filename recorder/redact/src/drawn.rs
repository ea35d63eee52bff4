//! Texts that look as if somebody drew them at random: nobody's rule knows them, and a person who
//! looks for secrets would look at them twice.

use std::ops::Range;

use common::pieces::pieces;

/// Shorter ones are abbreviations and ids.
const LEAST: usize = 20;

/// In bits a character: words of any language have less, random letters and digits more.
const LEAST_ENTROPY: f64 = 3.5;

/// Of so many characters one at least is of another kind than the one before: words that were put
/// together have longer stretches of small letters.
const CHANGES_EACH: usize = 4;

/// Where such texts stand. Not among them: UUIDs, hexadecimal digits as hashes and ids of things
/// have them, numbers, and words with something between them.
pub fn looks_drawn(text: &str) -> impl Iterator<Item = Range<usize>> {
    pieces(text, |c| !is_of_token(c)).filter(|range| is_drawn(&text[range.clone()]))
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+')
}

fn is_drawn(run: &str) -> bool {
    let run = run.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let has = |is: fn(&u8) -> bool| run.bytes().any(|byte| is(&byte));
    let is_hex = run.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    run.len() >= LEAST
        && !is_hex
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && changes(run) >= run.len() / CHANGES_EACH
        && entropy(run) >= LEAST_ENTROPY
}

/// How often a digit follows a letter, a letter a digit, or a capital a small letter.
fn changes(run: &str) -> usize {
    let kind = |c: &char| (c.is_ascii_digit(), c.is_ascii_uppercase());
    let kinds: Vec<_> = run.chars().filter(char::is_ascii_alphanumeric).map(|c| kind(&c)).collect();
    // A word may begin with a capital.
    kinds
        .windows(2)
        .filter(|pair| pair[0] != pair[1] && !(pair[0].1 && pair[1] == (false, false)))
        .count()
}

/// In bits a character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let share = |count: u32| f64::from(count) / text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|&count| -share(count) * share(count).log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_at_random_is_told_from_ids_hashes_numbers_and_words() {
        let token = "q7Zk2PbX9vTn4LmR8sWd0";
        let text = format!("é{token}é, of {token}&y");
        let found: Vec<&str> = looks_drawn(&text).map(|range| &text[range]).collect();
        assert_eq!(found, [token, token]);
        for text in [
            "8c1d2f00-0000-4000-8000-0123456789ab",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "1795492860123456789012",
            "the-longest-of-all-names-of-1-thing",
            "AlertIngestionRequestFactory2Implementation",
            "application/vnd.company.resource+json; version=2",
            "/alerts/acknowledged?page=1&page_size=50",
            "q7Zk2PbX9vTn4LmR",
            "aaaaaaaaaaaaaaaaaaaaaaaa1",
        ] {
            assert_eq!(looks_drawn(text).next(), None, "{text}");
        }
    }
}
