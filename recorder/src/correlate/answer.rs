//! What an answer gives to its session.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::rules::Rules;
use super::values::{Answered, SessionValues, Source, is_id_name};
use trace::form;
use trace::format::{CaptureFrom, ListStep};
use trace::pointer;

/// Longer pages are not searched for form fields.
const MAX_PAGE: usize = 1 << 20;

pub(super) struct Giver<'a> {
    pub(super) values: &'a mut SessionValues,
    pub(super) rules: &'a Rules,
    pub(super) answered: Arc<Answered>,
    /// Cookies and tokens, which identify the client from now on.
    pub(super) credentials: Vec<String>,
}

impl Giver<'_> {
    fn give(&mut self, name: &str, text: &str, from: CaptureFrom) {
        let is_secret = self.rules.is_secret(name) || matches!(from, CaptureFrom::Cookie(_));
        let source = Source {
            answered: Arc::clone(&self.answered),
            from,
            name: name.into(),
            is_secret,
            is_journaled: false,
        };
        self.values.give(text, source);
    }

    pub(super) fn headers(&mut self, headers: &[(String, Bytes)]) {
        for (name, value) in headers {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                let pair = value.split(';').next().unwrap_or_default();
                if let Some((name, value)) = pair.split_once('=') {
                    let (name, value) = (name.trim(), value.trim());
                    self.credentials.push(format!("{name}={value}"));
                    self.give(name, value, CaptureFrom::Cookie(name.to_owned()));
                }
            } else if name.eq_ignore_ascii_case("location") {
                self.location(name, value);
            } else if self.rules.is_secret(name) || is_id_name(name) {
                self.give(name, value, CaptureFrom::Header(name.clone()));
            }
        }
    }

    /// The whole value is the next path; its segments are ids.
    fn location(&mut self, name: &str, value: &str) {
        self.give(name, value, CaptureFrom::Header(name.to_owned()));
        let path = value.split(['?', '#']).next().unwrap_or_default();
        for (from_end, segment) in path.rsplit('/').enumerate().take(4) {
            if SessionValues::is_worth_keeping(name, segment, true) && !segment.contains(':') {
                let from = CaptureFrom::HeaderSegment { name: name.to_owned(), from_end };
                self.give("id", segment, from);
            }
        }
    }

    pub(super) fn json(&mut self, body: &Value) {
        self.leaf(&mut String::new(), &mut Vec::new(), 0, "", body);
    }

    fn leaf(
        &mut self,
        pointer: &mut String,
        lists: &mut Vec<ListStep>,
        depth: usize,
        name: &str,
        value: &Value,
    ) {
        let length = pointer.len();
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    pointer::push(pointer, key);
                    self.leaf(pointer, lists, depth + 1, key, field);
                    pointer.truncate(length);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    lists.push(ListStep { token: depth, index, length: items.len() });
                    self.leaf(pointer, lists, depth + 1, name, item);
                    lists.pop();
                    pointer.truncate(length);
                }
            }
            Value::String(text) => self.value(pointer, lists, name, text, true),
            Value::Number(number) => self.value(pointer, lists, name, &number.to_string(), false),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn value(
        &mut self,
        pointer: &str,
        lists: &[ListStep],
        name: &str,
        text: &str,
        is_string: bool,
    ) {
        let is_secret = is_string && self.rules.is_secret(name);
        if is_secret {
            self.credentials.push(text.to_owned());
        }
        if is_secret || SessionValues::is_worth_keeping(name, text, is_string) {
            let (pointer, lists) = (pointer.to_owned(), lists.to_vec());
            self.give(name, text, CaptureFrom::Json { pointer, lists });
        }
    }

    pub(super) fn page(&mut self, page: &str) {
        if page.len() > MAX_PAGE {
            return;
        }
        let fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = form::fields(page).collect();
        for (name, value) in fields {
            if self.rules.is_secret(&name) || SessionValues::is_worth_keeping(&name, &value, true) {
                self.give(&name, &value, CaptureFrom::Form(name.clone().into_owned()));
            }
        }
    }
}
