//! The places of a request that can hold a value.

use common::encoding::percent_decoded;
use std::borrow::Cow;
use std::ops::Range;

use super::json;
use trace::format::Encoding;

/// A value, and where it stands in the text of its part. It may be secret, hence no `Debug`.
pub(super) struct Place<'a> {
    pub(super) kind: Kind<'a>,
    /// Decoded.
    pub(super) value: Cow<'a, str>,
    pub(super) range: Range<usize>,
    pub(super) encode: Encoding,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind<'a> {
    /// A path segment, by its number, and the one before it.
    Segment { number: usize, before: &'a str },
    /// A query parameter, form field, JSON leaf or header, by its name.
    Named(Cow<'a, str>),
}

impl Place<'_> {
    /// Empty for a path segment.
    pub(super) fn name(&self) -> &str {
        match &self.kind {
            Kind::Segment { .. } => "",
            Kind::Named(name) => name,
        }
    }
}

/// Segments of the path, then the query's parameters.
pub(super) fn of_path(path: &str) -> Vec<Place<'_>> {
    let (only_path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
    let mut places = Vec::new();
    let (mut at, mut before) = (0, "");
    for (number, segment) in only_path.split('/').enumerate() {
        if !segment.is_empty() {
            places.push(Place {
                kind: Kind::Segment { number, before },
                value: percent_decoded(segment, false),
                range: at..at + segment.len(),
                encode: Encoding::Percent,
            });
            before = segment;
        }
        at += segment.len() + 1;
    }
    if let Some(query) = query {
        places.extend(pairs(query, only_path.len() + 1, Encoding::Percent));
    }
    places
}

/// Fields of an `application/x-www-form-urlencoded` body.
pub(super) fn of_form(body: &str) -> Vec<Place<'_>> {
    pairs(body, 0, Encoding::Form).collect()
}

fn pairs(text: &str, offset: usize, encode: Encoding) -> impl Iterator<Item = Place<'_>> {
    let mut at = offset;
    text.split('&').filter_map(move |pair| {
        let start = at;
        at += pair.len() + 1;
        let (name, value) = pair.split_once('=')?;
        let start = start + name.len() + 1;
        let is_form = encode == Encoding::Form;
        Some(Place {
            kind: Kind::Named(percent_decoded(name, is_form)),
            value: percent_decoded(value, is_form),
            range: start..start + value.len(),
            encode,
        })
    })
}

/// Leaves of a JSON body; none where it is not JSON.
pub(super) fn of_json(body: &str) -> Option<Vec<Place<'_>>> {
    let place = |leaf: json::Leaf<'_>| Place {
        kind: Kind::Named(Cow::Owned(leaf.name.into_owned())),
        encode: if leaf.is_string { Encoding::Json } else { Encoding::Raw },
        value: Cow::Owned(leaf.value.into_owned()),
        range: leaf.range,
    };
    Some(json::leaves(body)?.into_iter().map(place).collect())
}

/// The value of a header; of a credential, the part behind its scheme.
pub(super) fn of_header<'a>(name: &'a str, value: &'a str) -> Place<'a> {
    let is_credential = name.to_ascii_lowercase().ends_with("authorization");
    let start = match value.split_once(' ') {
        Some((scheme, _)) if is_credential => scheme.len() + 1,
        _ => 0,
    };
    Place {
        kind: Kind::Named(Cow::Borrowed(name)),
        value: Cow::Borrowed(&value[start..]),
        range: start..value.len(),
        encode: Encoding::Raw,
    }
}

/// Text parts of a `multipart/form-data` body that have a name.
pub(super) fn of_multipart<'a>(body: &'a str, boundary: &str) -> Vec<Place<'a>> {
    let delimiter = format!("--{boundary}");
    let mut places = Vec::new();
    let mut at = 0;
    for piece in body.split(delimiter.as_str()) {
        let start = at;
        at += piece.len() + delimiter.len();
        let Some((head, content)) = piece.split_once("\r\n\r\n") else { continue };
        let lower = head.to_ascii_lowercase();
        let name = lower.find(" name=\"").map(|found| &head[found + 7..]);
        let Some((name, _)) = name.and_then(|name| name.split_once('"')) else { continue };
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        let start = start + head.len() + 4;
        places.push(Place {
            kind: Kind::Named(Cow::Borrowed(name)),
            value: Cow::Borrowed(content),
            range: start..start + content.len(),
            encode: Encoding::Raw,
        });
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(places: Vec<Place<'_>>) -> Vec<(String, String, Range<usize>)> {
        let show = |p: Place<'_>| (p.name().to_owned(), p.value.clone().into_owned(), p.range);
        places.into_iter().map(show).collect()
    }

    #[test]
    fn a_path_has_its_segments_and_parameters() {
        let path = "/a%20b//17?x=1&y&z=%C3%A9+";
        let places = of_path(path);
        assert_eq!(places[1].kind, Kind::Segment { number: 3, before: "a%20b" });
        let expected =
            [("", "a b", 1..6), ("", "17", 8..10), ("x", "1", 13..14), ("z", "é+", 19..26)];
        let expected = expected.map(|(n, v, r)| (n.to_owned(), v.to_owned(), r));
        assert_eq!(shown(places), expected);
    }

    #[test]
    fn a_form_has_its_fields() {
        let expected = [("a b".to_owned(), "c d&".to_owned(), 4..10)];
        assert_eq!(shown(of_form("a+b=c+d%26")), expected);
    }

    #[test]
    fn a_credential_stands_behind_its_scheme() {
        let place = of_header("Authorization", "Bearer abc");
        assert_eq!((place.value.as_ref(), place.range), ("abc", 7..10));
        assert_eq!(of_header("X-Title", "Two words").range, 0..9);
    }

    #[test]
    fn a_multipart_body_has_its_named_parts() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--B\r\n\
                    Content-Disposition: form-data; filename=\"f\"; name=\"file\"\r\n\r\nab\r\n--B--\r\n";
        let found = of_multipart(body, "B");
        let texts: Vec<_> = found.iter().map(|p| (p.name(), &body[p.range.clone()])).collect();
        assert_eq!(texts, [("password", "hunter2"), ("file", "ab")]);
    }
}
