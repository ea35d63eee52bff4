//! Takes a value out of an answer.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use trace::format::ListStep;
use trace::html;

use crate::prepare::CaptureFrom;

/// What was found.
#[derive(PartialEq, Eq)]
pub enum Extracted {
    /// At the recorded place.
    Found(String),
    /// A list on the way was shorter than recorded, so that the index was
    /// taken modulo its length.
    Rebound(String),
    Nothing,
}

/// Without the value, which may be a token.
impl fmt::Debug for Extracted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Found(_) => "Found(…)",
            Self::Rebound(_) => "Rebound(…)",
            Self::Nothing => "Nothing",
        })
    }
}

/// The value at a JSON pointer, as text: strings unescaped, numbers and booleans as written.
///
/// Only the way to the value is looked at; no tree of the document is built.
/// Through a list that is shorter than recorded the index is taken modulo its
/// length; through an empty one there is nothing.
pub fn extract_json(body: &[u8], tokens: &[String], lists: &[ListStep]) -> Extracted {
    let mut indices: Vec<Option<usize>> = tokens.iter().map(|token| index_of(token)).collect();
    let mut rebound = false;
    // Each round finds one more list that is too short, so there are at most as many as lists.
    for _ in 0..=lists.len() {
        let mut reached = Reached::Nothing;
        let walk = Walk { tokens, indices: &indices, at: 0, reached: &mut reached };
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        if walk.deserialize(&mut deserializer).is_err() {
            return Extracted::Nothing;
        }
        match reached {
            Reached::Found(text) if rebound => return Extracted::Rebound(text),
            Reached::Found(text) => return Extracted::Found(text),
            Reached::Short { token, length } => {
                let Some(index) = indices[token].filter(|_| length > 0) else { break };
                if !lists.iter().any(|list| list.token == token) {
                    break;
                }
                indices[token] = Some(index % length);
                rebound = true;
            }
            Reached::Nothing => break,
        }
    }
    Extracted::Nothing
}

/// RFC 6901, section 4: digits without a leading zero.
fn index_of(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    token.parse().ok().filter(|_| canonical && !token.starts_with('+'))
}

/// Where a walk through the document ended.
enum Reached {
    Found(String),
    /// The list at this token has too few items.
    Short {
        token: usize,
        length: usize,
    },
    Nothing,
}

struct Walk<'a> {
    tokens: &'a [String],
    indices: &'a [Option<usize>],
    at: usize,
    reached: &'a mut Reached,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_> {
    fn leaf<E>(self, text: impl fmt::Display) -> Result<(), E> {
        if self.at == self.tokens.len() {
            *self.reached = Reached::Found(text.to_string());
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.leaf(value)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.tokens.get(self.at).is_some_and(|token| *token == key) {
                map.next_value_seed(Walk {
                    tokens: self.tokens,
                    indices: self.indices,
                    at: self.at + 1,
                    reached: self.reached,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let wanted = self.indices.get(self.at).copied().flatten();
        let mut length = 0;
        loop {
            let more = if wanted == Some(length) {
                seq.next_element_seed(Walk {
                    tokens: self.tokens,
                    indices: self.indices,
                    at: self.at + 1,
                    reached: self.reached,
                })?
            } else {
                seq.next_element::<IgnoredAny>()?.map(drop)
            };
            if more.is_none() {
                break;
            }
            length = length.checked_add(1).ok_or_else(|| A::Error::custom("list too long"))?;
        }
        if wanted.is_some_and(|wanted| wanted >= length) {
            *self.reached = Reached::Short { token: self.at, length };
        }
        Ok(())
    }
}

/// What a capture takes from a page or another text; nothing for those from elsewhere.
///
/// Of a part of attributes that the page has fewer of than were recorded, the index is taken modulo
/// their number.
pub fn extract_text(text: &str, from: &CaptureFrom) -> Extracted {
    let value = match from {
        CaptureFrom::Form(name) => html::field(text, name),
        CaptureFrom::Meta(name) => html::meta(text, name),
        CaptureFrom::Attribute(part) => {
            let mut values = html::parts(text, part);
            if part.index >= values.len() && !values.is_empty() {
                return Extracted::Rebound(values.swap_remove(part.index % values.len()));
            }
            (part.index < values.len()).then(|| values.swap_remove(part.index))
        }
        CaptureFrom::Text { before, after } => {
            trace::text::between(text, before, after).map(str::to_owned)
        }
        CaptureFrom::Json { .. }
        | CaptureFrom::Header(_)
        | CaptureFrom::HeaderSegment { .. }
        | CaptureFrom::Cookie(_) => None,
    };
    value.map_or(Extracted::Nothing, Extracted::Found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trace::format::AttributePart;

    fn json(body: &str, pointer: &str, list_tokens: &[usize]) -> Extracted {
        let tokens = trace::pointer::tokens(pointer).unwrap();
        let lists: Vec<ListStep> =
            list_tokens.iter().map(|&token| ListStep { token, index: 0, length: 100 }).collect();
        extract_json(body.as_bytes(), &tokens, &lists)
    }

    fn found(text: &str) -> Extracted {
        Extracted::Found(text.to_owned())
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?}", [found("hunter2"), Extracted::Rebound("hunter2".to_owned())]);
        assert_eq!(shown, "[Found(…), Rebound(…)]");
    }

    #[test]
    fn values_are_found_by_pointer() {
        let body = r#"{"a":{"b/c":[1,{"d":"x\"y"}],"n":-2.5},"t":true,"0":"key"}"#;
        assert_eq!(json(body, "/a/b~1c/1/d", &[]), found("x\"y"));
        assert_eq!(json(body, "/a/n", &[]), found("-2.5"));
        assert_eq!(json(body, "/t", &[]), found("true"));
        assert_eq!(json(body, "/0", &[]), found("key"));
        assert_eq!(json("\"whole\"", "", &[]), found("whole"));
        for pointer in ["/a", "/a/b~1c/7", "/x", "/t/x"] {
            assert_eq!(json(body, pointer, &[]), Extracted::Nothing, "{pointer}");
        }
        assert_eq!(json("{\"a\":", "/a", &[]), Extracted::Nothing);
    }

    #[test]
    fn a_shorter_list_takes_the_index_modulo_its_length() {
        let body = r#"[{"id":"a","l":[1]},{"id":"b","l":[1,2]}]"#;
        assert_eq!(json(body, "/5/id", &[0]), Extracted::Rebound("b".to_owned()));
        assert_eq!(json(body, "/5/l/3", &[0, 2]), Extracted::Rebound("2".to_owned()));
        assert_eq!(json(body, "/1/id", &[0]), found("b"));
        assert_eq!(json("[]", "/0/id", &[0]), Extracted::Nothing);
    }

    #[test]
    fn form_fields_are_found_by_name() {
        let page =
            r#"<form><input type=hidden value='a&amp;b' name="csrf"><input name=x value=1></form>"#;
        let form = |name: &str| extract_text(page, &CaptureFrom::Form(name.to_owned()));
        assert_eq!(form("csrf"), found("a&b"));
        assert_eq!(form("x"), found("1"));
        assert_eq!(form("y"), Extracted::Nothing);
    }

    #[test]
    fn of_links_that_are_fewer_another_is_taken() {
        let part = |index| {
            let [name, before, after] = ["href", "/note/", "/"].map(str::to_owned);
            let digits = true;
            CaptureFrom::Attribute(AttributePart { name, before, after, digits, index, length: 9 })
        };
        let page = "<a href=/note/add/><a href=/note/4/><a href='/note/7/?x'>";
        assert_eq!(extract_text(page, &part(1)), found("7"));
        assert_eq!(extract_text(page, &part(5)), Extracted::Rebound("7".to_owned()));
        assert_eq!(extract_text("<p>", &part(5)), Extracted::Nothing);
        let between = |before: &str| {
            let (before, after) = (before.to_owned(), ";".to_owned());
            extract_text("id=5;x=6;", &CaptureFrom::Text { before, after })
        };
        assert_eq!((between("x="), between("y=")), (found("6"), Extracted::Nothing));
    }
}
