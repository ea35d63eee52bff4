//! Texts without what is secret in them.

use std::ops::Range;

use serde_json::Value;

use crate::body::of_body;
use crate::known::{Found, Known};
use crate::names::Names;
use crate::place::{Reader, Within};
use crate::shapes;
use crate::view::View;

/// Stands in place of what is secret.
pub const REDACTED: &str = "[redacted]";

/// What is shown of a server's answer, in characters.
const SHOWN: usize = 300;

/// Longer names of fields are looked at closely, in bytes.
const LONGEST_PLAIN: usize = 20;

/// Decides for one session, or for one user, what of a text may be stored or shown.
#[derive(Clone, Copy, Debug)]
pub struct Redactor<'a> {
    pub names: &'a Names,
    pub known: &'a Known,
}

impl Redactor<'_> {
    /// A server's answer for a message: on one line, shortened, without what is secret.
    pub fn message(&self, body: &[u8]) -> String {
        let text = self.text(&String::from_utf8_lossy(body));
        let mut shown: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        shown
    }

    /// A text as it stands, a sample of an answer's body say, without what is secret.
    pub fn text(&self, text: &str) -> String {
        let places = of_body(text.as_bytes(), "", "", self.names);
        let secret = places.iter().filter(|place| place.is_secret());
        let found = self.find(text.as_bytes());
        let ranges: Vec<Range<usize>> = secret
            .clone()
            .map(|place| place.range.clone())
            .chain(found.into_iter().map(|found| found.range))
            .collect();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for range in shapes::united(ranges) {
            out.push_str(&text[at..range.start]);
            // What was a number becomes a text, so that JSON stays JSON.
            let is_text = !secret.clone().any(|place| !place.is_text && place.range == range);
            out.push_str(if is_text { REDACTED } else { "\"[redacted]\"" });
            at = range.end;
        }
        out.push_str(&text[at..]);
        out
    }

    /// JSON that is to be kept, without what is secret.
    pub fn json(&self, json: &mut Value) {
        let text = self.text(&json.to_string());
        *json = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(REDACTED));
    }

    /// Whether a text that is not JSON may be kept: none that says anything of secrets, because
    /// nobody knows where in it they end.
    pub fn may_keep(&self, text: &str) -> bool {
        !self.names.are_mentioned_in(text) && self.find(text.as_bytes()).is_empty()
    }

    /// Whether an object in it has a secret for a key, so that neither its shape nor a pointer into
    /// it may be stored.
    pub fn is_key_in(&self, json: &Value) -> bool {
        self.is_key_within(json, &Reader::new(self.names, &[]), Within::default())
    }

    fn is_key_within(&self, json: &Value, reader: &Reader<'_>, within: Within) -> bool {
        match json {
            Value::Array(items) => {
                items.iter().any(|item| self.is_key_within(item, reader, within))
            }
            Value::Object(fields) => fields.iter().any(|(key, field)| {
                self.is_secret_key(key, within)
                    || matches!(field, Value::Array(_) | Value::Object(_))
                        && self.is_key_within(field, reader, reader.under(key, within))
            }),
            _ => false,
        }
    }

    fn is_secret_key(&self, key: &str, within: Within) -> bool {
        // Names of fields are short and have no digits; the others are looked at.
        let may_be = key.len() > LONGEST_PLAIN || key.bytes().any(|byte| byte.is_ascii_digit());
        may_be
            && (within.is_secret_key(key)
                || shapes::has_token(key)
                || self.known.are_in(key.as_bytes()))
    }

    /// What in a part of a message is known to be secret, or looks like it, whatever it stands
    /// under. Ranges of different secrets may overlap.
    pub fn find(&self, part: &[u8]) -> Vec<Found> {
        let mut found = self.find_in(part, &View::of_bytes(part));
        // What only looks like UTF-16 is read both ways.
        if let Some(view) = View::of_utf_16(part) {
            found.extend(self.find_in(part, &view));
        }
        found
    }

    fn find_in(&self, part: &[u8], view: &View<'_>) -> Vec<Found> {
        let plain = view.plain();
        let mut found = self.known.find_in(part, view, &plain);
        for view in std::iter::once(view).chain(&plain) {
            for range in shapes::tokens(&view.text) {
                let secret = &view.text[range.clone()];
                let range = view.place(&range);
                let encode = view.written.encoding(secret, &part[range.clone()]);
                found.push(Found { range, secret: secret.into(), field: None, encode });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "eyJhbGciOi.eyJzdWIi.c2ln";

    fn with<T>(secret: &str, test: impl FnOnce(Redactor<'_>) -> T) -> T {
        let mut known = Known::default();
        known.add(secret.into());
        test(Redactor { names: &Names::default(), known: &known })
    }

    #[test]
    fn an_answer_is_shown_without_its_secrets() {
        let echoed =
            br#"{"detail":[{"input":{"email":"a@b.c","password":"hunter2"},"url":"/x?p=s3same"}]}"#;
        let shown = with("s3same", |redactor| redactor.message(echoed));
        assert!(!shown.contains("hunter2") && !shown.contains("s3same"), "{shown}");
        assert!(shown.contains("a@b.c"), "{shown}");
        let long = "Bad\r\npassword: s3same ".repeat(50);
        let text = with("s3same", |redactor| redactor.message(long.as_bytes()));
        assert!(!text.contains("s3same") && !text.contains('\n') && text.ends_with('…'), "{text}");
    }

    #[test]
    fn tokens_go_and_the_rest_stays() {
        let text = |text: &str| with("s3same-open", |redactor| redactor.text(text));
        let json = format!(r#"{{"t":"{TOKEN}","u":"eye"}}"#);
        assert_eq!(text(&json), r#"{"t":"[redacted]","u":"eye"}"#);
        assert_eq!(text(&format!("<p>{TOKEN} of s3same-open")), "<p>[redacted] of [redacted]");
        assert_eq!(text(r#"{"detail":"no s3same-open"}"#), r#"{"detail":"no [redacted]"}"#);
        assert_eq!(text(r#"{"detail": "no table"}"#), r#"{"detail": "no table"}"#);
    }

    #[test]
    fn a_sample_is_shown_without_the_values_of_secret_names() {
        let text = |text: &str| with("s3same-open", |redactor| redactor.text(text));
        let echoed = r#"{"input": {"password": "hunter2", "tokens": ["opaque"], "pin": 4711}}"#;
        let expected = r#"{"input": {"password": "[redacted]", "tokens": ["[redacted]"], "pin": "[redacted]"}}"#;
        assert_eq!(text(echoed), expected);
    }

    #[test]
    fn a_secret_in_a_text_is_found_however_it_is_written() {
        let text = with("pass/word+1", |r| r.text("at /login?p=pass%2Fword%2B1&x=1 failed"));
        assert_eq!(text, "at /login?p=[redacted]&x=1 failed");
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_either() {
        let mut known = Known::default();
        for secret in ["abc1-def2-ghi3", "def2-ghi3-jkl4", "ghi3-jkl4-mno5-pqr6"] {
            known.add(secret.into());
        }
        let redactor = Redactor { names: &Names::default(), known: &known };
        assert_eq!(redactor.text("x abc1-def2-ghi3-jkl4-mno5-pqr6 y"), "x [redacted] y");
    }

    #[test]
    fn json_is_kept_without_secret_fields_and_known_secrets() {
        let mut kept = json!({
            "access_token": "abc", "name": "x", "tokens": [{"a": "b"}], "token": null,
            "next": ["/cb?c=s3same-open", 7], "jwt": TOKEN,
        });
        with("s3same-open", |redactor| redactor.json(&mut kept));
        let expected = json!({
            "access_token": "[redacted]", "name": "x", "tokens": [{"a": "[redacted]"}], "token": null,
            "next": ["/cb?c=[redacted]", 7], "jwt": "[redacted]",
        });
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_secret_may_be_a_key() {
        let is_key = |json: Value| with("s3same-open", |redactor| redactor.is_key_in(&json));
        assert!(is_key(json!({"a": [{"s3same-open": 1}]})) && is_key(json!({ TOKEN: 1 })));
        assert!(is_key(json!({"tokens": {"k9x2m4q7z1": {"a": 1}}})));
        assert!(is_key(json!({"pass": {"k9x2m4q7z1": true}})));
        assert!(!is_key(
            json!({"a1": {"8c1d2f00-0000-4000-8000-0123456789ab": 1}, "tokens": {"a": 1}, "pass": {"page2": 1}})
        ));
    }

    #[test]
    fn a_text_that_may_hold_a_secret_is_not_kept() {
        let is_kept = |text: &str| with("s3same-open", |redactor| redactor.may_keep(text));
        assert!(is_kept("all is well"));
        assert!(!is_kept("your API key: 17"));
        assert!(!is_kept("see s3same-open"));
        assert!(!is_kept(&format!("see {TOKEN}")));
    }
}
