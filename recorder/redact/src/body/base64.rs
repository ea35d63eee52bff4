//! Base64 of a text that has places itself.

use super::of_body;
use crate::base64::decode;
use crate::place::{Place, Reader, Verdict, Within};
use crate::shapes;
use crate::view::View;

/// Shorter ones are words.
const SHORTEST: usize = 16;

/// The text that this is base64 of.
pub(super) fn text_of(text: &str) -> Option<String> {
    let text = text.trim();
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(&b);
    if text.len() < SHORTEST || !text.bytes().all(is_base64) {
        return None;
    }
    let plain = String::from_utf8(decode(text)?).ok()?;
    let is_text = !plain.chars().any(|c| c.is_control() && !c.is_whitespace());
    is_text.then_some(plain)
}

impl Reader<'_> {
    /// Says whether it is base64 of a text. Of one with a secret in it nothing is left.
    pub(crate) fn base64(&mut self, view: &View<'_>, within: Within) -> bool {
        let Some(plain) = text_of(&view.text) else { return false };
        let depth = within.depth;
        let places = match depth {
            0..3 => of_body(plain.as_bytes(), "", "", self.names),
            _ => Vec::new(),
        };
        let name = places.into_iter().find(Place::is_secret).map(|place| place.name);
        let name = name.or_else(|| shapes::has_token(&plain).then(|| "encoded_secret".to_owned()));
        if let Some(name) = name {
            let before = self.places.len();
            self.take(&name, view, Verdict::Secret, Within { depth: depth.max(1), ..within });
            self.places[before].encode = None;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use super::*;
    use crate::names::Names;

    #[test]
    fn base64_of_secrets_goes_as_a_whole() {
        let names = Names::default();
        let secret =
            |text: &str| of_body(text.as_bytes(), "", "/", &names).iter().any(Place::is_secret);
        let json = r#"{"user":"ann","password":"hunter2"}"#;
        assert!(secret(&BASE64_STANDARD.encode(json)));
        assert!(secret(&format!(r#"{{"data":"{}"}}"#, BASE64_URL_SAFE_NO_PAD.encode(json))));
        assert!(!secret(&BASE64_STANDARD.encode(r#"{"user":"ann","page":"2"}"#)));
        assert!(!secret("ordinaryLongWordOfLetters"));
    }
}
