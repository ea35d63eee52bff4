//! Forms and queries: names and values with `&` or `;` between them.

use crate::names::Name;
use crate::place::{Reader, Within};
use crate::value::{are_words, looks_like_code};
use crate::view::{Escapes, View};

pub(super) fn is_said_to_be(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Whether a text is a form by its looks: a name, `=`, and no space anywhere.
pub(super) fn looks_like(text: &str) -> bool {
    let text = text.trim_end_matches(['\r', '\n']);
    let Some((name, _)) = text.split_once('=') else { return false };
    let is_name =
        |b: u8| b.is_ascii_alphanumeric() || b"_-.%[]+~$!*@".contains(&b) || !b.is_ascii();
    !name.is_empty()
        && name.bytes().all(is_name)
        // What ends with it is base64.
        && text.trim_end_matches('=').contains('=')
        && !text.bytes().any(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'<' | b'{'))
}

impl Reader<'_> {
    pub(crate) fn form(&mut self, view: &View<'_>, within: Within) {
        let end = view.text.trim_end_matches(['\r', '\n']).len();
        self.pairs(&view.part(0..end), Escapes::Form, within);
    }

    /// Pairs that are written with these escapes.
    pub(crate) fn pairs(&mut self, view: &View<'_>, escapes: Escapes, within: Within) {
        let text = &*view.text;
        let mut speaks_oauth = within.oauth;
        let mut open = Vec::new();
        let mut at = 0;
        for pair in split(text) {
            let start = at;
            at += pair.len() + 1;
            let Some((name, value)) = pair.split_once('=') else { continue };
            let place = self.places.len();
            let value = view.part(start + pair.len() - value.len()..start + pair.len());
            let name = View::of(name).without(escapes).text.into_owned();
            self.value(&name, &value.without(escapes), within);
            speaks_oauth |= Name::of(&name).is_of_oauth;
            if self.is_open(&name) {
                open.push(place);
            }
        }
        // Both of them come back from a login elsewhere, neither of them a word.
        let is = |place: &usize, name: &str| self.places[*place].name.eq_ignore_ascii_case(name);
        let has = |name: &str, looks: fn(&str) -> bool| {
            open.iter().any(|place| is(place, name) && looks(&self.places[*place].value))
        };
        if speaks_oauth || has("code", looks_like_code) && has("state", |state| !are_words(state)) {
            self.are_secret(&open);
        }
    }
}

/// The pairs: at `&`, and at `;` where a name and `=` follow.
fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split('&').flat_map(|pair| {
        let mut starts = vec![0];
        if pair.contains(';') {
            let ends = pair.match_indices(';').map(|(at, _)| at + 1);
            starts.extend(ends.filter(|at| {
                let next = pair[*at..].split(';').next().unwrap_or_default();
                next.split_once('=').is_some_and(|(name, _)| !name.trim().is_empty())
            }));
        }
        let ends: Vec<usize> =
            starts[1..].iter().map(|start| start - 1).chain([pair.len()]).collect();
        let pairs: Vec<_> =
            starts.into_iter().zip(ends).map(|(start, end)| &pair[start..end]).collect();
        pairs
    })
}

#[cfg(test)]
mod tests {
    use crate::names::Names;
    use crate::place::Place;

    use super::super::of_body;

    fn places(body: &[u8], content_type: &str) -> Vec<Place> {
        of_body(body, content_type, "/", &Names::default())
    }

    fn secrets(body: &str) -> Vec<&str> {
        let secret = places(body.as_bytes(), "text/plain").into_iter().filter(Place::is_secret);
        secret.map(|place| &body[place.range]).collect()
    }

    #[test]
    fn a_form_has_its_fields() {
        let found = places(b"a+b=c+d%26&x", "application/x-www-form-urlencoded");
        let found: Vec<_> = found.into_iter().map(|p| (p.name, p.value, p.range)).collect();
        assert_eq!(found, [("a b".to_owned(), "c d&".to_owned(), 4..10)]);
    }

    #[test]
    fn a_form_is_known_by_its_looks() {
        assert_eq!(secrets("user=ann&pass=hunter2&x=1"), ["hunter2"]);
        assert_eq!(secrets("user=ann;password=hunter2;x=1"), ["hunter2"]);
        assert_eq!(secrets("user%5Bpassword%5D=hun%26ter2\r\n"), ["hun%26ter2"]);
        assert_eq!(secrets("next=%2Fcb%3Ftoken%3Dhunter2%26x%3D1"), ["hunter2"]);
        assert_eq!(secrets("json=%7B%22password%22%3A%22hunter2%22%7D"), ["hunter2"]);
        assert_eq!(secrets("code=A1b2C3d4E5&state=xyz1"), ["A1b2C3d4E5", "xyz1"]);
        assert_eq!(secrets("code=NORTH&state=open"), [""; 0]);
        assert_eq!(secrets("code=E42&state=open"), [""; 0]);
        assert_eq!(secrets("code=A1b2C3d4E5&state=open"), [""; 0]);
    }

    #[test]
    fn a_byte_that_is_no_utf_8_hides_nothing() {
        let body = b"name=M\xfcller&password=hunter2";
        let found = places(body, "application/x-www-form-urlencoded");
        let secret = found.iter().find(|place| place.is_secret()).unwrap();
        assert_eq!(&body[secret.range.clone()], b"hunter2");
    }
}
