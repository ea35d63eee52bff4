//! Paths and URLs: segments, their parameters, and the query.

use crate::names::{self, Before, Mark, Names};
use crate::place::{Place, Reader, Segment, Verdict, Within};
use crate::value::{is_hash, is_uuid, looks_like_token, looks_random};
use crate::view::{Escapes, View};

/// Segments of the path, then their parameters and the query's.
pub fn of_path(path: &str, names: &Names) -> Vec<Place> {
    let mut reader = Reader::new(names, path.as_bytes());
    read(&mut reader, &View::of(path), Within::default());
    reader.finish()
}

/// Whether a value is a URL, or a path with a query.
pub(super) fn is_url(value: &str) -> bool {
    let is_written_so =
        !value.bytes().any(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'<' | b'{'));
    let is_absolute = || {
        value.split_once("://").is_some_and(|(scheme, _)| {
            !scheme.is_empty()
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        })
    };
    is_written_so && (value.starts_with('/') || is_absolute())
}

pub(super) fn read(reader: &mut Reader<'_>, view: &View<'_>, within: Within) {
    let text = &*view.text;
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let oauth = within.oauth || names::is_path_of_oauth(path);
    let within = Within { oauth, ..within };
    let mut parameters = Vec::new();
    let (mut at, mut before) = (0, "");
    for (number, segment) in path.split('/').enumerate() {
        let (value, rest) = segment.split_once(';').unwrap_or((segment, ""));
        if !value.is_empty() {
            let part = view.part(at..at + value.len());
            let value = part.without(Escapes::Percent);
            let index = reader.places.len();
            let verdict = verdict(reader, before, &value.text);
            reader.take("", &value, verdict, within);
            reader.places[index].segment = Some(Segment { number, before: before.to_owned() });
            if verdict == Verdict::Harmless {
                reader.nested(&value, within);
            }
        }
        if !rest.is_empty() {
            parameters.push(at + segment.len() - rest.len()..at + segment.len());
        }
        if !segment.is_empty() {
            before = segment;
        }
        at += segment.len() + 1;
    }
    for range in parameters {
        reader.pairs(&view.part(range), Escapes::Percent, within);
    }
    let mut at = path.len();
    // The fragment of a URL within another has what a server hands to a script.
    for part in text[at..].split_inclusive(['?', '#']) {
        let end = at + part.len();
        let range = at..end - usize::from(part.ends_with(['?', '#']));
        if !range.is_empty() {
            reader.pairs(&view.part(range), Escapes::Percent, within);
        }
        at = end;
    }
}

fn verdict(reader: &Reader<'_>, before: &str, value: &str) -> Verdict {
    let is_secret = match (reader.names.mark(before), Before::of(before)) {
        (Mark::Secret, _) | (_, Before::Reset) => {
            looks_random(value) || is_uuid(value) || looks_like_token(value)
        }
        (_, Before::Mailed) => looks_random(value) || looks_like_token(value),
        (_, Before::Token) => looks_like_token(value) && !is_hash(value),
        _ => false,
    };
    if is_secret { Verdict::Secret } else { Verdict::Harmless }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(path: &str) -> Vec<&str> {
        let found = of_path(path, &Names::default()).into_iter().filter(Place::is_secret);
        found.map(|place| &path[place.range]).collect()
    }

    #[test]
    fn a_path_has_its_segments_and_parameters() {
        let path = "/a%20b//17?x=1&y&z=%C3%A9+";
        let places = of_path(path, &Names::default());
        assert_eq!(places[1].segment, Some(Segment { number: 3, before: "a%20b".to_owned() }));
        let expected =
            [("", "a b", 1..6), ("", "17", 8..10), ("x", "1", 13..14), ("z", "é+", 19..26)];
        let expected = expected.map(|(n, v, r)| (n.to_owned(), v.to_owned(), r));
        let found: Vec<_> = places.into_iter().map(|p| (p.name, p.value, p.range)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn tokens_in_paths_are_known_by_what_comes_before() {
        let token = "dQw4w9WgXcQ0R7rJ1a2b";
        for path in
            ["/reset/", "/users/password-reset/", "/invite/", "/api/token/", "/verify_email/"]
        {
            let path = format!("{path}{token}/x");
            assert_eq!(secrets(&path), [token], "{path}");
        }
        assert_eq!(secrets("/reset/k9x2m4q7"), ["k9x2m4q7"]);
        assert_eq!(secrets("/a/b;jsessionid=A1B2C3?x=1"), ["A1B2C3"]);
        assert_eq!(secrets("/a;v=1;sid=A1B2C3/b"), ["A1B2C3"]);
        assert_eq!(secrets("/reset/8c1d2f00-0000-4000-8000-0123456789ab").len(), 1);
    }

    #[test]
    fn parameters_are_secret_by_name_and_by_company() {
        assert_eq!(secrets("/x?api_key=abc&b=1"), ["abc"]);
        assert_eq!(secrets("/x?next=https%3A%2F%2Fa.b%2Fc%3Ftoken%3Dabc%26d%3D1"), ["abc"]);
        assert_eq!(secrets("/oauth/cb?code=abc&state=xyz"), ["abc", "xyz"]);
        assert_eq!(secrets("/cb?code=Zq1&state=xyz&x=1"), ["Zq1", "xyz"]);
        assert_eq!(secrets("/authorize?response_type=code&client_id=a&state=xyz"), ["xyz"]);
    }

    #[test]
    fn other_paths_stay() {
        for path in [
            "/confirm/8c1d2f00-0000-4000-8000-0123456789ab",
            "/token/refresh",
            "/verify/17",
            "/darkroom",
            "/agencies?code=NORTH&page=2",
            "/x?state=open&key=PROJ-1&pass=false",
            "/reset/password",
            "/files/0af7651916cd43dd8448eb211c80319c",
            "/keys/status",
            "/auth/login",
            "/share/album-2026",
            "/reset/password2026",
            "/share/0af7651916cd43dd8448eb211c80319c",
            "/confirm/INC20261124",
        ] {
            assert_eq!(secrets(path), [""; 0], "{path}");
        }
    }
}
