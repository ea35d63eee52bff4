//! Where values stand in a part of a message, which is looked into by what it is: whatever a
//! header says of it, and values within values too.
//!
//! Each format is read leniently, because servers are lenient: what follows a mistake is looked
//! through as text. Nothing here fails, and each pass takes time in proportion to the text.

mod base64;
mod form;
mod header;
mod json;
mod multipart;
mod path;
mod text;
mod xml;
mod yaml;

use crate::names::Names;
use crate::place::{Place, Reader, Within};
use crate::view::{self, Escapes, View};

pub use header::{credentials_of, is_secret_cookie, of_cookies, of_header};
pub use path::of_path;

/// Values within values are looked into to this depth.
const MOST_DEPTH: u8 = 5;

/// Texts without their escapes to this one, because there are several ways.
const MOST_ESCAPED: u8 = 3;

/// Shorter values have none within.
const SHORTEST: usize = 5;

/// The places of a body. `content_type` helps where the body itself does not tell; `path` is that
/// of the request.
pub fn of_body(body: &[u8], content_type: &str, path: &str, names: &Names) -> Vec<Place> {
    let mut reader = Reader::new(names, body);
    let within = Within { oauth: crate::names::is_path_of_oauth(path), ..Within::default() };
    if let Some(view) = View::of_utf_16(body) {
        reader.content(&view, within);
        // What only looks like it is read both ways.
        let before = reader.places.len();
        reader.content(&View::of_bytes(body), within);
        reader.keep_secret_from(before);
        return reader.finish();
    }
    let view = View::of_bytes(body);
    if form::is_said_to_be(content_type) && !begins_otherwise(&view.text) {
        reader.form(&view, within);
    } else {
        reader.content(&view, within);
    }
    reader.finish()
}

/// Whether a text begins as no form does.
fn begins_otherwise(text: &str) -> bool {
    json::may_begin(text) || text.trim_start().starts_with('<') || text.starts_with("--")
}

/// What is secret within a value, a URL or JSON in a string say.
pub fn within(value: &str, names: &Names) -> Vec<Place> {
    let mut reader = Reader::new(names, value.as_bytes());
    reader.nested(&View::of(value), Within::default());
    reader.finish()
}

/// Whether a body is UTF-16, in which replay can write nothing.
pub fn is_utf_16(body: &[u8]) -> bool {
    view::looks_like_utf_16(body)
}

impl Reader<'_> {
    /// What is in a text of whatever format.
    pub(crate) fn content(&mut self, view: &View<'_>, within: Within) {
        let text = &*view.text;
        let looks = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if json::may_begin(text) && self.json(view, within) {
            return;
        }
        if looks.starts_with("--") && self.multipart(view, within) {
            return;
        }
        if looks.starts_with('<') {
            self.xml(view, within);
        } else if form::looks_like(text) {
            self.form(view, within);
        } else if !self.base64(view, within) {
            self.text(view, within);
            if text.contains("</") {
                self.xml(view, within);
            }
            self.escaped(view, within);
        }
    }

    /// What a text says once its escapes are taken back: JSON that is percent-encoded as a whole.
    fn escaped(&mut self, view: &View<'_>, within: Within) {
        let within = Within { depth: within.depth + 1, ..within };
        for escapes in [Escapes::Percent, Escapes::Html, Escapes::Json] {
            let plain = view.without(escapes);
            if within.depth < MOST_ESCAPED && plain.text != view.text {
                self.inner(&plain, within);
            }
        }
    }

    /// What is within a value that is not secret itself.
    pub(crate) fn nested(&mut self, value: &View<'_>, within: Within) {
        let within = Within { depth: within.depth + 1, ..within };
        let may_hold = |byte: &u8| matches!(byte, b'=' | b':' | b'<' | b'{' | b'%' | b'/' | 0x80..);
        let text = value.text.as_bytes();
        if within.depth >= MOST_DEPTH || text.len() < SHORTEST {
            return;
        }
        if text.iter().any(may_hold) {
            self.inner(value, within);
        } else {
            self.base64(value, within);
        }
    }

    fn inner(&mut self, value: &View<'_>, within: Within) {
        let before = self.places.len();
        if path::is_url(&value.text) {
            self.url(value, within);
        } else {
            self.content(value, within);
        }
        // What is bound in a value as a whole is not bound in its parts.
        self.keep_secret_from(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_escaped_as_a_whole_is_read_all_the_same() {
        let names = Names::default();
        for body in [
            "%7B%22password%22%3A%22hunter2%22%7D",
            "{&quot;password&quot;:&quot;hunter2&quot;}",
            "see {\\u0022password\\u0022:\\u0022hunter2\\u0022}",
            "log: <password>hunter2</password>",
        ] {
            let found = of_body(body.as_bytes(), "", "/", &names);
            let secret: Vec<_> = found
                .iter()
                .filter(|place| place.is_secret())
                .map(|p| &body[p.range.clone()])
                .collect();
            assert_eq!(secret, ["hunter2"], "{body}");
        }
    }
}
