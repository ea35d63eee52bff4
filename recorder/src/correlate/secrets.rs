//! Secrets that a session knows, to be found wherever they stand.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use manifest::format::Account;
use memchr::memmem::Finder;
use redact::is_secret_field;

use trace::format::Encoding;

/// Shorter ones stand in anything.
const MIN_BYTES: usize = 4;

/// Of a session; older ones are told by the names of their fields alone.
const MAX_SECRETS: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Secrets(VecDeque<Secret>);

struct Secret {
    text: Arc<str>,
    /// Of the account.
    field: Option<String>,
    spellings: Vec<Spelling>,
}

/// Without an encoding it cannot be written anew.
struct Spelling {
    finder: Finder<'static>,
    encode: Option<Encoding>,
}

/// Where one stands.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) secret: Arc<str>,
    pub(super) field: Option<String>,
    pub(super) encode: Option<Encoding>,
}

impl Secrets {
    /// The account's secrets, in place of another's.
    pub(super) fn set_account(&mut self, account: &Account) {
        self.0.retain(|secret| secret.field.is_none());
        for (field, value) in account.fields.iter().filter(|(field, _)| is_secret_field(field)) {
            self.insert(value.as_str().into(), Some(field.clone()));
        }
    }

    pub(super) fn add(&mut self, text: Arc<str>) {
        self.insert(text, None);
    }

    fn insert(&mut self, text: Arc<str>, field: Option<String>) {
        if text.len() < MIN_BYTES || self.0.iter().any(|secret| secret.text == text) {
            return;
        }
        if self.0.len() == MAX_SECRETS
            && let Some(oldest) = self.0.iter().position(|secret| secret.field.is_none())
        {
            self.0.remove(oldest);
        }
        let spellings = spellings(&text);
        self.0.push_back(Secret { text, field, spellings });
    }

    pub(super) fn find(&self, text: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for secret in &self.0 {
            for Spelling { finder, encode } in &secret.spellings {
                let length = finder.needle().len();
                found.extend(finder.find_iter(text.as_bytes()).map(|start| Found {
                    range: start..start + length,
                    secret: Arc::clone(&secret.text),
                    field: secret.field.clone(),
                    encode: *encode,
                }));
            }
        }
        found
    }

    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        let mut all = self.0.iter().flat_map(|secret| &secret.spellings);
        all.any(|spelling| spelling.finder.find(bytes).is_some())
    }
}

/// Without the secret.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("field", &self.field).finish_non_exhaustive()
    }
}

/// How a secret may be written.
fn spellings(secret: &str) -> Vec<Spelling> {
    let mut all: Vec<(String, Option<Encoding>)> = vec![(secret.to_owned(), Some(Encoding::Raw))];
    let mut add = |text: String, encode| {
        if text.len() >= MIN_BYTES && all.iter().all(|(known, _)| *known != text) {
            all.push((text, encode));
        }
    };
    let json = serde_json::Value::from(secret).to_string();
    add(json[1..json.len() - 1].to_owned(), Some(Encoding::Json));
    for is_form in [false, true] {
        for upper in [true, false] {
            let escape = |byte: u8| match upper {
                true => format!("%{byte:02X}"),
                false => format!("%{byte:02x}"),
            };
            let text = secret.bytes().fold(String::new(), |mut out, byte| {
                match byte {
                    b' ' if is_form => out.push('+'),
                    b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
                    byte if byte.is_ascii_alphanumeric() => out.push(byte.into()),
                    byte => out.push_str(&escape(byte)),
                }
                out
            });
            add(text, Some(if is_form { Encoding::Form } else { Encoding::Percent }));
        }
    }
    // Base64 of a longer text has these within it, by where in a group of three it begins.
    for before in 0..3 {
        let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
        let text = BASE64_STANDARD_NO_PAD.encode(&padded);
        let whole = padded.len() / 3 * 4;
        let first = [0, 2, 3][before];
        if whole > first {
            add(text[first..whole].to_owned(), None);
        }
    }
    let spelling =
        |(text, encode): (String, _)| Spelling { finder: Finder::new(&text).into_owned(), encode };
    all.into_iter().map(spelling).collect()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let secret = "Pass \"w/ö1+";
        let mut secrets = Secrets::default();
        secrets.add(secret.into());
        let json = serde_json::Value::from(secret).to_string();
        for text in [
            secret.to_owned(),
            json,
            "q=Pass%20%22w%2F%C3%B61%2B&x".to_owned(),
            "q=Pass%20%22w%2f%c3%b61%2b&x".to_owned(),
            "q=Pass+%22w%2F%C3%B61%2B".to_owned(),
            BASE64_STANDARD.encode(format!("user:{secret}")),
            BASE64_STANDARD.encode(format!("u:{secret}:x")),
            BASE64_STANDARD.encode(format!("us:{secret}")),
        ] {
            assert!(!secrets.find(&text).is_empty(), "{text}");
            assert!(secrets.are_in(text.as_bytes()), "{text}");
        }
        assert!(secrets.find("Pass w").is_empty());
        assert!(!format!("{secrets:?}").contains("Pass"));
    }
}
