//! What an answer gives to its session.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use redact::{Place, Verdict, body, is_secret_cookie, shapes};
use serde_json::Value;

use super::rules::Rules;
use super::values::{Answered, SessionValues, Source, is_id_name};
use trace::form;
use trace::format::{CaptureFrom, ListStep};
use trace::pointer;

/// Longer pages are not searched for form fields, in bytes.
const MAX_PAGE: usize = 1 << 20;

/// Longer texts are not searched for secrets, in bytes: what they say is not stored.
const MAX_TEXT: usize = 256 << 10;

pub(super) struct Giver<'a> {
    pub(super) values: &'a mut SessionValues,
    pub(super) rules: &'a Rules,
    pub(super) answered: Arc<Answered>,
    /// Cookies and tokens, which identify the client from now on.
    pub(super) credentials: Vec<String>,
}

/// What a value of JSON stands in.
#[derive(Clone, Copy, Default)]
struct Within {
    /// So many lists and objects,
    depth: usize,
    /// one of which has a secret name.
    secret: bool,
}

impl Giver<'_> {
    fn give(&mut self, name: &str, text: &str, from: CaptureFrom, is_secret: bool) {
        let source = Source {
            answered: Arc::clone(&self.answered),
            from,
            name: name.into(),
            is_secret: is_secret || shapes::has_token(text),
            is_journaled: false,
        };
        self.values.give(text, source);
    }

    fn is_secret(&self, name: &str, value: &str) -> bool {
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
        let path = value.split(['?', '#']).next().unwrap_or_default();
        for (from_end, segment) in path.rsplit('/').enumerate().take(4) {
            if SessionValues::is_worth_keeping(name, segment, true) && !segment.contains(':') {
                let from = CaptureFrom::HeaderSegment { name: name.to_owned(), from_end };
                self.give("id", segment, from, false);
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
        within: Within,
        name: &str,
        value: &Value,
    ) {
        let length = pointer.len();
        let inner = || Within {
            depth: within.depth + 1,
            // Of a list or an object with a secret name nothing is harmless.
            secret: within.secret || self.rules.is_secret(name),
        };
        match value {
            Value::Object(fields) => {
                let inner = inner();
                for (key, field) in fields {
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
            Value::String(text) => self.value(pointer, lists, within.secret, name, text, true),
            Value::Number(number) => {
                self.value(pointer, lists, within.secret, name, &number.to_string(), false);
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn value(
        &mut self,
        pointer: &str,
        lists: &[ListStep],
        is_within_secret: bool,
        name: &str,
        text: &str,
        is_string: bool,
    ) {
        let is_secret = self.is_secret(name, text) || is_within_secret && is_string;
        if is_secret && is_string {
            self.credentials.push(text.to_owned());
        } else if is_string && text.contains(['=', '/']) {
            self.learn(body::within(text, &self.rules.names));
        }
        if is_secret || SessionValues::is_worth_keeping(name, text, is_string) {
            let (pointer, lists) = (pointer.to_owned(), lists.to_vec());
            self.give(name, text, CaptureFrom::Json { pointer, lists }, is_secret);
        }
    }

    /// A body that is no JSON.
    pub(super) fn text(&mut self, text: &str, content_type: &str) {
        if text.len() <= MAX_TEXT {
            self.learn(body::of_body(text.as_bytes(), content_type, "", &self.rules.names));
        }
        if content_type.to_ascii_lowercase().contains("html") && text.len() <= MAX_PAGE {
            self.page(text);
        }
    }

    fn page(&mut self, page: &str) {
        let fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = form::fields(page).collect();
        for (name, value) in fields {
            let is_secret = self.is_secret(&name, &value);
            if is_secret || SessionValues::is_worth_keeping(&name, &value, true) {
                self.give(&name, &value, CaptureFrom::Form(name.clone().into_owned()), is_secret);
            }
        }
    }
}
