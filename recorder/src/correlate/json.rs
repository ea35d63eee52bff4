//! The leaves of a JSON text, with where they stand in it.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

/// A string, number, boolean or null. It may be secret, hence no `Debug`.
pub(super) struct Leaf<'a> {
    /// The key of the value, or of the innermost list that it is in.
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    /// Of the value as written; of a string without its quotes.
    pub(super) range: Range<usize>,
    pub(super) is_string: bool,
}

/// None where the text is not JSON.
pub(super) fn leaves(text: &str) -> Option<Vec<Leaf<'_>>> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut names: Vec<Cow<'_, str>> = Vec::new();
    let mut name = Cow::Borrowed("");
    let mut at = 0;
    // The text is valid JSON, so only the ends of tokens have to be found.
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at)?;
                let value = unescaped(&text[at..=end])?;
                let next = bytes[end + 1..].iter().position(|b| !b.is_ascii_whitespace());
                if next.is_some_and(|next| bytes[end + 1 + next] == b':') {
                    name = value;
                } else {
                    let (name, range) = (name.clone(), at + 1..end);
                    found.push(Leaf { name, value, range, is_string: true });
                }
                at = end + 1;
            }
            b'{' | b'[' => {
                names.push(name.clone());
                at += 1;
            }
            b'}' | b']' => {
                name = names.pop()?;
                at += 1;
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                let length = bytes[at..]
                    .iter()
                    .position(|b| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace());
                let end = length.map_or(bytes.len(), |length| at + length);
                let (name, value) = (name.clone(), Cow::Borrowed(&text[at..end]));
                found.push(Leaf { name, value, range: at..end, is_string: false });
                at = end;
            }
            _ => at += 1,
        }
    }
    Some(found)
}

/// The position of the closing quote of the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        match bytes.get(end)? {
            b'"' => return Some(end),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

fn unescaped(quoted: &str) -> Option<Cow<'_, str>> {
    match quoted.contains('\\') {
        false => Some(Cow::Borrowed(&quoted[1..quoted.len() - 1])),
        true => serde_json::from_str(quoted).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn names_and_values(text: &str) -> Vec<(String, String)> {
        let leaves = leaves(text).unwrap();
        leaves.into_iter().map(|l| (l.name.into_owned(), l.value.into_owned())).collect()
    }

    #[test]
    fn leaves_have_the_name_that_they_stand_under() {
        let text = r#" {"a": {"b": [1, "x\"y", {"c": null}, true]}, "d\u0065": -2.5e3} "#;
        let expected = [("b", "1"), ("b", "x\"y"), ("c", "null"), ("b", "true"), ("de", "-2.5e3")];
        let expected = expected.map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(names_and_values(text), expected);
        assert!(leaves("{\"a\":").is_none());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5).prop_map(|map| json!(map)),
            ]
        })
    }

    fn count(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(fields) => fields.values().map(count).sum(),
            _ => 1,
        }
    }

    proptest! {
        #[test]
        fn every_leaf_is_found_where_it_stands(value in any_json(), pretty in any::<bool>()) {
            let text = match pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            let leaves = leaves(&text).unwrap();
            prop_assert_eq!(leaves.len(), count(&value));
            for leaf in leaves {
                let written = &text[leaf.range.clone()];
                let quoted = format!("\"{written}\"");
                let read: Value =
                    serde_json::from_str(if leaf.is_string { &quoted } else { written }).unwrap();
                let read = read.as_str().map_or_else(|| read.to_string(), str::to_owned);
                if leaf.is_string {
                    prop_assert_eq!(read, leaf.value);
                }
            }
        }
    }
}
