//! What an answer that is a page or a text gives: fields of forms, `<meta>`, links, and data.

use std::collections::HashMap;

use common::pieces::pieces;
use redact::{Place, Redactor, body};

use super::answer::Giver;
use super::names::is_id_name;
use super::source::{is_strong, may_be_value, may_be_value_below};
use trace::format::{AttributePart, CaptureFrom};
use trace::{html, text};

/// Longer texts are not searched for ids, in bytes.
const MAX_TEXT: usize = 16 << 10;

/// Values of one page that are told apart.
const MOST_PARTS: usize = 2048;

/// Attributes that hold URLs of the same site.
const LINKS: [&str; 8] =
    ["href", "action", "formaction", "hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete"];

/// Segments of a link that are looked at, from its end.
const SEGMENTS: usize = 6;

/// Most bytes of what stands before a value in a text.
const BEFORE: usize = 24;

/// A value at the place of an [`AttributePart`] and its kind.
struct Found {
    part: AttributePart,
    value: String,
    name: String,
    /// The path up to the value, and the segment before it.
    link: Option<(String, String)>,
}

impl Giver<'_> {
    pub(super) fn page(&mut self, page: &str) {
        let mut found = Vec::new();
        for tag in html::tags(page) {
            if let Some((name, value)) = tag.field() {
                self.field(name, value, CaptureFrom::Form(name.to_owned()));
            } else if let Some((name, content)) = tag.meta() {
                self.field(name, content, CaptureFrom::Meta(name.to_owned()));
            }
            for (name, value) in tag.attributes() {
                if found.len() >= MOST_PARTS {
                    break;
                }
                if LINKS.contains(&name) {
                    self.link(name, value, &mut found);
                } else if let Some(field) = name.strip_prefix("data-") {
                    data(name, field, value, &mut found);
                }
            }
        }
        self.parts(found);
    }

    fn field(&mut self, name: &str, value: &str, from: CaptureFrom) {
        let is_secret = self.is_secret(name, value);
        if is_secret || self.is_worth_keeping(name, value, true) {
            self.give(name, value, from, is_secret);
        }
    }

    /// The segments of a link and the parameters of its query.
    fn link(&self, attribute: &str, url: &str, found: &mut Vec<Found>) {
        let is_other = url.starts_with(['#', '{']) || url.starts_with("//");
        let is_secret = || body::of_path(url, &self.rules.names).iter().any(Place::is_secret);
        if url.is_empty() || is_other || html::local(url) == url && url.contains(':') || is_secret()
        {
            return;
        }
        let url = html::local(url);
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let path = &url[..end];
        let mut at = 0;
        let segments: Vec<(usize, &str)> = path
            .split('/')
            .map(|segment| {
                let start = at;
                at += segment.len() + 1;
                (start, segment)
            })
            .collect();
        for &(start, segment) in &segments[segments.len().saturating_sub(SEGMENTS)..] {
            if segment.is_empty() || segment.contains(html::ENDS_PART) {
                continue;
            }
            let (before, after) = (&path[..start], &path[start + segment.len()..]);
            let prefix = self.resolved(before);
            if !may_be_value_below(&prefix, segment) {
                continue;
            }
            let of = prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
            found.push(Found {
                part: part(attribute, before, after, segment),
                value: segment.to_owned(),
                name: "id".to_owned(),
                link: Some((prefix, of)),
            });
        }
        let query = url[end..].split('#').next().unwrap_or_default();
        let mut at = end;
        for pair in query.split_inclusive(['?', '&']) {
            if let Some((name, value)) = pair.trim_end_matches('&').split_once('=')
                && is_id_name(name)
                && !value.is_empty()
                && !value.contains(html::ENDS_PART)
            {
                let start = at + name.len() + 1;
                let after = url[start + value.len()..].split('#').next().unwrap_or_default();
                found.push(Found {
                    part: part(attribute, &url[..start], after, value),
                    value: value.to_owned(),
                    name: name.to_owned(),
                    link: None,
                });
            }
            at += pair.len();
        }
    }

    /// The beginning of a link as a path of the server.
    pub(super) fn resolved(&self, before: &str) -> String {
        if before.starts_with('/') {
            return before.to_owned();
        }
        let path = &self.answered.path;
        let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
        format!("{folder}{}", before.strip_prefix("./").unwrap_or(before))
    }

    /// Gives what may be values, each with its number among those of its kind.
    fn parts(&mut self, found: Vec<Found>) {
        let mut kinds: HashMap<(String, String, String, bool), Vec<String>> = HashMap::new();
        let key = |part: &AttributePart| {
            (part.name.clone(), part.before.clone(), part.after.clone(), part.digits)
        };
        let mut different = Vec::new();
        for found in found {
            let digits = found.part.digits;
            // A number is one of the numbers, and one of all values.
            let mut all = Vec::new();
            for digits in if digits { &[true, false][..] } else { &[false][..] } {
                let part = AttributePart { digits: *digits, ..found.part.clone() };
                let values = kinds.entry(key(&part)).or_default();
                if !values.contains(&found.value) {
                    values.push(found.value.clone());
                    all.push(*digits);
                }
            }
            if all.contains(&digits) {
                different.push(found);
            }
        }
        for Found { mut part, value, name, link } in different {
            let values = &kinds[&key(&part)];
            part.length = values.len();
            part.index = values.iter().position(|other| *other == value).unwrap_or(0);
            let may_be = link.is_some() || self.is_worth_keeping(&name, &value, true);
            // A value is bound as it reads: one that was encoded is written otherwise.
            let may_be = may_be && common::encoding::percent_decoded(&value, false) == value;
            if may_be && self.may_keep(&[&part.before, &part.after]) {
                let is_secret = self.is_secret(&name, &value);
                let mut source =
                    self.source(&name, &value, CaptureFrom::Attribute(part.clone()), is_secret);
                source.is_item = part.length > 1;
                if let Some((link, of)) = link {
                    source.link = Some(link.into());
                    source.of = Some(of.into());
                }
                self.put(&value, source);
            }
        }
    }

    /// Whether these may stand in the trace.
    fn may_keep(&self, texts: &[&str]) -> bool {
        let redactor = Redactor { names: &self.rules.names, known: self.values.secrets() };
        texts.iter().all(|text| text.is_empty() || redactor.may_keep(text))
    }

    /// Ids in a text that is no page: those that nobody could have by chance, and what follows the
    /// name of an id.
    pub(super) fn plain(&mut self, whole: &str) {
        if whole.len() > MAX_TEXT {
            return;
        }
        if may_be_value(whole.trim()) && !whole.contains(['<', '{']) {
            let value = whole.trim();
            let start = whole.len() - whole.trim_start().len();
            self.between("id", whole, start, value);
            return;
        }
        for range in pieces(whole, |c| !(c.is_alphanumeric() || "-_.~".contains(c))) {
            let start = range.start;
            let word = whole[range].trim_end_matches('.');
            if !may_be_value(word) {
                continue;
            }
            let name = name_before(&whole[..start]).filter(|name| is_id_name(name));
            if name.is_some() || is_strong(word, true) {
                self.between(name.unwrap_or_default(), whole, start, word);
            }
        }
    }

    fn between(&mut self, name: &str, whole: &str, start: usize, value: &str) {
        let end = start + value.len();
        let line = whole[..start].rfind('\n').map_or(0, |at| at + 1);
        let mut from = start.saturating_sub(BEFORE).max(line);
        while !whole.is_char_boundary(from) {
            from += 1;
        }
        let before = &whole[from..start];
        let after: String = whole[end..].chars().take(1).collect();
        // Nobody could tell where it ends, or it is not what stands there first.
        let is_found = text::between(whole, before, &after) == Some(value);
        let is_secret = self.is_secret(name, value);
        if is_found && !is_secret && self.may_keep(&[before, &after]) {
            let from = CaptureFrom::Text { before: before.to_owned(), after };
            self.give(name, value, from, false);
        }
    }
}

fn part(attribute: &str, before: &str, after: &str, value: &str) -> AttributePart {
    AttributePart {
        name: attribute.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
        digits: value.bytes().all(|b| b.is_ascii_digit()),
        index: 0,
        length: 1,
    }
}

/// `data-note-id="17"`
fn data(attribute: &str, field: &str, value: &str, found: &mut Vec<Found>) {
    if !value.is_empty() && value.len() <= 160 && !value.contains(html::ENDS_PART) {
        found.push(Found {
            part: part(attribute, "", "", value),
            value: value.to_owned(),
            name: field.replace('-', "_"),
            link: None,
        });
    }
}

/// `id` of `id=`, `"id": ` and `<id>`.
fn name_before(text: &str) -> Option<&str> {
    let text = text.trim_end_matches([' ', '"', '\'', '=', ':', '>', '#']);
    let start = text.rfind(|c: char| !(c.is_alphanumeric() || "-_".contains(c)));
    let start = start.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    Some(&text[start..]).filter(|name| !name.is_empty())
}
