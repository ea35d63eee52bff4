//! What must never reach the disk or the screen.

use serde_json::Value;

/// A field, header or capture is secret when its name has one of these in it,
/// letter case and `-`/`_` aside. They stand in the header of every trace.
pub const RULES: [&str; 9] = [
    "authorization",
    "cookie",
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "credential",
];

/// What is shown of a server's answer, in characters.
const SHOWN: usize = 300;

/// Names that a rule would match, of values that are no secret.
const HARMLESS: [&str; 2] = ["tokentype", "tokenexpiry"];

pub fn is_secret_name(name: &str) -> bool {
    let plain = plain(name);
    RULES.iter().any(|rule| plain.contains(rule)) && !HARMLESS.contains(&plain.as_str())
}

/// Whether a field of an account must stay in the manifest.
pub fn is_secret_field(field: &str) -> bool {
    manifest::format::SECRET_FIELDS.contains(&field) || is_secret_name(field)
}

/// A name without what rules look away from.
pub fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
    letters.flat_map(char::to_lowercase).collect()
}

/// A server's answer for a message: on one line, shortened, without the
/// `known` secrets and without the values of secret fields.
pub fn answer(body: &[u8], known: &[&str]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            hide(&mut value);
            value.to_string()
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let text = known
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, "[redacted]"));
    let mut shown: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn hide(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Array(_) | Value::Object(_) => hide(field),
                    _ if is_secret_name(name) => *field = Value::from("[redacted]"),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_are_known_however_they_are_written() {
        for name in ["password", "Authorization", "refresh_token", "X-Api-Key", "Set-Cookie"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["email", "title", "id", "token_type", "Accept"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn an_answer_is_shown_without_its_secrets() {
        let echoed =
            br#"{"detail":[{"input":{"email":"a@b.c","password":"hunter2"},"url":"/x?p=s3same"}]}"#;
        let shown = answer(echoed, &["s3same"]);
        assert!(!shown.contains("hunter2") && !shown.contains("s3same"), "{shown}");
        assert!(shown.contains("a@b.c"), "{shown}");
        let text = answer("Bad\r\npassword: s3same ".repeat(50).as_bytes(), &["s3same"]);
        assert!(!text.contains("s3same") && !text.contains('\n') && text.ends_with('…'), "{text}");
    }
}
