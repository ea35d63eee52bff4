//! Texts of no format that is known: whatever stands behind a name and `=` or `:`.
//!
//! This is how YAML, GraphQL, logs, settings and sentences are read. Only what is secret has a
//! place.

use std::ops::Range;

use super::header::behind_scheme;
use super::yaml;
use crate::names::{Mark, plain};
use crate::place::{Reader, Within};
use crate::view::{Escapes, View};

/// Shorter paths have room for no name and a value.
const SHORTEST_PATH: usize = 8;

/// In bytes.
const MOST_NAME: usize = 100;

/// A name may have so many words: `mot de passe`.
const MOST_WORDS: usize = 4;

/// Where a name and its value were found.
struct Pair {
    name: String,
    mark: Mark,
    /// Nothing stands before it on its line.
    begins_line: bool,
}

impl Reader<'_> {
    pub(crate) fn text(&mut self, view: &View<'_>, within: Within) {
        self.urls(view, within);
        let text = &*view.text;
        let mut at = 0;
        while let Some((separator, length)) = next_separator(text, at) {
            at = separator + length;
            let Some(pair) = self.name_before(text, separator) else { continue };
            if let Some(end) = self.pair(view, &pair, at, within) {
                at = at.max(end);
            }
        }
    }

    /// URLs within the text.
    fn urls(&mut self, view: &View<'_>, within: Within) {
        let text = &*view.text;
        let is_end = |c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`' | ')' | ']' | '}' | '\\')
        };
        let mut at = 0;
        while let Some(found) = text[at..].find("://").map(|found| at + found) {
            let end = text[found..].find(is_end).map_or(text.len(), |end| found + end);
            let before = self.places.len();
            let depth = within.depth.max(1);
            self.url(&view.part(found..end), Within { depth, ..within });
            self.keep_secret_from(before);
            at = end.max(found + 3);
        }
        // A path by itself, as logs and messages quote it.
        let mut at = 0;
        for word in text.split_inclusive(is_end) {
            let path = word.trim_end_matches(is_end);
            if path.len() > SHORTEST_PATH && path.starts_with('/') {
                let before = self.places.len();
                let depth = within.depth.max(1);
                self.url(&view.part(at..at + path.len()), Within { depth, ..within });
                self.keep_secret_from(before);
            }
            at += word.len();
        }
    }

    /// A secret name that ends before this separator.
    fn name_before(&self, text: &str, separator: usize) -> Option<Pair> {
        let is_colon = !text[separator..].starts_with('=');
        let before = text[..separator].trim_end_matches([' ', '\t']);
        let before = before.strip_suffix(':').filter(|_| !is_colon).unwrap_or(before);
        let (name, start) = match before.chars().next_back()? {
            quote @ ('"' | '\'' | '`') => {
                let inner = before[..before.len() - 1].trim_end_matches('\\');
                let from = inner.char_indices().rev().take(MOST_NAME).find(|(_, c)| *c == quote)?.0;
                (&inner[from + 1..], from)
            }
            _ => {
                let from = word_start(before);
                (&before[from..], from)
            }
        };
        let mark = self.names.mark(name);
        // `name: value`, or `name = value` as settings have it.
        let is_spaced = is_colon || text[separator..].starts_with("= ");
        let leads = |start| is_spaced && begins_line(text, start);
        let begins_line = mark != Mark::None && leads(start);
        let follows_word = || {
            text[..start].ends_with(' ')
                && text[..start].trim_end_matches(' ').ends_with(char::is_alphanumeric)
        };
        match mark {
            Mark::Secret => return Some(Pair { name: name.to_owned(), mark, begins_line }),
            // `boarding pass: A12` is none.
            Mark::Field | Mark::OAuth if !is_colon || !follows_word() => {
                return Some(Pair { name: name.to_owned(), mark, begins_line });
            }
            _ => {}
        }
        let (mut from, mut words) = (start, 1);
        while words < MOST_WORDS && text[..from].ends_with(' ') && !text[..from].ends_with("  ") {
            let earlier = word_start(&text[..from - 1]);
            if earlier == from - 1 {
                break;
            }
            (from, words) = (earlier, words + 1);
            let name = &before[from..];
            if name.len() <= MOST_NAME && self.names.mark(name) == Mark::Secret {
                let begins_line = leads(from);
                return Some(Pair { name: name.to_owned(), mark: Mark::Secret, begins_line });
            }
        }
        None
    }

    /// The value behind a separator; says where it ends.
    fn pair(&mut self, view: &View<'_>, pair: &Pair, at: usize, within: Within) -> Option<usize> {
        let text = &*view.text;
        let at = at + usize::from(text[at..].starts_with('>'));
        let start = text.len() - text[at..].trim_start_matches([' ', '\t']).len();
        let rest = &text[start..];
        if pair.begins_line && opens_block(rest) {
            let line = text[..at].rfind('\n').map_or(0, |line| line + 1);
            let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
            let is_text = !text[start..end].trim().is_empty();
            let is_list = pair.mark != Mark::Secret;
            let values = yaml::block(text, line..end, is_text, is_list);
            for range in &values {
                self.only_secret(&pair.name, &view.part(range.clone()), within);
            }
            return values.last().map(|last| last.end);
        }
        let (range, end) = match rest.chars().next()? {
            '"' | '\'' | '`' | '\\' => quoted(text, start)?,
            '{' | '[' if pair.mark == Mark::Secret => {
                let end = bracket_end(text, start);
                (start + 1..end, end)
            }
            '{' | '[' => return None,
            _ => {
                let end = start + bare_length(rest, pair);
                (start..end, end)
            }
        };
        let mut range = range;
        if plain(&pair.name).ends_with("authorization") {
            range.start += behind_scheme(&text[range.clone()]);
        }
        if range.is_empty() {
            return None;
        }
        let part = view.part(range.clone());
        let written = &text[range];
        let value = if written.contains('\\') {
            part.without(Escapes::Json)
        } else if written.contains('%') {
            part.without(Escapes::Percent)
        } else {
            part
        };
        self.only_secret(&pair.name, &value, within).then_some(end)
    }
}

/// The next `=` or `:`, also of full width, and its length.
fn next_separator(text: &str, from: usize) -> Option<(usize, usize)> {
    let found = text[from..].find(['=', ':', '：', '＝']).map(|found| from + found)?;
    Some((found, text[found..].chars().next().map_or(1, char::len_utf8)))
}

/// Where the name begins that ends a text.
fn word_start(text: &str) -> usize {
    let is_of_name = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '_' | '-' | '.' | '[' | ']' | '$' | '@' | '\u{300}'..='\u{36f}')
    };
    let mut start = text.len();
    for (at, c) in text.char_indices().rev() {
        if !is_of_name(c) || text.len() - at > MOST_NAME {
            break;
        }
        start = at;
    }
    // `--password` is an option's name.
    start + (text[start..].len() - text[start..].trim_start_matches(['-', '.', ']']).len())
}

/// A quoted value, whose quotes may be escaped themselves, and where it ends with them.
fn quoted(text: &str, start: usize) -> Option<(Range<usize>, usize)> {
    let slashes = text[start..].len() - text[start..].trim_start_matches('\\').len();
    let open = start + slashes;
    let quote = text[open..].chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let from = open + 1;
    let mut at = from;
    loop {
        let Some(found) = text[at..].find(quote).map(|found| at + found) else {
            // It is cut off.
            let end = text[from..].find('\n').map_or(text.len(), |end| from + end);
            return Some((from..end, end));
        };
        let before = text[from..found].len() - text[from..found].trim_end_matches('\\').len();
        // Escaped once more than the quote that opened it, it does not close it.
        if before <= slashes {
            return Some((from..found - before, found + 1));
        }
        at = found + 1;
    }
}

/// Where the bracket that is opened here is closed, or the text ends.
fn bracket_end(text: &str, start: usize) -> usize {
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match (byte, quote) {
            _ if is_escaped => is_escaped = false,
            (b'\\', Some(_)) => is_escaped = true,
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            (b'{' | b'[', None) => depth += 1,
            (b'}' | b']', None) => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// The length of a value without quotes: of its line where that has nothing else, else of its
/// word.
fn bare_length(rest: &str, pair: &Pair) -> usize {
    let line = || rest.split(['\n', '\r']).next().unwrap_or_default();
    let name = plain(&pair.name);
    if name.ends_with("authorization") || name.ends_with("cookie") {
        return line().find(['"', '\'']).unwrap_or(line().len());
    }
    if pair.begins_line && pair.mark == Mark::Secret {
        let line = line().split(" #").next().unwrap_or_default().trim_end();
        // Where further pairs follow, it ends before them.
        let next = line.match_indices(", ").map(|(at, _)| at).find(|at| {
            line[at + 2..].split([' ', ',']).next().is_some_and(|word| word.contains([':', '=']))
        });
        return next.unwrap_or(line.len());
    }
    let is_end = |c: char| c.is_whitespace() || ",;&\"'<>)}]|`".contains(c);
    let word = rest.split(is_end).next().unwrap_or_default();
    word.trim_end_matches('.').len()
}

/// Whether nothing but quotes and dashes stands before this on its line.
fn begins_line(text: &str, start: usize) -> bool {
    let before = text[..start].trim_end_matches([' ', '\t', '-', '"', '\'', '\\']);
    before.is_empty() || before.ends_with(['\n', '\r'])
}

/// Whether what a name stands for comes on the next lines.
fn opens_block(rest: &str) -> bool {
    let line = rest.trim_start_matches(['|', '>', '-', '+', ' ', '\t']);
    rest.len() - line.len() < 4 && line.starts_with(['\n', '\r'])
}

#[cfg(test)]
mod tests {
    use crate::names::Names;
    use crate::place::Place;

    use super::super::of_body;

    fn secrets(body: &str) -> Vec<&str> {
        let found = of_body(body.as_bytes(), "", "/", &Names::default());
        found.into_iter().filter(Place::is_secret).map(|place| &body[place.range]).collect()
    }

    #[test]
    fn values_stand_behind_their_names() {
        for body in [
            "the password=hunter2 is wrong",
            "Password: hunter2",
            "my api key: hunter2.",
            "mot de passe : hunter2",
            "登录 密码：hunter2",
            "user=ann password='hunter2' x",
            "login(email: \"a@b.c\", password: \"hunter2\", x: 1)",
            "{ 'password' => 'hunter2' }",
            "export DB_PASSWORD=hunter2\nexport X=1",
            "--password=hunter2 --x",
            "say \\\"password\\\": \\\"hunter2\\\" so",
            "curl -H 'Authorization: Bearer hunter2' /x",
            "see https://a.b/c?token=hunter2&d=1 or not",
            "pin=hunter2, x",
            "refused: GET /a/b?token=hunter2 so",
            "user: ann\npassword: hunter2 # old\nx: 1",
            "a:\n  password: |\n    hunter2\n  b: 1",
            "credentials:\n  - x: hunter2\nb: 1",
            "secrets:\n- hunter2\nb: 1",
            "pass:\n  - hunter2\nb: 1",
            "x: {token: [hunter2], b: 1}",
        ] {
            assert_eq!(secrets(body), ["hunter2"], "{body}");
        }
        // A name that may mean anything, below another line.
        let key = "dTpBVlVXWVVEVHRGQXczYVZCS3BvVTMyO3g=";
        assert_eq!(secrets(&format!("login:\n  user: ann\n  key: \"{key}\"\n")), [key]);
        assert_eq!(
            secrets("x\npassword: correct horse, battery\ny: 1"),
            ["correct horse, battery"]
        );
    }

    #[test]
    fn sentences_about_secrets_have_none() {
        for body in [
            "boarding pass: A12, primary key: 17",
            "the token expired; see page=2",
            "state: open, code: E42",
            "Time: 10:30, ratio 4:3, a=b",
            "status=ok pin=left key=status",
            "token_type: bearer",
            "the author: ann",
            "cookies: true",
            "password: ",
            "https://a.b/c?page=2",
        ] {
            assert_eq!(secrets(body), [""; 0], "{body}");
        }
    }
}
