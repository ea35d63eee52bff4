//! `multipart/form-data`, RFC 7578, as it is sent: the boundary is read from the body, lines end
//! with or without `\r`, names are quoted or not.

use std::ops::Range;

use crate::place::{Reader, Verdict, Within};
use crate::view::View;

/// A file's value is worth no place.
const MOST_VALUE: usize = 64 << 10;

impl Reader<'_> {
    /// Says whether it is one.
    pub(crate) fn multipart(&mut self, view: &View<'_>, within: Within) -> bool {
        let text = &*view.text;
        let start = text.len() - text.trim_start().len();
        let delimiter = text[start..].lines().next().unwrap_or_default().trim_end();
        if delimiter.len() < 3 || delimiter.len() > 200 {
            return false;
        }
        let mut found = false;
        let mut at = start;
        while let Some(part) = next(text, delimiter, &mut at) {
            let Some((head, content)) = halves(text, part) else { continue };
            let Some(name) = name_of(&text[head]) else { continue };
            found = true;
            let value = view.part(content);
            let verdict = self.verdict(name, &value.text, within);
            if verdict != Verdict::Harmless || value.text.len() <= MOST_VALUE {
                self.take(name, &value, verdict, within);
            }
            if verdict == Verdict::Harmless {
                self.nested(&value, self.under(name, within));
            }
        }
        found
    }
}

/// What stands between the delimiter at `at` and the next one, which `at` is moved to.
fn next(text: &str, delimiter: &str, at: &mut usize) -> Option<Range<usize>> {
    let line = *at + delimiter.len();
    let start = line + text.get(line..)?.find('\n')? + 1;
    if text[line..].starts_with("--") {
        return None;
    }
    let mut from = start;
    loop {
        // A delimiter begins a line.
        let Some(found) = text[from..].find(delimiter).map(|found| from + found) else {
            *at = text.len();
            return Some(start..text.len());
        };
        if found == start || text[..found].ends_with('\n') {
            *at = found;
            return Some(start..found);
        }
        from = found + delimiter.len();
    }
}

/// Its head, and its content without the line break before the delimiter.
fn halves(text: &str, part: Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    let whole = &text[part.clone()];
    let crlf = whole.find("\r\n\r\n").map(|end| (end, 4));
    let lf = whole.find("\n\n").map(|end| (end, 2));
    let (end, length) = [crlf, lf].into_iter().flatten().min()?;
    let head = part.start..part.start + end;
    let content = &whole[end + length..];
    let content = content.strip_suffix('\n').unwrap_or(content);
    let content = content.strip_suffix('\r').unwrap_or(content);
    let start = head.end + length;
    Some((head, start..start + content.len()))
}

/// The `name` of its `Content-Disposition`.
fn name_of(head: &str) -> Option<&str> {
    let is = |line: &&str| {
        line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case("content-disposition:"))
    };
    let line = head.lines().find(is)?;
    let mut rest = line;
    loop {
        let (before, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let name = before.rsplit([';', ' ']).next().unwrap_or_default().trim_end_matches('*');
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => value.split_once(';').unwrap_or((value, "")),
        };
        if name.eq_ignore_ascii_case("name") {
            return Some(value.trim());
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use crate::names::Names;
    use crate::place::Place;

    use super::super::of_body;

    fn places(body: &[u8]) -> Vec<Place> {
        of_body(body, "text/plain", "/", &Names::default())
    }

    #[test]
    fn a_multipart_body_has_its_named_parts() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--B\r\n\
                    Content-Disposition: form-data; filename=\"f\"; name=\"file\"\r\n\r\nab\r\n--B--\r\n";
        let found = places(body.as_bytes());
        let texts: Vec<_> =
            found.iter().map(|p| (p.name.as_str(), &body[p.range.clone()])).collect();
        assert_eq!(texts, [("password", "hunter2"), ("file", "ab")]);
    }

    #[test]
    fn it_is_read_however_it_is_written() {
        for body in [
            "--B\nContent-Disposition: form-data; name=password\n\nhunter2\n--B--\n",
            "--B\r\ncontent-disposition: form-data; name=password; x=y\r\n\r\nhunter2\r\n--B--",
            "\r\n--B\r\nContent-Disposition: form-data; name=\"j\"\r\nContent-Type: application/json\r\n\r\n\
             {\"password\":\"hunter2\"}\r\n--B--\r\n",
            "--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\na --B, password=hunter2\r\n--B--\r\n",
            "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2",
        ] {
            let found = places(body.as_bytes());
            let secret: Vec<_> =
                found.iter().filter(|p| p.is_secret()).map(|p| &body[p.range.clone()]).collect();
            assert_eq!(secret, ["hunter2"], "{body}");
        }
    }

    #[test]
    fn bytes_beside_it_hide_nothing() {
        let mut body =
            b"--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n".to_vec();
        body.extend([0xff, 0xfe, 0x00, 0x89, 0xc3, 0x28, b'\r', b'\n']);
        body.extend(b"--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunt\xc3\xa9\r\n--B--\r\n");
        let found = places(&body);
        let secret = found.iter().find(|place| place.is_secret()).unwrap();
        assert_eq!(secret.value, "hunté");
        assert_eq!(&body[secret.range.clone()], "hunté".as_bytes());
    }
}
