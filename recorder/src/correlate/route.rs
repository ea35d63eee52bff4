//! The name of an endpoint: its path with `{id}` wherever an id stands.

use super::client_values;
use super::rules::Rules;
use crate::edits::Edit;

/// Such as `POST /alerts/{id}/acknowledge`. The segments in `bound` (by number) hold bound
/// values or secrets; the others are judged by their form. Parameters of segments are left out.
pub(super) fn name(method: &str, path: &str, bound: &[usize], rules: &Rules) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if let Some(template) = rules.route(path) {
        return format!("{method} {template}");
    }
    let mut name = format!("{method} ");
    for (number, segment) in path.split('/').enumerate() {
        if number > 0 {
            name.push('/');
        }
        let segment = segment.split(';').next().unwrap_or_default();
        let is_id = bound.contains(&number) || looks_like_id(segment);
        name.push_str(if is_id { "{id}" } else { segment });
    }
    name
}

/// The numbers of the segments that a secret stands in, their parameters aside.
pub(super) fn secret_segments(path: &str, edits: &[Edit]) -> Vec<usize> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut found = Vec::new();
    for edit in edits.iter().filter(|edit| edit.is_secret && edit.range.start < path.len()) {
        let before = &path[..edit.range.start];
        let segment = before.rsplit('/').next().unwrap_or_default();
        let first = before.matches('/').count();
        let more = path[edit.range.start..edit.range.end.min(path.len())].matches('/').count();
        let first = if segment.contains(';') { first + 1 } else { first };
        found.extend(first..=before.matches('/').count() + more);
    }
    found
}

/// A number, a UUID, hexadecimal digits, or a long mixture of letters and digits.
fn looks_like_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits > 0 && digits == segment.len();
    let is_hex = segment.len() >= 8 && digits > 0 && segment.bytes().all(|b| b.is_ascii_hexdigit());
    // Words have few digits: v1, page2, report-2026.
    let is_mixture = segment.len() >= 12
        && digits >= 3
        && digits * 6 >= segment.len()
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~'))
        || segment.len() >= 24 && digits >= 2 && !segment.contains('.');
    // A prefix and a number, such as INC-20261124-0001 or device_1234.
    let is_numbered = digits >= 4
        && segment
            .rsplit(['-', '_'])
            .next()
            .is_some_and(|last| last.len() >= 4 && last.bytes().all(|b| b.is_ascii_digit()));
    is_number || client_values::is_uuid(segment) || is_hex || is_mixture || is_numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: &str) -> String {
        name("GET", path, &[], &Rules::default())
    }

    #[test]
    fn ids_are_replaced_and_words_stay() {
        for (path, expected) in [
            ("/", "GET /"),
            ("/api/v1/alerts?page=1&size=50", "GET /api/v1/alerts"),
            ("/alerts/8c1d2f00-0000-4000-8000-0123456789ab/ack", "GET /alerts/{id}/ack"),
            ("/users/17", "GET /users/{id}"),
            ("/o/507f1f77bcf86cd799439011", "GET /o/{id}"),
            ("/incidents/INC-20261124-0001", "GET /incidents/{id}"),
            ("/t/dQw4w9WgXcQ0R7rJ1a2b", "GET /t/{id}"),
            ("/oauth2/token", "GET /oauth2/token"),
            ("/static/app.3f2a1b.js", "GET /static/app.3f2a1b.js"),
            ("/resources/available", "GET /resources/available"),
            ("/.well-known/openid-configuration", "GET /.well-known/openid-configuration"),
        ] {
            assert_eq!(named(path), expected);
        }
    }

    #[test]
    fn bound_segments_are_ids_whatever_they_look_like() {
        let rules = Rules::default();
        assert_eq!(name("PUT", "/tags/blue/items", &[2], &rules), "PUT /tags/{id}/items");
        assert_eq!(name("GET", "/a;jsessionid=X/b", &[], &rules), "GET /a/b");
    }
}
