//! Text of others, as it may be shown on a terminal or in a picture.
//!
//! A body, a name or a path may hold what a terminal obeys (colours, titles, OSC) or what turns
//! the rest of a line around. Such characters are written as `\u{1b}`, so that they are seen.

use std::borrow::Cow;

/// Text of several lines; line ends and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_unsafe(character) && !matches!(character, '\n' | '\t'))
}

/// Text of one line: what would end it becomes a space.
pub fn line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r', '\t']) {
        let one = text.replace("\r\n", " ").replace(['\n', '\r', '\t'], " ");
        return Cow::Owned(escaped(&one, is_unsafe).into_owned());
    }
    escaped(text, is_unsafe)
}

/// A JSON document: such characters stand in its strings alone, and are escaped as JSON has it.
pub fn json(text: &str) -> Cow<'_, str> {
    let is_escaped = |character| is_unsafe(character) && !matches!(character, '\n' | '\t' | '\r');
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_escaped(character) {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The digits of a whole number, thousands separated by commas.
pub fn thousands(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With the middle left out where it has more than `most` characters.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= most {
        return Cow::Borrowed(text);
    }
    let half = most / 2;
    Cow::Owned(
        text.chars().take(half).chain(['…']).chain(text.chars().skip(count - half)).collect(),
    )
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_escaped(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Controls (C0, DEL, C1), line and paragraph separators, what changes the direction of text,
/// and what cannot be seen at all.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_seen() {
        assert_eq!(line("\u{1b}[31mred\u{1b}]0;title\u{7}"), "\\u{1b}[31mred\\u{1b}]0;title\\u{7}");
        assert_eq!(line("a\u{202e}b\u{9b}c\r\nd"), "a\\u{202e}b\\u{9b}c d");
        assert_eq!(lines("a\n\tb\rc"), "a\n\tb\\u{d}c");
        assert!(matches!(line("GET /ü → 5 µs, 日本"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn json_means_the_same(text in any::<String>()) {
            let plain = serde_json::Value::from(text.as_str());
            let shown = plain.to_string();
            let shown = json(&shown);
            prop_assert!(!shown.chars().any(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), plain);
        }

        #[test]
        fn nothing_unsafe_is_left_and_twice_is_once(text in any::<String>()) {
            let once = line(&text);
            prop_assert!(!once.chars().any(is_unsafe));
            prop_assert_eq!(line(&once), once.clone());
            let once = lines(&text);
            prop_assert!(!once.chars().any(|c| is_unsafe(c) && c != '\n' && c != '\t'));
        }
    }
}
