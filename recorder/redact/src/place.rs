//! The places of a message that can hold a value.

use std::collections::HashSet;
use std::ops::Range;

use trace::format::Encoding;

use crate::names::{self, Mark, Name, Names};
use crate::shapes::is_card_number;
use crate::value::{are_words, is_like_a_secret, may_be_secret, says_nothing};
use crate::view::View;

/// A value, and where it stands in its part of the message.
pub struct Place {
    /// Of the query parameter, form field, header or cookie; of a value in JSON, XML or a text the
    /// name that it stands under. Empty for a path segment.
    pub name: String,
    pub segment: Option<Segment>,
    /// Without escapes.
    pub value: String,
    /// In bytes of the part of the message, without quotes.
    pub range: Range<usize>,
    /// How replay writes a value there; none where it knows no way.
    pub encode: Option<Encoding>,
    /// Whether it is a text, not a number of JSON say.
    pub is_text: bool,
    /// Whether it stands within another value, such as JSON in a string.
    pub is_nested: bool,
    pub verdict: Verdict,
}

/// Of a path: its number, and the segment before it.
#[derive(Debug, PartialEq)]
pub struct Segment {
    pub number: usize,
    pub before: String,
}

/// Whether a value is secret where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Harmless,
    /// Unless the same word stands there in other sessions.
    Word,
    Secret,
}

impl Place {
    pub fn is_secret(&self) -> bool {
        self.verdict != Verdict::Harmless
    }
}

/// Without the value.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, segment, range, encode, is_nested, verdict, is_text: _, value: _ } = self;
        f.debug_struct("Place")
            .field("name", name)
            .field("segment", segment)
            .field("range", range)
            .field("encode", encode)
            .field("is_nested", is_nested)
            .field("verdict", verdict)
            .finish_non_exhaustive()
    }
}

/// What values are found within.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Within {
    /// Something that has a secret name.
    pub(crate) secret: bool,
    /// Something whose name is secret as a whole, so that in it only what looks like a secret is one.
    pub(crate) field: bool,
    /// Something that has a card's name.
    pub(crate) card: bool,
    /// An exchange of OAuth.
    pub(crate) oauth: bool,
    /// Other values, so many.
    pub(crate) depth: u8,
}

impl Within {
    /// Whether a key of an object is a secret rather than the name of a field: what maps secrets
    /// to what they are of has them for keys.
    pub(crate) fn is_secret_key(self, key: &str) -> bool {
        self.secret && is_like_a_secret(key) || self.field && may_be_secret(key)
    }
}

impl Names {
    /// Whether a value is secret under this name, where nothing else is known of where it stands.
    pub fn verdict(&self, name: &str, value: &str) -> Verdict {
        Reader::new(self, &[]).verdict(name, value, Within::default())
    }
}

/// Finds the places of a part of a message; each file of `body` adds what a format has.
pub(crate) struct Reader<'n> {
    pub(crate) names: &'n Names,
    pub(crate) places: Vec<Place>,
    /// The bytes of the part.
    pub(crate) part: &'n [u8],
}

impl<'n> Reader<'n> {
    pub(crate) fn new(names: &'n Names, part: &'n [u8]) -> Self {
        Self { names, places: Vec::new(), part }
    }

    /// The places, each secret once although it was found in several ways.
    pub(crate) fn finish(mut self) -> Vec<Place> {
        let mut seen = HashSet::new();
        self.places.retain(|place| {
            !place.is_secret() || seen.insert((place.range.start, place.range.end))
        });
        self.places
    }

    /// Of the places from here on only those that are secret.
    pub(crate) fn keep_secret_from(&mut self, before: usize) {
        let found = self.places.split_off(before);
        self.places.extend(found.into_iter().filter(Place::is_secret));
    }

    /// What stands under this name is within.
    pub(crate) fn under(&self, name: &str, within: Within) -> Within {
        let Name { is_of_card, tells, .. } = Name::of(name);
        let mark = self.names.mark(name);
        let secret = within.secret && !tells || mark == Mark::Secret;
        let is_field = mark == Mark::Field && !names::has_to_look_secret(name);
        let field = within.field && !tells || is_field;
        Within { secret, field, card: within.card || is_of_card, ..within }
    }

    /// Takes a value that stands under this name.
    pub(crate) fn value(&mut self, name: &str, value: &View<'_>, within: Within) {
        let verdict = self.verdict(name, &value.text, within);
        self.take(name, value, verdict, within);
        if verdict == Verdict::Harmless {
            self.nested(value, self.under(name, within));
        }
    }

    /// Takes a value that is no text, such as a number.
    pub(crate) fn literal(&mut self, name: &str, value: &View<'_>, within: Within) {
        let verdict = match self.verdict(name, &value.text, within) {
            // How many there are is no secret.
            Verdict::Secret if !within.secret && Name::of(name).counts => Verdict::Harmless,
            verdict => verdict,
        };
        self.take(name, value, verdict, within);
        if let Some(place) = self.places.last_mut() {
            place.is_text = false;
        }
    }

    /// Takes a value that is worth a place only if it is secret.
    pub(crate) fn only_secret(&mut self, name: &str, value: &View<'_>, within: Within) -> bool {
        let verdict = self.verdict(name, &value.text, within);
        let is_secret = verdict != Verdict::Harmless;
        if is_secret {
            self.take(name, value, verdict, Within { depth: within.depth.max(1), ..within });
        }
        is_secret
    }

    pub(crate) fn take(&mut self, name: &str, value: &View<'_>, verdict: Verdict, within: Within) {
        let range = value.place(&(0..value.text.len()));
        let encode = value.written.encoding(&value.text, &self.part[range.clone()]);
        self.places.push(Place {
            name: name.to_owned(),
            segment: None,
            value: value.text.to_string(),
            range,
            encode,
            is_text: true,
            is_nested: within.depth > 0,
            verdict,
        });
    }

    /// Whether what was just taken is secret, if OAuth is spoken where it stands.
    pub(crate) fn is_open(&self, name: &str) -> bool {
        self.names.mark(name) == Mark::OAuth
    }

    /// Of these places it turned out that they are secret, unless they say nothing.
    pub(crate) fn are_secret(&mut self, places: &[usize]) {
        for &index in places {
            let place = &mut self.places[index];
            if !says_nothing(&place.value) {
                place.verdict = Verdict::Secret;
            }
        }
    }

    /// Judges these places once more, now that it is known how their values are called.
    pub(crate) fn judge_anew(&mut self, places: &[usize], called: &str) {
        for &index in places {
            let verdict = self.verdict(called, &self.places[index].value, Within::default());
            if verdict != Verdict::Harmless {
                self.places[index].verdict = verdict;
            }
        }
    }

    /// Whether a value of this name is secret.
    pub(crate) fn verdict(&self, name: &str, value: &str, within: Within) -> Verdict {
        let Name { is_of_card, tells, .. } = Name::of(name);
        let verdict = match self.names.mark(name) {
            Mark::Secret => Verdict::Secret,
            _ if within.secret && !tells => Verdict::Secret,
            Mark::OAuth if within.oauth => Verdict::Secret,
            Mark::Field => field(name, value),
            _ if within.field && !tells && may_be_secret(value) => Verdict::Secret,
            _ if (within.card || is_of_card) && is_card_number(value) => Verdict::Secret,
            _ => Verdict::Harmless,
        };
        if verdict != Verdict::Harmless && says_nothing(value) {
            Verdict::Harmless
        } else {
            verdict
        }
    }
}

/// A value of a field whose name is secret only as a whole.
fn field(name: &str, value: &str) -> Verdict {
    if are_words(value) {
        if names::may_be_a_word(name) { Verdict::Word } else { Verdict::Harmless }
    } else if names::has_to_look_secret(name) && !may_be_secret(value) {
        Verdict::Harmless
    } else {
        Verdict::Secret
    }
}
