//! Fields of HTML forms, as captures from pages mean them.

use std::borrow::Cow;

/// Name and value of each tag that has both, such as a hidden `<input>`, in the page's order.
pub fn fields(page: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    page.split('<').skip(1).filter_map(|tag| {
        let tag = tag.split_once('>').map_or(tag, |(tag, _)| tag);
        Some((attribute(tag, "name")?, attribute(tag, "value")?))
    })
}

fn attribute<'a>(tag: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    let mut rest = tag;
    while let Some(position) = rest.find('=') {
        let name = rest[..position].trim_end().rsplit([' ', '\t', '\n', '\r', '"', '\'']).next()?;
        let value = rest[position + 1..].trim_start();
        let (value, after) = match value.chars().next()? {
            quote @ ('"' | '\'') => value[1..].split_once(quote)?,
            _ => value.split_once([' ', '\t', '\n', '\r', '/']).unwrap_or((value, "")),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(unescape(value));
        }
        rest = after;
    }
    None
}

/// The five entities that a value must use, and nothing else.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return text.into();
    }
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    plain.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_and_values() {
        let page =
            r#"<form><input type=hidden value='a&amp;b' name="csrf"><input name=x value=1></form>"#;
        let found: Vec<_> = fields(page).collect();
        assert_eq!(found, [("csrf".into(), "a&b".into()), ("x".into(), "1".into())]);
        assert_eq!(fields("<a name=x><b value=").count(), 0);
    }
}
