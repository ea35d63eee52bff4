//! Bodies of answers as they may be kept: without what is secret.

use serde_json::Value;

use super::Content;
use super::rules::Rules;
use super::secrets::Secrets;
use redact::plain;

/// None of a text that says anything of secrets: where in it they end, nobody knows.
pub(super) fn body(content: &Content<'_>, rules: &Rules, secrets: &Secrets) -> Option<String> {
    match content {
        Content::Json(json) => {
            let mut json = json.clone();
            hide(&mut json, rules, secrets);
            Some(json.to_string())
        }
        Content::Text(text) => {
            let letters = plain(text);
            let names = rules.secret_names();
            let is_harmless = !names.iter().any(|name| letters.contains(&plain(name)))
                && !secrets.are_in(text.as_bytes());
            is_harmless.then(|| text.to_string())
        }
    }
}

fn hide(value: &mut Value, rules: &Rules, secrets: &Secrets) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, rules, secrets)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if rules.is_secret(name) && !field.is_null() {
                    *field = Value::from("[redacted]");
                } else {
                    hide(field, rules, secrets);
                }
            }
        }
        Value::String(text) if secrets.are_in(text.as_bytes()) => {
            *value = Value::from("[redacted]");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add("s3same-open".into());
        secrets
    }

    #[test]
    fn json_is_kept_without_secret_fields_and_known_secrets() {
        let content = Content::Json(json!({
            "access_token": "abc", "name": "x", "tokens": [{"a": "b"}], "token": null,
            "next": ["/cb?code=s3same-open", 7],
        }));
        let kept = body(&content, &Rules::default(), &secrets()).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        let expected = json!({
            "access_token": "[redacted]", "name": "x", "tokens": "[redacted]", "token": null,
            "next": ["[redacted]", 7],
        });
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_text_that_may_hold_a_secret_is_not_kept() {
        let text = |text: &str| body(&Content::Text(text.into()), &Rules::default(), &secrets());
        assert_eq!(text("all is well").as_deref(), Some("all is well"));
        assert_eq!(text("your API key: 17"), None);
        assert_eq!(text("see s3same-open"), None);
    }
}
