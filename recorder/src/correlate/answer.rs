//! What an answer gives to its session.

use std::sync::Arc;

use bytes::Bytes;
use redact::{Place, Verdict, body, is_secret_cookie, shapes};
use serde_json::Value;

use super::names::{is_figure, is_id_name, is_wrapper};
use super::rules::Rules;
use super::source::{Answered, Source, is_strong, is_worth_keeping, may_be_value_below};
use super::values::SessionValues;
use trace::format::{CaptureFrom, ListStep};
use trace::{html, pointer};

/// Longer pages are not searched for form fields, in bytes.
const MAX_PAGE: usize = 1 << 20;

/// Longer texts are not searched for secrets, in bytes: what they say is not stored.
const MAX_TEXT: usize = 256 << 10;

pub(super) struct Giver<'a> {
    pub(super) values: &'a mut SessionValues,
    pub(super) rules: &'a Rules,
    pub(super) answered: Arc<Answered>,
    /// The places of the request, in the order of their values.
    pub(super) said: Vec<&'a Place>,
    /// Cookies and tokens, which identify the client from now on.
    pub(super) credentials: Vec<String>,
}

/// What a value of JSON stands in.
#[derive(Clone, Copy, Default)]
struct Within<'a> {
    /// The object that has the field, by its name.
    of: Option<&'a str>,
    /// So many lists and objects,
    depth: usize,
    /// one of which has a secret name,
    secret: bool,
    /// or is called by an id, by which no other answer has it.
    is_by_id: bool,
}

impl Giver<'_> {
    pub(super) fn give(&mut self, name: &str, text: &str, from: CaptureFrom, is_secret: bool) {
        let source = self.source(name, text, from, is_secret);
        self.put(text, source);
    }

    pub(super) fn is_worth_keeping(&self, name: &str, text: &str, is_string: bool) -> bool {
        is_worth_keeping(name, text, is_string) || self.rules.wants(name) && text.len() <= 160
    }

    pub(super) fn put(&mut self, text: &str, source: Source) {
        let said = &self.said[self.said.partition_point(|place| place.value.as_str() < text)..];
        let said = &said[..said.partition_point(|place| place.value == text)];
        self.values.give(text, source, said, self.rules);
    }

    /// A value of which nothing is known but its name.
    pub(super) fn source(
        &self,
        name: &str,
        text: &str,
        from: CaptureFrom,
        is_secret: bool,
    ) -> Source {
        Source {
            answered: Arc::clone(&self.answered),
            from,
            name: name.into(),
            of: None,
            link: None,
            is_item: false,
            is_secret: is_secret || shapes::has_token(text),
            is_journaled: false,
        }
    }

    pub(super) fn is_secret(&self, name: &str, value: &str) -> bool {
        self.rules.names.verdict(name, value) == Verdict::Secret
    }

    /// What an answer says within a value, or in a body that gives nothing, nobody else may know.
    fn learn(&mut self, places: Vec<Place>) {
        for place in places.into_iter().filter(Place::is_secret) {
            self.values.learn(&place.value);
        }
    }

    pub(super) fn headers(&mut self, headers: &[(String, Bytes)]) {
        for (name, value) in headers {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                self.cookie(value);
            } else if name.eq_ignore_ascii_case("location") {
                self.location(name, value);
            } else if self.is_secret(name, value) || is_id_name(name) {
                let is_secret = self.is_secret(name, value);
                self.give(name, value, CaptureFrom::Header(name.clone()), is_secret);
            }
        }
    }

    fn cookie(&mut self, value: &str) {
        let mut parts = value.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let (name, value) = (name.trim(), value.trim());
        let http_only = parts.any(|attribute| attribute.eq_ignore_ascii_case("httponly"));
        let is_secret = is_secret_cookie(name, value, http_only, &self.rules.names);
        self.credentials.push(format!("{name}={value}"));
        self.give(name, value, CaptureFrom::Cookie(name.to_owned()), is_secret);
    }

    /// The whole value is the next path; its segments are ids.
    fn location(&mut self, name: &str, value: &str) {
        self.give(name, value, CaptureFrom::Header(name.to_owned()), false);
        self.learn(body::of_header(name, value, &self.rules.names));
        let path = html::local(value.split(['?', '#']).next().unwrap_or_default());
        let mut end = path.len();
        for (from_end, segment) in path.rsplit('/').enumerate().take(4) {
            let start = end - segment.len();
            end = start.saturating_sub(1);
            let before = self.resolved(&path[..start]);
            if may_be_value_below(&before, segment) {
                let from = CaptureFrom::HeaderSegment { name: name.to_owned(), from_end };
                let mut source = self.source("id", segment, from, false);
                let of = before.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                source.of = Some(of.into());
                source.link = Some(before.into());
                self.put(segment, source);
            }
        }
    }

    pub(super) fn json(&mut self, body: &Value) {
        self.leaf(&mut String::new(), &mut Vec::new(), Within::default(), "", body);
    }

    fn leaf(
        &mut self,
        pointer: &mut String,
        lists: &mut Vec<ListStep>,
        within: Within<'_>,
        name: &str,
        value: &Value,
    ) {
        let length = pointer.len();
        let inner = || Within {
            of: within.of,
            depth: within.depth + 1,
            // Of a list or an object with a secret name nothing is harmless.
            secret: within.secret || self.rules.is_secret(name),
            is_by_id: within.is_by_id,
        };
        match value {
            Value::Object(fields) => {
                let is_called = !name.is_empty() && !is_wrapper(name);
                let of = if is_called { Some(name) } else { within.of };
                let inner = Within { of, ..inner() };
                for (key, field) in fields {
                    let is_by_id = inner.is_by_id || is_strong(key, true);
                    let inner = Within { is_by_id, ..inner };
                    pointer::push(pointer, key);
                    self.leaf(pointer, lists, inner, key, field);
                    pointer.truncate(length);
                }
            }
            Value::Array(items) => {
                let inner = inner();
                for (index, item) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    lists.push(ListStep { token: within.depth, index, length: items.len() });
                    self.leaf(pointer, lists, inner, name, item);
                    lists.pop();
                    pointer.truncate(length);
                }
            }
            Value::String(text) => self.value(pointer, lists, within, name, text, true),
            Value::Number(number) => {
                self.value(pointer, lists, within, name, &number.to_string(), false);
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn value(
        &mut self,
        pointer: &str,
        lists: &[ListStep],
        within: Within<'_>,
        name: &str,
        text: &str,
        is_string: bool,
    ) {
        let is_secret = self.is_secret(name, text) || within.secret && is_string;
        if is_secret && is_string {
            self.credentials.push(text.to_owned());
        } else if is_string && text.contains(['=', '/']) {
            self.learn(body::within(text, &self.rules.names));
        }
        if self.values.has_of_json(text, &self.answered, name, within.of) {
            if is_secret {
                self.values.learn(text);
            }
        } else if is_secret
            || self.is_worth_keeping(name, text, is_string)
                && !within.is_by_id
                && !within.of.is_some_and(is_figure)
        {
            let from = CaptureFrom::Json { pointer: pointer.to_owned(), lists: lists.to_vec() };
            let mut source = self.source(name, text, from, is_secret);
            source.of = within.of.map(Into::into);
            source.is_item = lists.iter().any(|list| list.length > 1);
            self.put(text, source);
        }
    }

    /// A body that is no JSON.
    pub(super) fn text(&mut self, text: &str, content_type: &str) {
        if text.len() <= MAX_TEXT {
            self.learn(body::of_body(text.as_bytes(), content_type, "", &self.rules.names));
        }
        let is_page = content_type.to_ascii_lowercase().contains("html")
            || content_type.is_empty() && text.trim_start().starts_with(['<']);
        if is_page && text.len() <= MAX_PAGE {
            self.page(text);
        } else if !is_page {
            self.plain(text);
        }
    }
}
