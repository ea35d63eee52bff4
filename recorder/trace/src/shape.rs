//! Body shapes: what a JSON answer looks like, values aside.
//!
//! A shape is the sorted set of (path with indices as `[]`, type). Two shapes
//! fit when they agree wherever both say something: null fits any type, keys
//! of list items are united, and an empty list fits any list. A key that some
//! items of a list have and others have not may be missing from all of another
//! list: what is in a list differs, and says nothing of what made it.
//!
//! Which bodies have a shape is decided here alone, by [`json_of`], for whoever records and for
//! whoever compares:
//!
//! | answer | its shape |
//! | --- | --- |
//! | 1xx, 204, 304, or an empty body | none: whatever came with it, it is not of this answer |
//! | said to be HTML | none |
//! | said to be JSON, or begins as an object, a list or a string of JSON | that of the JSON; none where it is not JSON |
//! | anything else, a plain `42` without a word of JSON among it | none |
//! | not looked into: over what is kept, of an unknown coding, damaged, or missing in the recording | [`Shape::unseen`], which agrees with all |
//! | JSON with more names than [`MOST_BYTES`] holds, or one nested in names of over [`LONGEST_PATH`] bytes | one that agrees with all |

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the paths of a shape may take together, [`BESIDE_A_PATH`] for each: some sixty thousand
/// names. A path repeats the names above it, so that a small body may have very long ones.
pub const MOST_BYTES: usize = 4 << 20;
const BESIDE_A_PATH: usize = 64;

/// Each item of a list is looked up by its path.
pub const LONGEST_PATH: usize = 4096;

/// Path to what was seen there, `n b # s {} []` for null, boolean, number,
/// string, object and list, and `?` where an object had no such key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(BTreeMap<String, Seen>);

/// A set of what a path may have: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen(u8);

impl Seen {
    const ALL: [JsonType; 7] = [
        JsonType::Null,
        JsonType::Bool,
        JsonType::Number,
        JsonType::String,
        JsonType::Object,
        JsonType::List,
        JsonType::Missing,
    ];

    fn insert(&mut self, kind: JsonType) {
        self.0 |= 1 << kind as u8;
    }

    fn contains(self, kind: JsonType) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    fn iter(self) -> impl Iterator<Item = JsonType> {
        Self::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// Whether both had something of one type.
    fn meets(self, other: Self) -> bool {
        self.0 & other.0 & !(1 << JsonType::Missing as u8) != 0
    }
}

impl FromIterator<JsonType> for Seen {
    fn from_iter<I: IntoIterator<Item = JsonType>>(kinds: I) -> Self {
        let mut seen = Self::default();
        kinds.into_iter().for_each(|kind| seen.insert(kind));
        seen
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As many as there are, whatever else stands in the list.
        Ok(BTreeSet::<JsonType>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JsonType {
    #[serde(rename = "n")]
    Null,
    #[serde(rename = "b")]
    Bool,
    #[serde(rename = "#")]
    Number,
    #[serde(rename = "s")]
    String,
    #[serde(rename = "{}")]
    Object,
    #[serde(rename = "[]")]
    List,
    #[serde(rename = "?")]
    Missing,
}

/// What is counted while a shape is made.
#[derive(Default)]
struct Counted {
    seen: Seen,
    times: usize,
    /// So many times it was an object.
    objects: usize,
    /// Of a key, how long the path of its object is.
    object: Option<usize>,
}

impl Counted {
    fn count(&mut self, kind: JsonType) {
        self.seen.insert(kind);
        self.times += 1;
        self.objects += usize::from(kind == JsonType::Object);
    }
}

/// The JSON of an answer's body, its content coding undone; none where it counts as something else.
pub fn json_of(content_type: &str, body: &[u8]) -> Option<serde_json::Value> {
    let body = may_be_json(content_type, body).then_some(body)?;
    // Checked as a whole, not string by string.
    serde_json::from_str(std::str::from_utf8(body).ok()?).ok()
}

/// Whether a body is taken for JSON, so that it is damaged where it is none.
pub fn may_be_json(content_type: &str, body: &[u8]) -> bool {
    let begins_like_json = matches!(body.first(), Some(b'{' | b'[' | b'"'));
    !is_of(content_type, "html") && (begins_like_json || is_of(content_type, "json"))
}

/// Whether answers of this status have a body of their own.
fn has_body(status: u16) -> bool {
    status >= 200 && !matches!(status, 204 | 304)
}

/// Whether the content type has this word in it, in whatever case.
fn is_of(content_type: &str, word: &str) -> bool {
    let windows = &mut content_type.as_bytes().windows(word.len());
    windows.any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

impl Shape {
    /// The shape of an answer's body, its content coding undone; `body` is none where it was not
    /// looked into.
    pub fn of_body(status: u16, content_type: &str, body: Option<&[u8]>) -> Option<Self> {
        match body {
            Some(_) if !has_body(status) => None,
            Some(body) => Self::of_json(status, json_of(content_type, body).as_ref()),
            None => Self::unseen(status, content_type),
        }
    }

    /// The same where the body's JSON, if it is JSON, is there already.
    pub fn of_json(status: u16, json: Option<&serde_json::Value>) -> Option<Self> {
        json.filter(|_| has_body(status)).map(Self::of)
    }

    /// That of a body that was not looked into.
    pub fn unseen(status: u16, content_type: &str) -> Option<Self> {
        (has_body(status) && !is_of(content_type, "html")).then(Self::any)
    }

    /// That of null, which fits any other.
    pub(crate) fn any() -> Self {
        Self(BTreeMap::from([(String::new(), Seen::from_iter([JsonType::Null]))]))
    }

    /// Whether two answers have the same shape, or one of them has one that is not known.
    pub fn agree(recorded: Option<&Self>, replayed: Option<&Self>) -> bool {
        match (recorded, replayed) {
            (Some(recorded), Some(replayed)) => recorded.fits(replayed),
            (Some(shape), None) | (None, Some(shape)) => *shape == Self::any(),
            (None, None) => true,
        }
    }

    /// The shape of a parsed JSON value.
    pub fn of(value: &serde_json::Value) -> Self {
        let (mut paths, mut room) = (BTreeMap::new(), MOST_BYTES);
        if add(&mut paths, &mut String::new(), None, value, &mut room).is_none() {
            return Self::any();
        }
        let is_missing = |path: &str, counted: &Counted| {
            let object = counted.object.and_then(|length| paths.get(&path[..length]));
            object.is_some_and(|object| counted.times < object.objects)
        };
        let missing: Vec<bool> = paths.iter().map(|(path, of)| is_missing(path, of)).collect();
        let of = |((path, counted), is_missing): ((String, Counted), bool)| {
            let mut seen = counted.seen;
            if is_missing {
                seen.insert(JsonType::Missing);
            }
            (path, seen)
        };
        Self(paths.into_iter().zip(missing).map(of).collect())
    }

    /// Whether a version of the format is needed that knows of keys that some items have not.
    pub(crate) fn has_missing(&self) -> bool {
        self.0.values().any(|seen| seen.contains(JsonType::Missing))
    }

    /// The same, but for a key that need not be there in any of the objects that have it.
    #[must_use]
    pub fn with_missing(mut self, key: &str) -> Self {
        for (path, seen) in &mut self.0 {
            if path.strip_suffix(key).is_some_and(|object| object.ends_with('.')) {
                seen.insert(JsonType::Missing);
            }
        }
        self
    }

    /// Sixteen hexadecimal digits of the SHA-256 of the sorted set.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, kinds) in &self.0 {
            hash.update(path.as_bytes());
            for kind in kinds.iter() {
                hash.update([0, kind as u8]);
            }
            hash.update([1]);
        }
        common::digest::hex(&hash.finalize()[..8])
    }

    /// Whether the two agree wherever both say something; an object whose keys are ids, such as a
    /// map of rooms by their ids, says what its values are like, as a list does.
    pub fn fits(&self, other: &Self) -> bool {
        let fit = |one: &Self, other: &Self| one.fits_into(other) && other.fits_into(one);
        fit(self, other) || fit(&self.without_ids(), &other.without_ids())
    }

    /// With one key in place of all that are ids. A shape that is stored has them as they were,
    /// since its digest is of them.
    fn without_ids(&self) -> Self {
        let mut united: BTreeMap<String, (Seen, usize)> = BTreeMap::new();
        for (path, seen) in &self.0 {
            let (all, count) = united.entry(without_ids(path)).or_default();
            all.0 |= seen.0;
            *count += 1;
        }
        // What some values of a map have, and others have not.
        let of = |path: &str| ancestors(path).next().and_then(|of| united.get(of));
        let is_missing = |path: &str, count| of(path).is_some_and(|(_, objects)| count < *objects);
        let all = united.iter().map(|(path, (seen, count))| {
            let mut seen = *seen;
            if is_missing(path, *count) {
                seen.insert(JsonType::Missing);
            }
            (path.clone(), seen)
        });
        Self(all.collect())
    }

    /// Every path of `self` stands in `other` with an agreeing type, or need not, or lies below a
    /// list that is empty, or a value that is null, in `other`.
    fn fits_into(&self, other: &Self) -> bool {
        self.0.iter().all(|(path, seen)| match other.0.get(path) {
            Some(others) => {
                seen.contains(JsonType::Null)
                    || others.contains(JsonType::Null)
                    || seen.meets(*others)
            }
            None => self.may_miss(path, other) || other.is_open_above(path),
        })
    }

    /// Whether what lacks this path lacks one that not all items had, the path itself or one above.
    fn may_miss(&self, path: &str, other: &Self) -> bool {
        let is_missing = |path: &str| {
            self.0.get(path).is_some_and(|seen| seen.contains(JsonType::Missing))
                && !other.0.contains_key(path)
        };
        is_missing(path) || ancestors(path).any(is_missing)
    }

    /// Whether an ancestor of `path` was null, or a list or a map without items here.
    fn is_open_above(&self, path: &str) -> bool {
        ancestors(path).any(|ancestor| {
            self.0.get(ancestor).is_some_and(|kinds| {
                kinds.contains(JsonType::Null)
                    || (kinds.contains(JsonType::List)
                        && !self.0.contains_key(&format!("{ancestor}[]")))
                    // A map without these ids, or without any.
                    || (kinds.contains(JsonType::Object)
                        && path[ancestor.len()..].starts_with(".{id}")
                        && !self.0.contains_key(&format!("{ancestor}.{{id}}")))
            })
        })
    }
}

/// Adds what a value has at this path, a key of the object at the path of that length; none where
/// there is no room for it.
fn add(
    paths: &mut BTreeMap<String, Counted>,
    path: &mut String,
    object: Option<usize>,
    value: &Value,
    room: &mut usize,
) -> Option<()> {
    let kind = match value {
        Value::Null => JsonType::Null,
        Value::Bool(_) => JsonType::Bool,
        Value::Number(_) => JsonType::Number,
        Value::String(_) => JsonType::String,
        Value::Array(_) => JsonType::List,
        Value::Object(_) => JsonType::Object,
    };
    match paths.get_mut(path.as_str()) {
        Some(counted) => counted.count(kind),
        None => {
            *room = room.checked_sub(path.len() + BESIDE_A_PATH)?;
            let mut counted = Counted { object, ..Counted::default() };
            counted.count(kind);
            paths.insert(path.clone(), counted);
        }
    }
    let length = path.len();
    match value {
        Value::Array(items) => {
            path.push_str("[]");
            for item in items {
                add(paths, path, None, item, room)?;
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                if length + key.len() > LONGEST_PATH {
                    return None;
                }
                path.push('.');
                path.push_str(key);
                add(paths, path, Some(length), field, room)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    path.truncate(length);
    Some(())
}

/// The path with `{id}` for each key that is an id. Where a key has a point in it, its parts are
/// looked at one by one, on either side alike.
fn without_ids(path: &str) -> String {
    let keys = path.split('.').map(|key| {
        let name = key.trim_end_matches("[]");
        if is_id(name) { format!("{{id}}{}", &key[name.len()..]) } else { key.to_owned() }
    });
    keys.collect::<Vec<_>>().join(".")
}

/// Whether a key is one of many, and not a field's name: a number, a mixture of letters and many
/// digits, a random word, or an address such as `@ada:example.org`.
fn is_id(key: &str) -> bool {
    let count = |is: fn(&u8) -> bool| key.bytes().filter(is).count();
    let (digits, capitals) = (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase));
    let is_address = key.contains([':', '@']) && (digits > 0 || capitals >= 3);
    let is_random =
        key.len() >= 16 && digits > 0 && capitals > 0 && count(u8::is_ascii_lowercase) > 0;
    digits > 0 && digits == key.len() || key.len() >= 8 && (digits >= 4 || is_address || is_random)
}

/// Proper prefixes of a path that end where a key or an index begins, longest first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    // Keys hold any text; no byte of a longer character is ASCII, so that only whole ones are cut.
    (0..path.len())
        .rev()
        .filter(move |&i| path.as_bytes()[i] == b'.' || path.as_bytes()[i..].starts_with(b"[]"))
        .map(move |i| &path[..i])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::Shape;

    /// Any JSON whose keys are any text, some of it what paths are written with.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop_oneof!["\\PC{0,3}", "[.\\[\\]aöß語😀]{0,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The same with null for one of its values, the one that is met at `at`.
    fn with_null(value: &mut Value, at: &mut usize) {
        if *at == 0 {
            *value = Value::Null;
        }
        *at = at.wrapping_sub(1);
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| with_null(item, at)),
            Value::Object(fields) => fields.values_mut().for_each(|field| with_null(field, at)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn any_two_bodies_are_compared_and_order_does_not_matter(
            one in any_json(), other in any_json(),
        ) {
            fits(&one, &other);
        }

        #[test]
        fn a_body_fits_itself_and_itself_with_a_null(body in any_json(), at in 0_usize..24) {
            prop_assert!(fits(&body, &body));
            let mut less = body.clone();
            with_null(&mut less, &mut at.clone());
            prop_assert!(fits(&body, &less), "{body} and {less}");
        }
    }

    #[test]
    fn objects_by_id_are_compared_by_what_they_hold() {
        let rooms = |id: &str, room: Value| json!({"rooms": {"join": {id: room}}});
        let one = rooms("!kQbZtYcWnUvLsDfPoH:localhost", json!({"unread": 1}));
        assert!(fits(&one, &rooms("!aXtYbbWnQvLwDfPpL:localhost", json!({"unread": 2}))));
        assert!(!fits(&one, &rooms("!aXtYbbWnQvLwDfPpL:localhost", json!({"unread": "2"}))));
        assert!(!fits(&one, &rooms("!aXtYbbWnQvLwDfPpL:localhost", json!({"read": 1}))));
        assert!(fits(&one, &json!({"rooms": {"join": {}}})));
        assert!(!fits(&one, &json!({"rooms": {}})));
        let two = json!({"17": {"a": 1}, "18": {"a": 2}});
        assert!(fits(&two, &json!({"4711": {"a": 3}})));
        // Names stay names.
        for (one, other) in [
            (json!({"version2": 1}), json!({"version3": 1})),
            (json!({"dc:title": 1}), json!({"dc:creator": 1})),
            (json!({"@type": 1}), json!({"@id": 1})),
            (json!({"ApproximateNumberOfMessages": 1}), json!({"ApproximateNumberOfBytes": 1})),
        ] {
            assert!(!fits(&one, &other), "{one} and {other}");
        }
    }

    #[test]
    fn keys_may_be_in_any_language() {
        assert!(fits(&json!({"größe": 1}), &json!({"größe": 2})));
        assert!(!fits(&json!({"größe": 1}), &json!({})));
        assert!(fits(&json!({"maße": null}), &json!({"maße": {"größe": [{"高さ": 1}]}})));
    }

    fn fits(a: &serde_json::Value, b: &serde_json::Value) -> bool {
        let (a, b) = (Shape::of(a), Shape::of(b));
        assert_eq!(a.fits(&b), b.fits(&a));
        a.fits(&b)
    }

    #[test]
    fn values_do_not_matter_and_types_do() {
        assert!(fits(&json!({"a": 1, "b": "x"}), &json!({"a": 2.5, "b": "y"})));
        assert!(!fits(&json!({"a": 1}), &json!({"a": "1"})));
        assert!(!fits(&json!({"a": 1}), &json!({"a": 1, "b": 1})));
    }

    #[test]
    fn null_fits_any_type_and_an_empty_list_any_list() {
        assert!(fits(&json!({"a": null}), &json!({"a": {"b": [1]}})));
        assert!(fits(&json!([]), &json!([{"a": 1}])));
        assert!(fits(&json!({"l": []}), &json!({"l": [[1], [2]]})));
        assert!(!fits(&json!([]), &json!({})));
    }

    #[test]
    fn keys_of_list_items_are_united() {
        assert!(fits(&json!([{"a": 1}, {"b": 1}]), &json!([{"a": 1, "b": 1}])));
        assert_eq!(
            Shape::of(&json!([{"a": 1, "b": [1]}, {"b": []}])).digest(),
            Shape::of(&json!([{"b": []}, {"b": [2], "a": 2}])).digest()
        );
    }

    #[test]
    fn a_key_that_not_all_items_have_need_not_be_there() {
        let feed = json!({"chunk": [{"id": 1, "redacts": {"of": 2}}, {"id": 2, "age": 3}]});
        assert!(fits(&feed, &json!({"chunk": [{"id": 3}]})));
        assert!(fits(&feed, &json!({"chunk": [{"id": 3, "age": 1}, {"id": 4, "member": "a"}]})));
        // Not if all have it, or none.
        assert!(!fits(&feed, &json!({"chunk": [{"age": 1}]})));
        assert!(!fits(&feed, &json!({"chunk": [{"id": 3, "member": "a"}]})));
        // What is there is as it was.
        assert!(!fits(&feed, &json!({"chunk": [{"id": 3, "redacts": {"by": 2}}]})));
        assert!(!fits(&feed, &json!({"chunk": [{"id": 3, "age": "1"}]})));
        // Lists in several items are one.
        let two = json!([{"l": [{"a": 1}]}, {"l": [{"b": 1}]}]);
        assert!(fits(&two, &json!([{"l": [{"a": 1}]}])) && fits(&two, &json!([{"l": []}])));
        let rooms = json!({"join": {"17": {"a": 1, "b": 1}, "18": {"a": 2}}});
        assert!(fits(&rooms, &json!({"join": {"19": {"a": 1}}})));
        assert!(!fits(&rooms, &json!({"join": {"19": {"b": 1}}})));
        assert!(Shape::of(&feed).has_missing() && !Shape::of(&json!([{"a": []}])).has_missing());
    }

    #[test]
    fn a_key_that_may_be_missing_need_not_have_been_there() {
        let recorded = Shape::of(&json!({"alert": {"of": 1}, "all": [{"of": 2}]}));
        let answered =
            Shape::of(&json!({"alert": {"of": 1, "mark": "m"}, "all": [{"of": 2, "mark": "n"}]}));
        assert!(!recorded.fits(&answered));
        assert!(recorded.fits(&answered.clone().with_missing("mark")));
        for other in ["ark", "of", "alert.mark"] {
            assert!(!recorded.fits(&answered.clone().with_missing(other)), "{other}");
        }
        // What is there on both sides is compared.
        let other = Shape::of(&json!({"alert": {"of": 1, "mark": 1}}));
        assert!(!other.fits(&answered.with_missing("mark")));
    }

    #[test]
    fn which_bodies_have_a_shape_is_one_rule() {
        let of = |status, content_type, body: &str| {
            Shape::of_body(status, content_type, Some(body.as_bytes()))
        };
        let object = Some(Shape::of(&json!({"a": 1})));
        for content_type in ["application/json", "Application/Problem+JSON", "text/plain", ""] {
            assert_eq!(of(200, content_type, r#"{"a":2}"#), object, "{content_type}");
        }
        assert_eq!(of(500, "application/json", r#"{"a":2}"#), object);
        assert_eq!(of(200, "application/json", "42"), Some(Shape::of(&json!(1))));
        for (status, content_type, body) in [
            (200, "text/plain", "42"),
            (200, "", "null"),
            (200, "text/html", r#"{"a":2}"#),
            (200, "application/json", ""),
            (200, "application/json", r#"{"a":"#),
            (204, "application/json", r#"{"a":2}"#),
            (304, "application/json", r#"{"a":2}"#),
        ] {
            assert_eq!(of(status, content_type, body), None, "{status} {content_type} {body}");
        }
        assert_eq!(Shape::of_body(304, "application/json", None), None);
        assert_eq!(Shape::of_body(200, "text/html", None), None);
    }

    #[test]
    fn what_was_not_looked_into_agrees_with_all_and_else_a_shape_with_none_does_not() {
        let unseen = Shape::of_body(200, "application/json", None);
        assert!(unseen.is_some());
        let object = Some(Shape::of(&json!({"a": [{"b": 1}]})));
        for other in [&unseen, &object, &None] {
            assert!(Shape::agree(unseen.as_ref(), other.as_ref()));
            assert!(Shape::agree(other.as_ref(), unseen.as_ref()));
            assert!(Shape::agree(other.as_ref(), other.as_ref()));
        }
        assert!(!Shape::agree(object.as_ref(), None));
        assert!(!Shape::agree(None, object.as_ref()));
    }

    /// Names of a few KiB in which many others stand would make gigabytes of paths, and be compared
    /// for each item of a list.
    #[test]
    fn what_would_take_much_memory_or_time_has_a_shape_that_agrees_with_all() {
        let names = |count: usize| -> Value {
            (0..count).map(|number| (format!("k{number}"), json!(1))).collect::<Map<_, _>>().into()
        };
        assert_ne!(Shape::of(&names(50_000)), Shape::any());
        assert_eq!(Shape::of(&names(100_000)), Shape::any());
        let long = "x".repeat(super::LONGEST_PATH);
        assert_ne!(Shape::of(&json!({ &long[1..]: [] })), Shape::any());
        let items = vec![json!({"a": 1}); 1_000_000];
        assert_eq!(Shape::of(&json!({ &long[1..]: items })), Shape::any());
        assert_eq!(Shape::of(&json!({ &long[100..]: names(2000) })), Shape::any());
    }

    #[test]
    fn it_survives_being_written_down() {
        let shape = Shape::of(&json!({"a": [{"b": null}, {"b": true}], "c": {}}));
        let text = serde_json::to_string(&shape).unwrap();
        assert_eq!(serde_json::from_str::<Shape>(&text).unwrap(), shape);
    }
}
