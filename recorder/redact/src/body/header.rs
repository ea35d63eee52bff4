//! Headers and cookies.

use common::encoding::percent_decoded;

use super::{base64, path};
use crate::names::{Mark, Names};
use crate::place::{Place, Reader, Verdict, Within};
use crate::value::{is_uuid, looks_like_token, says_nothing};
use crate::view::View;

/// The places of a header's value: the value, of a credential the part behind its scheme, and
/// what is secret within.
pub fn of_header(name: &str, value: &str, names: &Names) -> Vec<Place> {
    let mut reader = Reader::new(names, value.as_bytes());
    let view = View::of(value);
    let start = if is_authorization(name) { behind_scheme(value) } else { 0 };
    let within = Within::default();
    let value = view.part(start..value.len());
    let verdict = reader.verdict(name, &value.text, within);
    reader.take(name, &value, verdict, within);
    if verdict == Verdict::Harmless {
        reader.nested(&value, within);
    }
    reader.finish()
}

/// The password of a `Basic` credential, or the whole credential.
pub fn credentials_of(name: &str, value: &str) -> Option<String> {
    if !is_authorization(name) {
        return None;
    }
    let credential = &value[behind_scheme(value)..];
    let basic =
        || base64::text_of(credential)?.split_once(':').map(|(_, password)| password.to_owned());
    let is_basic = value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "));
    is_basic.then(basic).flatten()
}

/// Cookies of a `Cookie` header.
pub fn of_cookies(value: &str, names: &Names) -> Vec<Place> {
    let mut reader = Reader::new(names, value.as_bytes());
    let view = View::of(value);
    let mut at = 0;
    for pair in value.split(';') {
        let start = at;
        at += pair.len() + 1;
        let Some((name, text)) = pair.split_once('=') else { continue };
        let part = view.part(start + name.len() + 1..start + name.len() + 1 + text.len());
        let verdict = match is_secret_cookie(name.trim(), text.trim(), false, names) {
            true => Verdict::Secret,
            false => Verdict::Harmless,
        };
        reader.take(name.trim(), &part, verdict, Within::default());
    }
    reader.finish()
}

/// Whether a cookie is a secret: by its name, or because it looks like one, for which a cookie
/// that no script may read needs to look less.
pub fn is_secret_cookie(name: &str, value: &str, http_only: bool, names: &Names) -> bool {
    let value = percent_decoded(value.trim_matches('"'), false);
    if says_nothing(&value) {
        return false;
    }
    names.mark(name) >= Mark::Field
        || looks_like_token(&value)
        || http_only
            && (is_uuid(&value) || value.len() >= 16 && value.bytes().any(|b| b.is_ascii_digit()))
}

fn is_authorization(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("authorization")
}

pub(super) fn behind_scheme(value: &str) -> usize {
    value.split_once(' ').map_or(0, |(scheme, _)| scheme.len() + 1)
}

impl Reader<'_> {
    pub(crate) fn url(&mut self, value: &View<'_>, within: Within) {
        let start = value.text.find("://").map_or(0, |scheme| {
            let authority = scheme + 3;
            value.text[authority..]
                .find(['/', '?', '#'])
                .map_or(value.text.len(), |end| authority + end)
        });
        path::read(self, &value.part(start..value.text.len()), within);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets<'a>(name: &str, value: &'a str) -> Vec<&'a str> {
        let found = of_header(name, value, &Names::default()).into_iter().filter(Place::is_secret);
        found.map(|place| &value[place.range]).collect()
    }

    #[test]
    fn a_credential_stands_behind_its_scheme() {
        assert_eq!(secrets("Authorization", "Bearer abc"), ["abc"]);
        assert_eq!(secrets("authorization", "abc"), ["abc"]);
        assert_eq!(
            credentials_of("Authorization", "Basic YW5uOmh1bnRlcjI6IQ==").as_deref(),
            Some("hunter2:!")
        );
        assert_eq!(of_header("X-Title", "Two words", &Names::default())[0].range, 0..9);
    }

    #[test]
    fn urls_and_pairs_in_headers_are_looked_into() {
        assert_eq!(secrets("Referer", "https://a.b/c?access_token=abc&x=1"), ["abc"]);
        assert_eq!(
            secrets("Referer", "https://a.b/reset/dQw4w9WgXcQ0R7rJ1a2b"),
            ["dQw4w9WgXcQ0R7rJ1a2b"]
        );
        assert_eq!(secrets("Referer", "https://a.b/c?next=%2Fd%3Ftoken%3Dabc"), ["abc"]);
        assert_eq!(secrets("X-Context", "user=ann; password=hunter2"), ["hunter2"]);
        assert_eq!(secrets("X-Context", r#"{"password":"hunter2"}"#), ["hunter2"]);
    }

    #[test]
    fn what_only_speaks_of_secrets_is_none() {
        for (name, value) in [
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Request-Headers", "authorization,content-type"),
            ("Content-Type", "application/json; charset=utf-8"),
            ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
            ("Vary", "Cookie, Authorization"),
            (
                "User-Agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
            ),
            ("Referer", "https://a.b/c?page=2"),
            ("If-None-Match", "\"0af7651916cd43dd8448eb211c80319c\""),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ] {
            assert_eq!(secrets(name, value), [""; 0], "{name}: {value}");
        }
    }

    #[test]
    fn cookies_are_secret_by_name_or_by_looks() {
        let names = Names::default();
        let is = |name, value, http_only| is_secret_cookie(name, value, http_only, &names);
        assert!(is("sid", "x1", false) && is("PHPSESSID", "abcdef", false));
        assert!(is("app", "dQw4w9WgXcQ0R7rJ1a2b", false));
        let uuid = "8c1d2f00-0000-4000-8000-0123456789ab";
        assert!(is("app", uuid, true) && !is("device", uuid, false));
        for (name, value) in
            [("theme", "dark"), ("locale", "en-US"), ("_ga", "GA1.2.1234567890.1234567890")]
        {
            assert!(!is(name, value, false), "{name}");
        }
    }
}
