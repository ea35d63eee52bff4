//! Texts without what is secret in them.

use serde_json::Value;

use crate::known::Known;
use crate::names::Names;
use crate::shapes;

/// Stands in place of what is secret.
pub const REDACTED: &str = "[redacted]";

/// What is shown of a server's answer, in characters.
const SHOWN: usize = 300;

/// Decides for one session, or for one user, what of a text may be stored or shown.
#[derive(Clone, Copy, Debug)]
pub struct Redactor<'a> {
    pub names: &'a Names,
    pub known: &'a Known,
}

impl Redactor<'_> {
    /// A server's answer for a message: on one line, shortened, without what is secret.
    pub fn message(&self, body: &[u8]) -> String {
        let text = match serde_json::from_slice::<Value>(body) {
            Ok(mut json) => {
                self.hide(&mut json, &|text| self.cut_out(text));
                json.to_string()
            }
            Err(_) => self.without_secrets(&String::from_utf8_lossy(body)),
        };
        let mut shown: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        shown
    }

    /// A text as it stands, a sample of an answer's body say, without what is secret.
    pub fn text(&self, text: &str) -> String {
        // JSON is written anew only where it has to be.
        if let Ok(mut json) = serde_json::from_str::<Value>(text)
            && self.hide(&mut json, &|text| self.cut_out(text))
        {
            return json.to_string();
        }
        self.without_secrets(text)
    }

    /// JSON that is to be kept. Of a string with a secret in it nothing is left.
    pub fn json(&self, json: &mut Value) {
        self.hide(json, &|text| self.has_secret(text).then(|| REDACTED.to_owned()));
    }

    /// Whether a text that is not JSON may be kept: none that says anything of secrets, because
    /// nobody knows where in it they end.
    pub fn may_keep(&self, text: &str) -> bool {
        !self.names.are_mentioned_in(text) && !self.has_secret(text)
    }

    fn has_secret(&self, text: &str) -> bool {
        self.known.are_in(text.as_bytes()) || shapes::has_token(text)
    }

    fn without_secrets(&self, text: &str) -> String {
        self.cut_out(text).unwrap_or_else(|| text.to_owned())
    }

    /// None where there is nothing to cut out.
    fn cut_out(&self, text: &str) -> Option<String> {
        let known = self.known.find(text).into_iter().map(|found| found.range);
        let mut ranges: Vec<_> = known.chain(shapes::tokens(text)).collect();
        if ranges.is_empty() {
            return None;
        }
        ranges.sort_unstable_by_key(|range| range.start);
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for range in ranges {
            if range.start >= at {
                out.push_str(&text[at..range.start]);
                out.push_str(REDACTED);
            }
            at = at.max(range.end);
        }
        out.push_str(&text[at..]);
        Some(out)
    }

    /// Replaces values of secret names, and strings by what `string` makes of them; says whether
    /// there were any. A secret that is null is none.
    fn hide(&self, value: &mut Value, string: &dyn Fn(&str) -> Option<String>) -> bool {
        match value {
            // Not `any`, which ends with the first.
            Value::Array(items) => {
                items.iter_mut().fold(false, |is_any, item| self.hide(item, string) | is_any)
            }
            Value::Object(fields) => fields.iter_mut().fold(false, |is_any, (name, field)| {
                if self.names.is_secret(name) && !field.is_null() {
                    *field = Value::from(REDACTED);
                    return true;
                }
                self.hide(field, string) | is_any
            }),
            Value::String(text) => match string(text) {
                Some(redacted) => {
                    *text = redacted;
                    true
                }
                None => false,
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
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
        let echoed = r#"{"input": {"password": "hunter2", "tokens": ["opaque"]}}"#;
        let shown = text(echoed);
        assert!(!shown.contains("hunter2") && !shown.contains("opaque"), "{shown}");
    }

    #[test]
    fn a_secret_in_a_text_is_found_however_it_is_written() {
        let text = with("pass/word+1", |r| r.text("at /login?p=pass%2Fword%2B1&x=1 failed"));
        assert_eq!(text, "at /login?p=[redacted]&x=1 failed");
    }

    #[test]
    fn json_is_kept_without_secret_fields_and_known_secrets() {
        let mut kept = json!({
            "access_token": "abc", "name": "x", "tokens": [{"a": "b"}], "token": null,
            "next": ["/cb?code=s3same-open", 7], "jwt": TOKEN,
        });
        with("s3same-open", |redactor| redactor.json(&mut kept));
        let expected = json!({
            "access_token": "[redacted]", "name": "x", "tokens": "[redacted]", "token": null,
            "next": ["[redacted]", 7], "jwt": "[redacted]",
        });
        assert_eq!(kept, expected);
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
