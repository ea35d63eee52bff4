//! What a value is by itself, whatever it is called: nothing at all, a word, or not by chance.

use crate::table::TABLE;

/// Where else than under its own name a secret is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// Nowhere: it is short or common, and stands in anything.
    Own,
    /// Where it stands as a whole, between characters that cannot belong to it.
    Token,
    /// Within anything: it is not there by chance.
    Anywhere,
}

/// No value that says nothing is longer, in bytes.
const MOST_NEVER: usize = 16;

/// Longer ones are no words of any language, or several of them, in characters.
const WORDS: usize = 20;

/// Two words or more are nobody's by chance if they are as long, in characters.
const PHRASE: usize = 12;

impl Reach {
    pub(crate) fn of(value: &str) -> Self {
        let count = value.chars().count();
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        let has_letters = value.chars().any(char::is_alphabetic);
        if count < 6 || says_nothing(value) || looks_like_time(value) {
            return Self::Own;
        }
        if !has_letters {
            return if digits >= 9 { Self::Token } else { Self::Own };
        }
        if are_words(value) {
            let pieces = value.split(|c: char| !c.is_alphanumeric()).count();
            let is_phrase = count >= WORDS || pieces > 1 && count >= PHRASE;
            return if is_phrase { Self::Token } else { Self::Own };
        }
        let classes = [
            digits > 0,
            value.chars().any(char::is_lowercase),
            value.chars().any(char::is_uppercase),
            value.chars().any(|c| !c.is_alphanumeric()),
        ];
        let classes = classes.into_iter().filter(|has| *has).count();
        let is_long = count >= 16 && digits > 0 || count >= 12 && classes == 4;
        if is_long { Self::Anywhere } else { Self::Token }
    }
}

/// Yes, no or nothing: never a secret.
pub(crate) fn says_nothing(value: &str) -> bool {
    let value = value.trim();
    let is_blank = value.chars().all(|c| matches!(c, '*' | '.' | '-' | '_' | '•' | '"' | '\''));
    let is = |never: &String| {
        value.len() == never.len()
            && value.bytes().zip(never.bytes()).all(|(a, b)| a.to_ascii_lowercase() == b)
    };
    is_blank || value.len() <= MOST_NEVER && TABLE.names.never.iter().any(is)
}

/// Words, with what stands between words: `open`, `in-progress`, `North West`. `aGVsbG8` is none.
pub(crate) fn are_words(value: &str) -> bool {
    let mut pieces = value.split(['-', '_', '.', ' ', '+', '/', ',', ':']);
    let is_word = |piece: &str| {
        let mut letters = piece.chars();
        let first_is_upper = letters.next().is_none_or(char::is_uppercase);
        let rest_is = |is: fn(char) -> bool| piece.chars().skip(1).all(is);
        piece.chars().all(char::is_alphabetic)
            && (rest_is(|c| !c.is_uppercase()) || first_is_upper && rest_is(|c| !c.is_lowercase()))
    };
    pieces.all(is_word)
}

/// Whether a key under a secret name may be a secret.
pub(crate) fn is_like_a_secret(key: &str) -> bool {
    looks_random(key) || key.bytes().filter(u8::is_ascii_digit).count() >= 4
}

/// Letters and digits mixed as nobody writes words or numbers: at least eight of them in a row.
pub(crate) fn looks_random(value: &str) -> bool {
    let is_plain = !is_uuid(value) && !looks_like_time(value) && !value.contains(['/', ' ', ',']);
    let runs = value.split(|c: char| !c.is_ascii_alphanumeric());
    is_plain && runs.into_iter().any(|run| run.len() >= 8 && is_mixed(run))
}

/// What the secret of a field looks like whose name may mean anything, `key` say: not like words
/// and numbers with something between them.
pub(crate) fn may_be_secret(value: &str) -> bool {
    let is_of_path = |b: u8| b.is_ascii_alphanumeric() || b"-_./ ,".contains(&b);
    let is_path = value.contains(['/', ' ', ',']) && value.bytes().all(is_of_path);
    let mut pieces = value.split(|c: char| !c.is_ascii_alphanumeric());
    let is_plain = is_uuid(value) || looks_like_time(value) || is_path || value.contains("://");
    !is_plain && value.len() >= 8 && pieces.any(|piece| piece.len() >= 3 && is_mixed(piece))
}

/// What the `code` of an OAuth redirect looks like, unlike that of an agency.
pub(crate) fn looks_like_code(value: &str) -> bool {
    let mut pieces = value.split(|c: char| !c.is_ascii_alphanumeric());
    value.len() >= 10
        && pieces.any(|piece| piece.len() >= 6 && is_mixed(piece))
        && !value.contains("://")
        && !is_hash(value)
        && !is_uuid(value)
}

/// What a token in a path looks like: long, and no words.
pub(crate) fn looks_like_token(value: &str) -> bool {
    let is_run = |run: &str| run.len() >= 12 && is_mixed(run);
    value.len() >= 16
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~=+%:".contains(&b))
        && !is_uuid(value)
        && (value.split(['-', '.', '_', '~', ':']).any(is_run)
            || value.len() >= 20 && has_all(value))
}

fn has_all(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|b| is(&b));
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// Digits and letters, neither of which only lead or end it, as in `page2` or `INC20261124`.
fn is_mixed(run: &str) -> bool {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let changes = run
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit());
    digits > 0 && digits < run.len() && (changes.count() >= 2 || has_all(run))
}

/// Hexadecimal digits, as many as a digest has.
pub(crate) fn is_hash(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128)
        && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// RFC 9562, section 4, of any version.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `2026-11-26`, with or without a time behind it.
fn looks_like_time(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 10
        && bytes.len() <= 35
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
        && (bytes.len() == 10 || matches!(bytes[10], b'T' | b't' | b' ' | b'%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_common_values_are_looked_for_nowhere_else() {
        for value in [
            "dark",
            "true",
            "en-US",
            "in-progress",
            "sunshine",
            "123456",
            "2026-11-26",
            "2026-11-26T10:00:00Z",
            "North West",
            "",
            "*****",
            "LOADTEST",
        ] {
            assert_eq!(Reach::of(value), Reach::Own, "{value}");
        }
        for value in [
            "hunter2",
            "s3same-open",
            "123-45-6789",
            "correct-horse-battery-staple",
            "not-the-password",
            "secret-token",
        ] {
            assert_eq!(Reach::of(value), Reach::Token, "{value}");
        }
        for value in ["TestPass \"1/2!", "0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9.one1"] {
            assert_eq!(Reach::of(value), Reach::Anywhere, "{value}");
        }
    }

    #[test]
    fn words_and_numbers_do_not_look_random() {
        for value in ["INC-20261124-0001", "page2", "PROJ-123", "release-2026", "application/json"]
        {
            assert!(!looks_random(value) && !looks_like_token(value), "{value}");
        }
        assert!(
            may_be_secret("Zq7!aB3#xY9")
                && may_be_secret("Y>jFjd'e FhB<cD%X7qZ")
                && may_be_secret("k9x2m4q7z1")
        );
        for value in [
            "PROJ-123",
            "INC-20261124-0001",
            "createdAt",
            "Report-2026",
            "v1.2.3-rc1",
            "uploads/a1b2c3d4.png",
        ] {
            assert!(!may_be_secret(value), "{value}");
        }
        assert!(looks_random("k9x2m4q7z1") && looks_like_token("dQw4w9WgXcQ0R7rJ1a2b"));
        assert!(!looks_like_token("8c1d2f00-0000-4000-8000-0123456789ab"));
    }
}
