//! Passwords in URLs: `scheme://user:password@host`.

use std::ops::Range;

pub(super) const MARK: &str = "://";

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(start) = text[at..].find(MARK).map(|start| at + start + MARK.len()) {
        at = start;
        let is_end = |c: char| {
            c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '\\' | ',')
        };
        let authority = text[start..].split(is_end).next().unwrap_or_default();
        let Some((user, _)) = authority.rsplit_once('@') else { continue };
        let Some((name, password)) = user.split_once(':') else { continue };
        if !password.is_empty() {
            let start = start + name.len() + 1;
            found.push(start..start + password.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::found_by;
    use super::*;

    #[test]
    fn the_password_of_a_url_is_found_and_nothing_else_of_it() {
        let text = "at postgres://app:s3:cr@t@db:5432/x and http://a:80/?x=b@c or http://u@h/";
        assert_eq!(found_by(find, text), ["s3:cr@t"]);
    }
}
