//! JSON, and what is sent for it: with a byte order mark or a guard before it, a comma too many,
//! several texts in one, keys without quotes.

use std::ops::Range;

use crate::names::Name;
use crate::place::{Reader, Verdict, Within};
use crate::view::{Escapes, View};

/// What stands before the JSON so that no script can read it.
const GUARDS: [&str; 4] = [")]}'", "while(1);", "for(;;);", "{}&&"];

/// An object or a list that is open.
#[derive(Default)]
struct Level {
    is_object: bool,
    /// Of the object or list itself.
    name: String,
    within: Within,
    /// Places that are secret if OAuth is spoken in this object.
    open: Vec<usize>,
    speaks_oauth: bool,
    /// What the object says that its value is called, and the places of that value.
    called: Option<String>,
    values: Vec<usize>,
}

/// Keys of an object that says how a value is called, and of the value.
const CALLED: [&str; 6] = ["name", "key", "field", "param", "header", "id"];
const VALUES: [&str; 5] = ["value", "val", "content", "data", "text"];

/// What came last.
#[derive(PartialEq)]
enum Last {
    Nothing,
    Key,
    Value,
}

pub(crate) fn may_begin(text: &str) -> bool {
    matches!(text.as_bytes().get(start(text)), Some(b'{' | b'[' | b'"'))
}

/// Where the JSON begins.
fn start(text: &str) -> usize {
    let mut rest = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    for guard in GUARDS {
        rest = rest.strip_prefix(guard).unwrap_or(rest);
    }
    text.len() - rest.trim_start().len()
}

impl Reader<'_> {
    /// Says whether it is JSON to its end. If it is not, only what is secret has a place.
    pub(crate) fn json(&mut self, view: &View<'_>, within: Within) -> bool {
        let before = self.places.len();
        let is_json = self.json_values(view, within);
        if !is_json {
            self.keep_secret_from(before);
        }
        is_json
    }

    fn json_values(&mut self, view: &View<'_>, within: Within) -> bool {
        let text = &*view.text;
        let bytes = text.as_bytes();
        let mut levels: Vec<Level> = Vec::new();
        let mut name = String::new();
        let mut last = Last::Nothing;
        let mut at = start(text);
        while let Some(&byte) = bytes.get(at) {
            let inner = levels.last().map_or(within, |level| level.within);
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                // `;` where it ends a statement.
                b',' | b';' => {
                    last = Last::Nothing;
                    at += 1;
                }
                b'{' | b'[' => {
                    if last == Last::Value && !levels.is_empty() {
                        return false;
                    }
                    let within = self.under(&name, inner);
                    let speaks_oauth = within.oauth;
                    let (is_object, name) = (byte == b'{', name.clone());
                    levels.push(Level {
                        is_object,
                        name,
                        within,
                        speaks_oauth,
                        ..Level::default()
                    });
                    last = Last::Nothing;
                    at += 1;
                }
                b'}' | b']' => {
                    let Some(level) = levels.pop() else { return false };
                    if level.is_object != (byte == b'}') {
                        return false;
                    }
                    if level.speaks_oauth {
                        self.are_secret(&level.open);
                    }
                    // `{"name": "password", "value": …}`
                    if let Some(called) = &level.called {
                        self.judge_anew(&level.values, called);
                    }
                    // Of what comes next in a list.
                    name = levels
                        .last()
                        .filter(|outer| !outer.is_object)
                        .map_or_else(String::new, |outer| outer.name.clone());
                    last = Last::Value;
                    at += 1;
                }
                b'"' => {
                    let Some(end) = string_end(bytes, at) else { return false };
                    let range = at + 1..end;
                    at = end + 1;
                    if let Some(colon) = colon(bytes, at).filter(|_| is_key(&levels, &last)) {
                        name = self.json_key(view, range, levels.last_mut());
                        at = colon + 1;
                        last = Last::Key;
                        continue;
                    }
                    if last == Last::Value && !levels.is_empty() {
                        return false;
                    }
                    let value = view.part(range);
                    self.json_value(
                        &name,
                        &value.without(Escapes::Json),
                        levels.last_mut(),
                        within,
                        true,
                    );
                    last = Last::Value;
                }
                b'-' | b'+' | b'.' | b'_' | b'$' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    let is_end = |b: &u8| !b.is_ascii_alphanumeric() && !b"-+._$".contains(b);
                    let length = bytes[at..].iter().position(is_end);
                    let end = length.map_or(bytes.len(), |length| at + length);
                    let range = at..end;
                    at = end;
                    if let Some(colon) = colon(bytes, at).filter(|_| is_key(&levels, &last)) {
                        name = self.json_key(view, range, levels.last_mut());
                        at = colon + 1;
                        last = Last::Key;
                        continue;
                    }
                    // Outside of everything it is a text that only begins like JSON.
                    if last == Last::Value || levels.is_empty() {
                        return false;
                    }
                    self.json_value(&name, &view.part(range), levels.last_mut(), within, false);
                    last = Last::Value;
                }
                _ => return false,
            }
        }
        levels.is_empty()
    }

    fn json_key(
        &mut self,
        view: &View<'_>,
        range: Range<usize>,
        level: Option<&mut Level>,
    ) -> String {
        let part = view.part(range);
        let key = part.without(Escapes::Json);
        if let Some(level) = level {
            level.speaks_oauth |= Name::of(&key.text).is_of_oauth;
            if level.within.is_secret_key(&key.text) {
                let within = Within { depth: level.within.depth.max(1), ..level.within };
                self.take(&level.name, &key, Verdict::Secret, within);
            }
        }
        key.text.into_owned()
    }

    fn json_value(
        &mut self,
        name: &str,
        value: &View<'_>,
        level: Option<&mut Level>,
        within: Within,
        is_string: bool,
    ) {
        let place = self.places.len();
        let inner = level.as_ref().map_or(within, |level| level.within);
        if is_string {
            self.value(name, value, inner);
        } else {
            self.literal(name, value, inner);
        }
        let Some(level) = level.filter(|level| level.is_object) else { return };
        if self.is_open(name) {
            level.open.push(place);
        }
        if is_string && CALLED.contains(&name) {
            level.called.get_or_insert_with(|| value.text.to_string());
        } else if VALUES.contains(&name) {
            level.values.push(place);
        }
    }
}

/// Whether a key may stand here.
fn is_key(levels: &[Level], last: &Last) -> bool {
    *last == Last::Nothing && levels.last().is_some_and(|level| level.is_object)
}

/// The position of the colon that comes next.
fn colon(bytes: &[u8], at: usize) -> Option<usize> {
    let next = bytes[at..].iter().position(|b| !b.is_ascii_whitespace())?;
    (bytes[at + next] == b':').then_some(at + next)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::names::Names;
    use crate::place::Place;

    use super::super::of_body;

    fn places(text: &str) -> Vec<Place> {
        of_body(text.as_bytes(), "", "/", &Names::default())
    }

    fn top(text: &str) -> Vec<(String, String)> {
        let top = places(text).into_iter().filter(|place| !place.is_nested);
        top.map(|place| (place.name, place.value)).collect()
    }

    fn secrets(text: &str) -> Vec<String> {
        let secret = places(text).into_iter().filter(Place::is_secret);
        secret.map(|place| text[place.range].to_owned()).collect()
    }

    #[test]
    fn leaves_have_the_name_that_they_stand_under() {
        let text = r#" {"a": {"b": [1, "x\"y", {"c": null}, true]}, "d\u0065": -2.5e3} "#;
        let expected = [("b", "1"), ("b", "x\"y"), ("c", "null"), ("b", "true"), ("de", "-2.5e3")];
        assert_eq!(top(text), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn json_that_is_not_quite_json_is_read_all_the_same() {
        for text in [
            "\u{feff}{\"password\":\"hunter2\"}",
            ")]}',\n{\"password\":\"hunter2\"}",
            "{\"password\":\"hunter2\",}",
            "{\"password\":\"hunter2\"};",
            "{\"a\":\"\\ud800\",\"password\":\"hunter2\"}",
            "{password: \"hunter2\"}",
            "{'password': 'hunter2'}",
            "{\"a\":1}\n{\"password\":\"hunter2\"}\n",
            "{\"a\":{\"password\":\"hunter2\"",
            "{\"passwords\":[{\"x\":\"hunter2\"}]}",
            "[[\"password\",1],{\"password\" : \"hunter2\"}]",
            "{\"a\" \"b\" {\"password\":\"hunter2\"}",
            "[{\"name\":\"password\",\"value\":\"hunter2\"}]",
            "[{\"name\":\"hmac\",\"value\":\"hunter2\"}]",
            "[{\"value\":\"hunter2\",\"key\":\"password\"},{\"key\":\"x\",\"value\":\"y\"}]",
        ] {
            assert_eq!(secrets(text), ["hunter2"], "{text}");
        }
    }

    #[test]
    fn json_in_strings_is_read_too() {
        let inner = json!({"password": "hun\"ter2"}).to_string();
        let text = json!({"body": json!({"x": inner}).to_string()}).to_string();
        assert_eq!(secrets(&text), [r#"hun\\\\\\\"ter2"#]);
        assert_eq!(
            secrets(r#"{"q":"mutation { login(password: \"hunter2\", pin: 4711) }"}"#),
            ["hunter2", "4711"]
        );
    }

    #[test]
    fn code_and_state_are_secret_where_oauth_is_spoken() {
        assert_eq!(secrets(r#"{"code":"NORTH","state":"open","key":"PROJ-1"}"#), [""; 0]);
        let text = r#"{"code":"a1b2","grant_type":"authorization_code","state":"xyz"}"#;
        assert_eq!(secrets(text), ["a1b2", "xyz"]);
    }

    #[test]
    fn below_a_name_that_is_secret_as_a_whole_what_looks_like_a_secret_is_one() {
        let text = r#"{"pass":{"kind":"free","is":{"text":"Zq7!aB3#xY9"},"id":17}}"#;
        assert_eq!(secrets(text), ["Zq7!aB3#xY9"]);
        assert_eq!(secrets(r#"{"pin":{"k9x2m4q7z1":true,"side":1}}"#), ["k9x2m4q7z1"]);
        assert_eq!(secrets(r#"{"key":{"id":"k9x2m4q7z1"},"pin":{"side":"left"}}"#), [""; 0]);
    }

    #[test]
    fn a_card_is_known_by_its_number_and_by_what_it_stands_under() {
        assert_eq!(
            secrets(r#"{"card":{"number":"4111111111111111","brand":"x"}}"#),
            ["4111111111111111"]
        );
        assert_eq!(secrets(r#"{"pan":4111111111111111}"#), ["4111111111111111"]);
        assert_eq!(secrets(r#"{"order":"4111111111111111","card":"4111111111111112"}"#), [""; 0]);
    }

    #[test]
    fn what_is_harmless_stays() {
        for text in [
            r#"{"token_type":"bearer","expires_in":3600,"max_tokens":4096,"secret":null,"password":true}"#,
            r#"{"pin":"left","key":"status","auth":"basic","state":"CA","code":"E42","pass":false}"#,
            r#"{"note":"the passenger: 3, page=2; side: left","url":"https://a.b/c?page=2#x"}"#,
        ] {
            assert_eq!(secrets(text), [""; 0], "{text}");
        }
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
            let value = json!([value]);
            let text = match pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            let leaves: Vec<_> = places(&text).into_iter().filter(|place| !place.is_nested).collect();
            prop_assert_eq!(leaves.len(), count(&value));
            for leaf in leaves {
                let written = &text[leaf.range.clone()];
                let is_string = text[..leaf.range.start].ends_with('"');
                if is_string {
                    let read: String = serde_json::from_str(&format!("\"{written}\"")).unwrap();
                    prop_assert_eq!(read, leaf.value);
                } else {
                    prop_assert_eq!(written, leaf.value);
                }
            }
        }
    }
}
