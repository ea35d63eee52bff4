//! What of a rendered request may be stored: what a persona wrote itself, or took from an answer
//! under a harmless name, may be a secret all the same.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use redact::{Known, Names, Place, Redactor, body};
use trace::format::{Binding, Part};

use super::render::{self, RenderContext, RenderError, Rendered};
use super::script::Step;
use crate::edits::{self, Edit};

/// Renders a step, as [`render::render`] does, of which nothing secret is stored.
pub(super) fn render(
    step: &Step,
    values: &RenderContext<'_>,
    fresh: &mut ChaCha8Rng,
) -> Result<Rendered, RenderError> {
    let mut rendered = render::render(step, values, fresh)?;
    clean(&mut rendered, values);
    Ok(rendered)
}

/// Leaves out of what is stored whatever is secret and is not left out yet.
pub(super) fn clean(rendered: &mut Rendered, values: &RenderContext<'_>) {
    let mut known = Known::of(values.account);
    for captured in values.login.values().chain(values.task.values()) {
        if captured.secret {
            known.add(captured.text.as_str().into());
        }
    }
    let names = Names::default();
    let cleaner = Cleaner { redactor: Redactor { names: &names, known: &known } };
    let bind = &mut rendered.bind;
    let path = &mut rendered.path.stored;
    let places = body::of_path(path, &names);
    cleaner.part(Part::Path, path, places, bind);
    for (index, (name, value)) in rendered.headers.iter_mut().enumerate() {
        let places = body::of_header(name, &value.stored, &names);
        cleaner.part(Part::Header(index), &mut value.stored, places, bind);
    }
    if let Some(written) = &mut rendered.body {
        let path = &rendered.path.stored;
        let places = body::of_body(written.stored.as_bytes(), "application/json", path, &names);
        cleaner.part(Part::Body, &mut written.stored, places, bind);
    }
}

struct Cleaner<'a> {
    redactor: Redactor<'a>,
}

impl Cleaner<'_> {
    fn part(&self, part: Part, stored: &mut String, places: Vec<Place>, bind: &mut Vec<Binding>) {
        let places = places.into_iter().filter(Place::is_secret);
        let named = places.map(|place| (place.range, place.name, place.encode));
        let found = self.redactor.find(stored.as_bytes()).into_iter();
        let found = found.map(|found| (found.range, "secret".to_owned(), found.encode));
        let secret: Vec<_> = named.chain(found).collect();
        if secret.is_empty() {
            return;
        }
        let (bound, others) = std::mem::take(bind).into_iter().partition(|b| b.part == part);
        *bind = others;
        let bound: Vec<Binding> = bound;
        let mut edits: Vec<Edit> = bound.into_iter().map(edit).collect();
        for (range, name, encode) in secret {
            let of: Vec<_> = edits.iter_mut().filter(|edit| touch(&edit.range, &range)).collect();
            if of.is_empty() {
                let from = edits::slot(&name);
                let encode = encode.unwrap_or_default();
                edits.push(Edit { range, from, encode, is_secret: true, ambiguous: false });
            } else {
                // A value that is bound there is the secret.
                of.into_iter().for_each(|edit| edit.is_secret = true);
            }
        }
        let (text, bindings) = edits::apply_to_text(stored, edits, part);
        *stored = text;
        bind.extend(bindings);
    }
}

fn edit(binding: Binding) -> Edit {
    let Binding { start, end, from, encode, .. } = binding;
    Edit { range: start..end, from, encode, is_secret: start == end, ambiguous: false }
}

fn touch(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start <= other.end && other.start <= one.end
}

#[cfg(test)]
mod tests {
    use trace::format::{Encoding, Origin};

    use super::*;

    fn cleaned(body: &str, bound: &[(&str, &str)]) -> (String, Vec<Binding>) {
        let mut known = Known::default();
        known.add("s3same-open".into());
        let names = Names::default();
        let cleaner = Cleaner { redactor: Redactor { names: &names, known: &known } };
        let bind = bound.iter().map(|(value, name)| {
            let start = body.find(value).unwrap();
            let end = start + value.len();
            let from = Origin::Slot((*name).to_owned());
            Binding { part: Part::Body, start, end, from, encode: Encoding::Json, ambiguous: false }
        });
        let (mut bind, mut stored) = (bind.collect(), body.to_owned());
        let places = body::of_body(body.as_bytes(), "", "/", &names);
        cleaner.part(Part::Body, &mut stored, places, &mut bind);
        (stored, bind)
    }

    #[test]
    fn what_a_persona_made_up_is_left_out_where_it_is_secret() {
        let (stored, bind) =
            cleaned(r#"{"name":"ann","new_password":"hunter2","x":"s3same-open"}"#, &[]);
        assert_eq!(stored, r#"{"name":"ann","new_password":"","x":""}"#);
        let slots: Vec<_> = bind.into_iter().map(|binding| binding.from).collect();
        assert_eq!(slots, ["new_password", "secret"].map(|name| Origin::Slot(name.to_owned())));
    }

    #[test]
    fn what_is_bound_stays_bound() {
        let body = r#"{"token":"k9x2m4q7","id":"17"}"#;
        let (stored, bind) = cleaned(body, &[("k9x2m4q7", "one"), ("17", "two")]);
        assert_eq!(stored, r#"{"token":"","id":"17"}"#);
        let ranges: Vec<_> = bind.iter().map(|b| (b.start, b.end)).collect();
        assert_eq!(ranges, [(10, 10), (18, 20)]);
        assert_eq!(bind[0].from, Origin::Slot("one".to_owned()));
    }
}
