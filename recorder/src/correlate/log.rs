//! Requests of which only a line in a log is known.

use std::collections::{BTreeMap, HashMap};

use redact::{Known, Place, Redactor, body};
use trace::format::{Binding, Part};

use super::route;
use super::rules::Rules;
use crate::edits::{self, Edit, slot};

/// How many values of a header are kept with what was found in them, and the longest of these.
const MOST_VALUES: usize = 1024;
const LONGEST_VALUE: usize = 4096;

/// Reads the requests of a log as they may be stored where nothing is known about their sessions:
/// their secrets have to be given to the replay.
///
/// The same agents come again and again in a log, so that what is in a header is looked for once.
pub(crate) struct LogReader<'a> {
    rules: &'a Rules,
    /// By the header's name and its value.
    values: BTreeMap<&'static str, HashMap<String, Stored>>,
}

/// A text without its secrets.
#[derive(Clone)]
struct Stored {
    text: String,
    /// For [`Part::Header`] of 0.
    bind: Vec<Binding>,
}

/// The method and path of a request, as they may be stored.
pub(crate) struct Logged {
    /// The route's name.
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) bind: Vec<Binding>,
}

impl<'a> LogReader<'a> {
    pub(crate) fn new(rules: &'a Rules) -> Self {
        Self { rules, values: BTreeMap::new() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Logged {
        let edits = secrets(path, body::of_path(path, &self.rules.names), self.rules);
        let name = route::name(method, path, &route::secret_segments(path, &edits), self.rules);
        let (path, bind) = edits::apply_to_text(path, edits, Part::Path);
        Logged { name, path, bind }
    }

    /// The value of the header at this place among the request's, and what is bound in it.
    pub(crate) fn header(
        &mut self,
        index: usize,
        name: &'static str,
        value: &str,
    ) -> (String, Vec<Binding>) {
        let known = self.values.entry(name).or_default();
        let Stored { text, mut bind } = match known.get(value) {
            Some(stored) => stored.clone(),
            None => {
                let places = body::of_header(name, value, &self.rules.names);
                let edits = secrets(value, places, self.rules);
                let (text, bind) = edits::apply_to_text(value, edits, Part::Header(0));
                let stored = Stored { text, bind };
                if known.len() == MOST_VALUES {
                    known.clear();
                }
                if value.len() <= LONGEST_VALUE {
                    known.insert(value.to_owned(), stored.clone());
                }
                stored
            }
        };
        for binding in &mut bind {
            binding.part = Part::Header(index);
        }
        (text, bind)
    }
}

fn secrets(text: &str, places: Vec<Place>, rules: &Rules) -> Vec<Edit> {
    let redactor = Redactor { names: &rules.names, known: &Known::default() };
    let edit = |range, name: &str, encode: Option<_>| Edit {
        range,
        from: slot(name),
        encode: encode.unwrap_or_default(),
        is_secret: true,
        ambiguous: false,
    };
    let places = places.into_iter().filter(Place::is_secret);
    let named = places.map(|place| edit(place.range, &place.name, place.encode));
    let found = redactor.find(text.as_bytes()).into_iter();
    named.chain(found.map(|found| edit(found.range, "", found.encode))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_comes_again_is_read_as_if_it_were_the_first() {
        let rules = Rules::default();
        let mut reader = LogReader::new(&rules);
        let secret = "Bot/1 (token=dGhpcyBpcyBhIHNlY3JldCBvZiBvdXJz)";
        let (text, bind) = reader.header(0, "User-Agent", secret);
        assert!(!text.contains("dGhp"), "{text}");
        assert_eq!(bind.iter().map(|one| one.part).collect::<Vec<_>>(), [Part::Header(0)]);
        for (index, others) in [(1, 1), (2, MOST_VALUES)] {
            for other in 0..others {
                let plain = format!("Browser/{other}");
                assert_eq!(reader.header(1, "User-Agent", &plain), (plain, Vec::new()));
            }
            let (again, bind) = reader.header(index, "User-Agent", secret);
            assert_eq!(again, text);
            assert_eq!(bind.iter().map(|one| one.part).collect::<Vec<_>>(), [Part::Header(index)]);
        }
        assert!(reader.values["User-Agent"].len() <= MOST_VALUES);
    }
}
