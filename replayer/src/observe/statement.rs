//! Statements of SQL without what they are about: which statement it is says no value of it.
//!
//! `pg_stat_statements` puts `$1` in place of constants of queries, but keeps statements such as
//! `ALTER ROLE … PASSWORD '…'` as they were written.

use std::iter::Peekable;
use std::str::Chars;

/// Stands in place of a literal.
const REMOVED: &str = "?";

/// Longer statements are cut: the beginning says which it is.
const MOST_CHARS: usize = 100;

/// The beginning of a statement on one line, without literals and comments. One that was cut off
/// before may end within a literal.
pub(super) fn summary(statement: &str) -> String {
    let mut out = String::new();
    let mut rest = Rest { chars: statement.chars().peekable() };
    // Of the word or number before: in `e'…'` it is how a literal begins.
    let mut word = String::new();
    while let Some(c) = rest.chars.next() {
        match c {
            '\'' => {
                let has_escapes = word.eq_ignore_ascii_case("e");
                if ["e", "b", "x", "n", "u&"].iter().any(|p| word.eq_ignore_ascii_case(p)) {
                    out.truncate(out.len() - word.len());
                }
                rest.quoted('\'', has_escapes);
                out.push_str(REMOVED);
            }
            '"' => {
                out.push('"');
                out.push_str(&rest.quoted('"', false));
                out.push('"');
            }
            '$' if word.is_empty() && rest.dollar_quoted() => out.push_str(REMOVED),
            '-' if rest.chars.next_if_eq(&'-').is_some() => {
                rest.chars.by_ref().find(|c| *c == '\n');
                out.push(' ');
            }
            '/' if rest.chars.next_if_eq(&'*').is_some() => {
                rest.comment();
                out.push(' ');
            }
            _ if c.is_ascii_digit() && word.is_empty() && !out.ends_with('$') => {
                rest.number();
                out.push_str(REMOVED);
            }
            _ => out.push(c),
        }
        // `$1` is a parameter, and its digits no number.
        let is_of_word = c.is_alphanumeric() || matches!(c, '_' | '&' | '$');
        if is_of_word && out.ends_with(c) { word.push(c) } else { word.clear() }
    }
    let line = out.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_CHARS).collect()
}

/// What of a statement was not read yet.
struct Rest<'a> {
    chars: Peekable<Chars<'a>>,
}

impl Rest<'_> {
    /// Up to the quote that ends it, behind the one that began it. A doubled quote is one of it.
    fn quoted(&mut self, quote: char, has_escapes: bool) -> String {
        let mut inside = String::new();
        while let Some(c) = self.chars.next() {
            if c == quote {
                if self.chars.next_if_eq(&quote).is_none() {
                    break;
                }
                inside.push(quote);
            } else if c == '\\' && has_escapes {
                self.chars.next();
                continue;
            }
            inside.push(c);
        }
        inside
    }

    /// Behind its first `$`: whether it is `$tag$…$tag$`, which is then passed.
    fn dollar_quoted(&mut self) -> bool {
        let ahead: String = self.chars.clone().collect();
        let Some((tag, inside)) = ahead.split_once('$') else { return false };
        let is_tag = tag.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !tag.starts_with(|c: char| c.is_ascii_digit());
        if !is_tag {
            return false;
        }
        let end = format!("${tag}$");
        let left = inside.find(&end).map_or("", |at| &inside[at + end.len()..]);
        let passed = ahead.chars().count() - left.chars().count();
        self.chars.by_ref().take(passed).for_each(drop);
        true
    }

    /// Up to the end of a comment, which may have others in it, behind its beginning.
    fn comment(&mut self) {
        let mut depth = 1;
        while depth > 0
            && let Some(c) = self.chars.next()
        {
            if c == '*' && self.chars.next_if_eq(&'/').is_some() {
                depth -= 1;
            } else if c == '/' && self.chars.next_if_eq(&'*').is_some() {
                depth += 1;
            }
        }
    }

    /// The rest of a number behind its first digit.
    fn number(&mut self) {
        while self.chars.next_if(|c| c.is_alphanumeric() || matches!(c, '.' | '_')).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_and_comments_go_and_the_rest_stays() {
        for (statement, expected) in [
            ("ALTER ROLE app PASSWORD 'hunter2'", "ALTER ROLE app PASSWORD ?"),
            (
                "alter role app password E'hun\\'ter2' valid until '2099'",
                "alter role app password ? valid until ?",
            ),
            (
                "select U&'hun\\0041' || X'ff' || n'hunter2', 'it''s hunter2'",
                "select ? || ? || ?, ?",
            ),
            ("DO $x$BEGIN 'hunter2'; $y$ END$x$; select 1", "DO ?; select ?"),
            ("do $$hunter2$$ -- hunter2\n language sql", "do ? language sql"),
            (
                "/* hunter2 /* or */ hunter2 */ SELECT\n  a.b1,\t\"it's\" FROM t2 WHERE x = $1 AND y>-1.5e3",
                "SELECT a.b1, \"it's\" FROM t2 WHERE x = $1 AND y>-?",
            ),
            // Cut off within.
            ("ALTER ROLE app PASSWORD 'hunt", "ALTER ROLE app PASSWORD ?"),
            ("DO $x$ hunter2 $", "DO ?"),
            ("SELECT /* hunter2", "SELECT"),
        ] {
            assert_eq!(summary(statement), expected);
        }
        assert_eq!(summary(&"select a, ".repeat(50)).chars().count(), MOST_CHARS);
    }

    proptest! {
        /// However it is quoted and whatever stands before it, cut off anywhere.
        #[test]
        fn no_piece_of_a_literal_stays(
            inside in "[a-z'$\\\\\"/*;é -]{0,8}",
            before in "(select|[a-z]\\.\"i'd\"|f\\(\\$2,|-- it's\n|/\\* it's \\*/| ){0,4}",
            quoting in 0..4,
            cut in 0usize..120,
        ) {
            let inside = format!("{inside}SECRET{inside}");
            let literal = match quoting {
                0 => format!("'{}'", inside.replace('\'', "''")),
                1 => format!("E'{}'", inside.replace('\\', "\\\\").replace('\'', "\\'")),
                2 => format!("$q${}$q$", inside.replace('$', "")),
                _ => format!("'a' '{}'", inside.replace('\'', "''")),
            };
            let whole = format!("{before} = {literal}, b = {literal};");
            let statement: String = whole.chars().take(cut).collect();
            let shown = summary(&statement);
            prop_assert!(!shown.contains("SEC"), "{}: {}", statement, shown);
        }
    }
}
