//! What captures from HTML pages mean: fields of forms, `<meta>`, and parts of attributes.
//!
//! The recorder and the replayer ask here, so that both see the same in a page. It is tokenized as
//! browsers do; no tree is built.

use std::collections::{BTreeMap, HashSet};

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{HtmlString, Token, Tokenizer};

use super::format::AttributePart;

/// Attributes of a start tag, by their names.
pub struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Names and values.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Name and value of a tag that has both, such as a hidden `<input>`.
    pub fn field(&self) -> Option<(&str, &str)> {
        Some((self.get("name")?, self.get("value")?))
    }

    /// Name and content of a `<meta>`.
    pub fn meta(&self) -> Option<(&str, &str)> {
        if self.name != "meta" {
            return None;
        }
        Some((self.get("name").or_else(|| self.get("property"))?, self.get("content")?))
    }
}

/// The start tags of a page in its order. What stands in a script is not looked into.
pub fn tags(page: &str) -> impl Iterator<Item = Tag> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let text = |text: &HtmlString| String::from_utf8_lossy(text).into_owned();
    Tokenizer::new_with_emitter(page, emitter).filter_map(move |token| {
        let Ok(Token::StartTag(tag)) = token else { return None };
        let attributes = tag.attributes.iter();
        let attributes = attributes.map(|(name, value)| (text(name), text(&value.value)));
        Some(Tag { name: text(&tag.name), attributes: attributes.collect() })
    })
}

/// A URL without its scheme and host: what a link of another host's test system has in common
/// with that of this one.
pub fn local(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return url;
    }
    rest.find('/').map_or("/", |slash| &rest[slash..])
}

/// What a value of the attribute has at the place of this part.
fn between<'a>(value: &'a str, part: &AttributePart) -> Option<&'a str> {
    let rest = local(value).strip_prefix(part.before.as_str())?;
    let end = rest.find(ENDS_PART).unwrap_or(rest.len());
    let (middle, rest) = rest.split_at(end);
    let rest = rest.strip_prefix(part.after.as_str())?;
    if part.digits && !middle.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    (!middle.is_empty() && (rest.is_empty() || rest.starts_with(['?', '#']))).then_some(middle)
}

/// What ends a part of an attribute.
pub const ENDS_PART: [char; 6] = ['/', '?', '#', '&', '=', ';'];

/// The different values that a page has at the place of this part, in its order.
pub fn parts(page: &str, part: &AttributePart) -> Vec<String> {
    let mut seen = HashSet::new();
    let values = tags(page).filter_map(|tag| {
        let value = tag.get(&part.name).and_then(|value| between(value, part))?;
        seen.insert(value.to_owned()).then(|| value.to_owned())
    });
    values.collect()
}

/// The value of the form field `name`: of the first tag with that name and a value.
pub fn field(page: &str, name: &str) -> Option<String> {
    tags(page).find_map(|tag| {
        let (found, value) = tag.field()?;
        (found == name).then(|| value.to_owned())
    })
}

/// What the first `<meta>` of this name or property says.
pub fn meta(page: &str, name: &str) -> Option<String> {
    tags(page).find_map(|tag| {
        let (found, content) = tag.meta()?;
        (found == name).then(|| content.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_and_values() {
        let page = r#"<form><input type=hidden value='a&amp;b' name="csrf"><input name=x value=1>
            </form><meta name="token" content=t><meta property=og:id content=7>
            <script>"<input name=y value=2>"</script><!-- <input name=z value=3> -->"#;
        assert_eq!(field(page, "csrf").as_deref(), Some("a&b"));
        assert_eq!(field(page, "x").as_deref(), Some("1"));
        assert_eq!((field(page, "y"), field(page, "z")), (None, None));
        assert_eq!(meta(page, "token").as_deref(), Some("t"));
        assert_eq!(meta(page, "og:id").as_deref(), Some("7"));
        assert_eq!(
            tags("<a name=x><b value=").filter_map(|tag| tag.field().map(|_| ())).count(),
            0
        );
    }

    #[test]
    fn parts_of_attributes_are_told_apart_by_what_is_around_them() {
        let page = r#"<a href="/note/2/"><a HREF='/note/2/change/'><a href=/note/3/><a href="/note/2/?x">
            <a href="https://h:1/note/4/#top"><a href="/about/"><li data-id=17>"#;
        let part = |name: &str, before: &str, after: &str| AttributePart {
            name: name.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            digits: name == "x",
            index: 0,
            length: 1,
        };
        assert_eq!(parts(page, &part("href", "/note/", "/")), ["2", "3", "4"]);
        assert_eq!(parts(page, &part("href", "/note/", "/change/")), ["2"]);
        assert_eq!(parts(page, &part("data-id", "", "")), ["17"]);
        assert!(parts(page, &part("src", "", "")).is_empty());
    }
}
