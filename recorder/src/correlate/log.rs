//! Requests of which only a line in a log is known.

use std::collections::HashMap;

use redact::{Known, Place, Redactor, body};
use trace::format::{Binding, Part};

use super::route;
use super::rules::Rules;
use crate::edits::{self, Edit, slot};

/// Reads the requests of a log as they may be stored where nothing is known about their sessions:
/// their secrets have to be given to the replay.
///
/// The same paths and agents come again and again in a log, so that what is in them is looked for
/// once.
pub(crate) struct LogReader<'a> {
    rules: &'a Rules,
    /// By the method and the path.
    paths: Kept<Logged>,
    /// By the header's name and its value.
    headers: Kept<Stored>,
}

/// A text without its secrets.
#[derive(Clone)]
struct Stored {
    text: String,
    /// For [`Part::Header`] of 0.
    bind: Vec<Binding>,
}

/// The method and path of a request, as they may be stored.
#[derive(Clone)]
pub(crate) struct Logged {
    /// The route's name.
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) bind: Vec<Binding>,
}

impl<'a> LogReader<'a> {
    pub(crate) fn new(rules: &'a Rules) -> Self {
        Self { rules, paths: Kept::default(), headers: Kept::default() }
    }

    pub(crate) fn request(&mut self, method: &str, path: &str) -> Logged {
        let rules = self.rules;
        self.paths.of(method, path, || {
            let edits = secrets(path, body::of_path(path, &rules.names), rules);
            let name = route::name(method, path, &route::secret_segments(path, &edits), rules);
            let (path, bind) = edits::apply_to_text(path, edits, Part::Path);
            Logged { name, path, bind }
        })
    }

    /// The value of the header at this place among the request's, and what is bound in it.
    pub(crate) fn header(
        &mut self,
        index: usize,
        name: &str,
        value: &str,
    ) -> (String, Vec<Binding>) {
        let rules = self.rules;
        let Stored { text, mut bind } = self.headers.of(name, value, || {
            let places = body::of_header(name, value, &rules.names);
            let edits = secrets(value, places, rules);
            let (text, bind) = edits::apply_to_text(value, edits, Part::Header(0));
            Stored { text, bind }
        });
        for binding in &mut bind {
            binding.part = Part::Header(index);
        }
        (text, bind)
    }
}

/// What was found in texts of a kind, for some of the last ones.
struct Kept<V> {
    found: HashMap<String, V>,
    /// Only so that it need not be allocated anew.
    key: String,
}

impl<V> Default for Kept<V> {
    fn default() -> Self {
        Self { found: HashMap::new(), key: String::new() }
    }
}

impl<V: Clone> Kept<V> {
    /// How many texts are kept, and the longest of them, in bytes.
    const MOST: usize = 1024;
    const LONGEST: usize = 4096;

    /// The kind has no space in it.
    fn of(&mut self, kind: &str, text: &str, find: impl FnOnce() -> V) -> V {
        self.key.clear();
        self.key.extend([kind, " ", text]);
        if let Some(found) = self.found.get(&self.key) {
            return found.clone();
        }
        let found = find();
        if self.found.len() == Self::MOST {
            self.found.clear();
        }
        if self.key.len() <= Self::LONGEST {
            self.found.insert(self.key.clone(), found.clone());
        }
        found
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
    fn a_path_that_comes_again_is_read_as_if_it_were_the_first() {
        let rules = Rules::default();
        let mut reader = LogReader::new(&rules);
        let secret = "/reset?token=dGhpcyBpcyBhIHNlY3JldCBvZiBvdXJz";
        let mut read = |method: &str, path: &str| {
            let Logged { name, path, bind } = reader.request(method, path);
            (name, path, bind.iter().map(|one| one.part).collect::<Vec<_>>())
        };
        let first = read("GET", secret);
        assert!(!first.1.contains("dGhp") && first.2 == [Part::Path], "{first:?}");
        for number in 0..Kept::<Logged>::MOST * 2 {
            let plain = format!("/items/{number}?page=2");
            assert_eq!(read("PUT", &plain), ("PUT /items/{id}".to_owned(), plain, Vec::new()));
            assert_eq!(read("GET", secret), first);
        }
        let posted = read("POST", secret);
        assert_eq!(posted.0, first.0.replace("GET", "POST"));
    }

    #[test]
    fn a_value_that_comes_again_is_read_as_if_it_were_the_first() {
        let rules = Rules::default();
        let mut reader = LogReader::new(&rules);
        let secret = "Bot/1 (token=dGhpcyBpcyBhIHNlY3JldCBvZiBvdXJz)";
        let (text, bind) = reader.header(0, "User-Agent", secret);
        assert!(!text.contains("dGhp"), "{text}");
        assert_eq!(bind.iter().map(|one| one.part).collect::<Vec<_>>(), [Part::Header(0)]);
        for (index, others) in [(1, 1), (2, Kept::<Stored>::MOST)] {
            for other in 0..others {
                let plain = format!("Browser/{other}");
                assert_eq!(reader.header(1, "User-Agent", &plain), (plain, Vec::new()));
            }
            let (again, bind) = reader.header(index, "User-Agent", secret);
            assert_eq!(again, text);
            assert_eq!(bind.iter().map(|one| one.part).collect::<Vec<_>>(), [Part::Header(index)]);
        }
        assert!(reader.headers.found.len() <= Kept::<Stored>::MOST);
    }
}
