//! Values taken from answers.

use std::collections::HashMap;

use serde_json::Value;

use trace::format::{self, CaptureFrom, ListStep};

/// What to capture, and under which name.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) pointer: String,
    /// Reference tokens of the pointer, unescaped (RFC 6901).
    tokens: Vec<String>,
    pub(super) secret: bool,
}

/// A value that was captured. It may be secret, hence no `Debug`.
#[derive(Clone)]
pub(super) struct Captured {
    /// The request whose answer it was in.
    pub(super) of: String,
    /// A string as it is, a number or boolean as JSON writes it.
    pub(super) text: String,
    pub(super) is_string: bool,
    pub(super) secret: bool,
}

/// Session variables by name.
pub(super) type Variables = HashMap<String, Captured>;

impl Rule {
    pub(super) fn new(name: String, pointer: String) -> Result<Self, String> {
        let tokens = trace::pointer::tokens(&pointer)
            .ok_or_else(|| format!("{pointer:?} is not a JSON pointer such as /0/id"))?;
        let last = tokens.last().map_or("", String::as_str);
        let secret = redact::is_secret_name(&name) || redact::is_secret_name(last);
        Ok(Self { name, pointer, tokens, secret })
    }

    /// Takes the value from the answer to the request `of`; none if there is
    /// none, or one that has no single text (null, a list, an object).
    pub(super) fn take(&self, answer: &Value, of: &str) -> Option<(Captured, format::Capture)> {
        let mut lists = Vec::new();
        let mut found = answer;
        for (token, text) in self.tokens.iter().enumerate() {
            found = match found {
                Value::Object(fields) => fields.get(text)?,
                Value::Array(items) => {
                    let index: usize = text.parse().ok()?;
                    lists.push(ListStep { token, index, length: items.len() });
                    items.get(index)?
                }
                _ => return None,
            };
        }
        let text = match found {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => found.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let secret = self.secret || redact::shapes::has_token(&text);
        let captured = Captured { of: of.to_owned(), text, is_string: found.is_string(), secret };
        let from = CaptureFrom::Json { pointer: self.pointer.clone(), lists };
        Some((captured, format::Capture { name: self.name.clone(), from, secret }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_in_a_list_keeps_index_and_length() {
        let rule = Rule::new("id".to_owned(), "/items/1/id".to_owned()).unwrap();
        let answer = json!({"items": [{"id": 1}, {"id": 22}, {"id": 3}]});
        let (captured, capture) = rule.take(&answer, "r1").unwrap();
        assert_eq!((captured.text.as_str(), captured.is_string), ("22", false));
        let lists = vec![ListStep { token: 1, index: 1, length: 3 }];
        assert_eq!(capture.from, CaptureFrom::Json { pointer: "/items/1/id".to_owned(), lists });
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        let rule = Rule::new("id".to_owned(), "/0/id".to_owned()).unwrap();
        for answer in [json!([]), json!([{}]), json!([{"id": null}]), json!({"detail": "x"})] {
            assert!(rule.take(&answer, "r1").is_none(), "{answer}");
        }
    }

    #[test]
    fn tokens_are_secret_by_their_looks() {
        let rule = Rule::new("id".to_owned(), "/id".to_owned()).unwrap();
        let answer = json!({"id": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"});
        let (captured, capture) = rule.take(&answer, "r1").unwrap();
        assert!(captured.secret && capture.secret);
    }

    #[test]
    fn tokens_are_secret_by_their_name() {
        for (name, pointer) in [("access_token", "/a"), ("a", "/refresh_token")] {
            assert!(Rule::new(name.to_owned(), pointer.to_owned()).unwrap().secret);
        }
        assert!(!Rule::new("id".to_owned(), "/id".to_owned()).unwrap().secret);
    }
}
