//! Text of others in Markdown: names, reasons, labels and limitations are shown as they are
//! written, and are neither markup nor HTML.

use common::encoding;
use common::shown;

/// Text in a sentence or in a table's cell. Code between backticks stays code, as the report's
/// own sentences have it: nothing in it is markup.
pub fn text(text: &str) -> String {
    let shown = shown::line(text);
    let mut out = String::with_capacity(shown.len() + 8);
    let mut rest: &str = &shown;
    while let Some(at) = rest.find('`') {
        escape(&rest[..at], &mut out);
        let behind = &rest[at + 1..];
        // An empty one would be the beginning of a longer fence.
        let Some(end) = behind.find('`').filter(|end| *end > 0) else {
            out.push_str("\\`");
            rest = behind;
            continue;
        };
        out.push_str(&span(&behind[..end]));
        rest = &behind[end + 1..];
    }
    escape(rest, &mut out);
    out
}

/// Text as code, in a sentence or a table's cell.
pub fn code(text: &str) -> String {
    span(&shown::line(text).replace('`', "'"))
}

/// Text as a line of a fenced block, which it must not end.
pub fn fenced(text: &str) -> String {
    shown::line(text).replace("```", "` ` `")
}

/// A relative path as the target of a link.
pub fn link(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out.push(b'/');
        }
        encoding::percent(segment, &mut out);
    }
    String::from_utf8(out).unwrap_or_default()
}

/// A pipe ends a cell even in code.
fn span(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('`');
    let mut before = ' ';
    for character in text.chars() {
        if character == '|' && before != '\\' {
            out.push('\\');
        }
        out.push(character);
        before = character;
    }
    out.push('`');
    out
}

/// What means something in Markdown, in HTML, or to a table.
fn escape(text: &str, out: &mut String) {
    let mut characters = text.chars().peekable();
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let is_markup = match character {
            '\\' | '*' | '[' | ']' | '|' | '~' => true,
            // Inside a word it is a letter.
            '_' => {
                !(before.is_alphanumeric()
                    && characters.peek().is_some_and(|next| next.is_alphanumeric()))
            }
            '<' => characters.peek().is_some_and(|next| !next.is_whitespace()),
            '&' => {
                characters.peek().is_some_and(|next| next.is_ascii_alphanumeric() || *next == '#')
            }
            _ => false,
        };
        if is_markup {
            out.push('\\');
        }
        out.push(character);
        before = character;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(text("<img src=x onerror=alert(1)>"), "\\<img src=x onerror=alert(1)>");
        assert_eq!(
            text("[click](javascript:x) **now**"),
            "\\[click\\](javascript:x) \\*\\*now\\*\\*"
        );
        assert_eq!(text("a | b\nc &lt; \u{1b}"), "a \\| b c \\&lt; \\\\u{1b}");
        assert_eq!(text("p95 < 2 s & more_of_it"), "p95 < 2 s & more_of_it");
    }

    #[test]
    fn code_stays_code() {
        assert_eq!(text("`GET /a|b` was <b>"), "`GET /a\\|b` was \\<b>");
        assert_eq!(text("one ` alone <b>"), "one \\` alone \\<b>");
        assert_eq!(text("``<b>``"), "\\``<b>`\\`");
        assert_eq!(code("a`<b>|"), "`a'<b>\\|`");
        assert_eq!(fenced("a\n```\n<b>"), "a ` ` ` <b>");
        assert_eq!(link("a-charts/1 (x).svg"), "a-charts/1%20%28x%29.svg");
    }
}
