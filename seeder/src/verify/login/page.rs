//! What a login page has in its form.

use std::collections::BTreeMap;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{HtmlString, Token, Tokenizer};

/// Of the form that asks for a password; where none does, of the whole page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// Hidden fields and their values.
    pub(super) hidden: BTreeMap<String, String>,
    pub(super) asks_for_password: bool,
}

/// As browsers tokenize it. A script that makes its form is not run.
pub(super) fn form(page: &str) -> Form {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let text = |text: &HtmlString| String::from_utf8_lossy(text).into_owned();
    // One a `<form>`, the first what stands in none.
    let mut forms = vec![Form::default()];
    for token in Tokenizer::new_with_emitter(page, emitter) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        if &**tag.name == b"form" {
            forms.push(Form::default());
        }
        if &**tag.name != b"input" {
            continue;
        }
        let attribute = |name: &str| {
            let found = tag.attributes.iter().find(|(known, _)| ***known == *name.as_bytes());
            found.map(|(_, value)| text(&value.value))
        };
        let kind = attribute("type").unwrap_or_default().to_ascii_lowercase();
        let Some(form) = forms.last_mut() else { continue };
        form.asks_for_password |= kind == "password";
        if let (true, Some(name)) = (kind == "hidden", attribute("name")) {
            form.hidden.insert(name, attribute("value").unwrap_or_default());
        }
    }
    match forms.iter().position(|form| form.asks_for_password) {
        Some(place) => forms.swap_remove(place),
        None => {
            let hidden = forms.into_iter().flat_map(|form| form.hidden).collect();
            Form { hidden, asks_for_password: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_asks_for_a_password_gives_its_hidden_fields() {
        let page = "<form action=/search><input type=hidden name=csrf value=search></form>
            <script>'<input type=hidden name=x value=y>'</script>
            <form method=post><INPUT TYPE='hidden' name='csrf' value='a&amp;b'>
            <input name=login><input type=password name=pw></form>
            <form><input type=hidden name=csrf value=last></form>";
        let found = form(page);
        assert!(found.asks_for_password);
        assert_eq!(found.hidden, BTreeMap::from([("csrf".to_owned(), "a&b".to_owned())]));
        let none = form("<input type=hidden name=t value=1><p>");
        assert_eq!((none.asks_for_password, none.hidden.len()), (false, 1));
    }
}
