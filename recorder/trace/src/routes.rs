//! Which segments of route names are parameters, by what varies over a whole trace.
//!
//! A name is made when its request is recorded, by the looks of its path alone: slugs, names of
//! users and words of other scripts look like words. Once all names are known, a segment that has
//! at least [`PARAMETER_FROM`] different values at one place of an otherwise same route is a
//! parameter. Names that the recording's own rules gave stay as they are.
//!
//! Right below the root, and below `api` and versions, collections stand beside each other
//! (`/api/users/{id}`, `/api/tags/{id}`): there plain words are values only before a same word.

use std::collections::{BTreeMap, HashMap, HashSet};

/// From so many different values on a segment is a parameter.
pub const PARAMETER_FROM: usize = 10;

/// Bounds the memory: of further names only the beginning is looked at, as far as it is known.
pub const MOST_NODES: usize = 100_000;

/// Names with more segments stay as they are.
const MOST_SEGMENTS: usize = 48;

/// The names of a trace, as a tree of their segments.
pub struct Routes {
    nodes: Vec<Node>,
    given: HashSet<String>,
}

#[derive(Default)]
struct Node {
    children: HashMap<Box<str>, usize>,
    /// How many more segments names have from here on: a bit for each number.
    rests: u64,
}

/// What the places of all routes turned out to be.
pub struct Named {
    root: Place,
    given: HashSet<String>,
    /// Every name stays as it is.
    is_empty: bool,
}

/// What may come next in a route.
#[derive(Default)]
struct Place {
    literals: HashMap<Box<str>, Place>,
    /// What all others are called, and what comes after them.
    parameter: Option<(&'static str, Box<Place>)>,
}

impl Routes {
    /// `given` are paths that stay as they are, whatever their method.
    pub fn new(given: impl IntoIterator<Item = String>) -> Self {
        Self { nodes: vec![Node::default()], given: given.into_iter().collect() }
    }

    /// Takes the name of a request, such as `GET /articles/how-to-bake`.
    pub fn add(&mut self, name: &str) {
        let Some(path) = path_of(name).filter(|path| !self.given.contains(*path)) else { return };
        let path = &path[1..];
        let count = path.split('/').count();
        if count > MOST_SEGMENTS {
            return;
        }
        let mut at = 0;
        for (number, segment) in path.split('/').enumerate() {
            self.nodes[at].rests |= 1 << (count - number);
            at = match self.nodes[at].children.get(segment) {
                Some(&child) => child,
                None if self.nodes.len() >= MOST_NODES => return,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[at].children.insert(segment.into(), child);
                    child
                }
            };
        }
        self.nodes[at].rests |= 1;
    }

    /// Decides what is a parameter, now that all names are known.
    pub fn named(self) -> Named {
        let root = self.place(&[0], true);
        Named { is_empty: root.has_no_parameter(), root, given: self.given }
    }

    /// What comes after these nodes, which are one place. `holds_collections`: right below the root.
    fn place(&self, nodes: &[usize], holds_collections: bool) -> Place {
        let mut children: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for &node in nodes {
            for (segment, &child) in &self.nodes[node].children {
                children.entry(segment).or_default().push(child);
            }
        }
        let values = self.values(&children, holds_collections);
        let (mut place, mut of_values) = (Place::default(), Vec::new());
        let mut called = "{slug}";
        for (segment, nodes) in children {
            // What looks like an id is a value among the others.
            let is_id = segment == "{id}" && !values.is_empty();
            if is_id {
                called = "{id}";
            }
            if is_id || values.contains(segment) {
                of_values.extend(nodes);
            } else {
                let holds_collections = holds_collections && is_prefix(segment);
                place.literals.insert(segment.into(), self.place(&nodes, holds_collections));
            }
        }
        if !of_values.is_empty() {
            place.parameter = Some((called, Box::new(self.place(&of_values, false))));
        }
        place
    }

    /// Those of the segments that are values of a parameter.
    fn values<'a>(
        &self,
        children: &BTreeMap<&'a str, Vec<usize>>,
        holds_collections: bool,
    ) -> HashSet<&'a str> {
        let mut values = HashSet::new();
        if children.len() < PARAMETER_FROM {
            return values;
        }
        let rests =
            |nodes: &[usize]| nodes.iter().fold(0, |all, &node| all | self.nodes[node].rests);
        for rest in 0..MOST_SEGMENTS {
            let like_it: Vec<(&'a str, &[usize])> = children
                .iter()
                .filter(|(segment, nodes)| {
                    !segment.is_empty()
                        && !segment.starts_with('{')
                        && rests(nodes) & 1 << rest != 0
                })
                .map(|(segment, nodes)| (*segment, nodes.as_slice()))
                .filter(|(segment, _)| !(holds_collections && rest == 0 && is_word(segment)))
                .collect();
            let like_it =
                if rest == 0 { like_it } else { self.alike(like_it, rest, holds_collections) };
            if like_it.len() >= PARAMETER_FROM {
                values.extend(like_it.into_iter().map(|(segment, _)| segment));
            }
        }
        values
    }

    /// Those behind which routes with `rest` more segments are the same ones: by the next segment,
    /// unless that varies as well.
    fn alike<'a, 'n>(
        &self,
        children: Vec<(&'a str, &'n [usize])>,
        rest: usize,
        holds_collections: bool,
    ) -> Vec<(&'a str, &'n [usize])> {
        let nexts_of = |nodes: &[usize]| -> HashSet<&str> {
            let next = nodes.iter().flat_map(|&node| &self.nodes[node].children);
            next.filter(|(_, child)| self.nodes[**child].rests & 1 << (rest - 1) != 0)
                .map(|(segment, _)| &**segment)
                .collect()
        };
        let mut nexts: HashMap<&str, usize> = HashMap::new();
        for (_, nodes) in &children {
            for segment in nexts_of(nodes) {
                *nexts.entry(segment).or_default() += 1;
            }
        }
        let says_much =
            |segment: &str| !holds_collections || !segment.is_empty() && !segment.starts_with('{');
        let is_shared = |segment: &&str| nexts[segment] >= PARAMETER_FROM && says_much(segment);
        if !nexts.keys().any(&is_shared) {
            let varies = !holds_collections && nexts.len() >= PARAMETER_FROM;
            return if varies { children } else { Vec::new() };
        }
        children.into_iter().filter(|(_, nodes)| nexts_of(nodes).iter().any(is_shared)).collect()
    }
}

impl Named {
    /// The name of a request as it is over the whole trace; none where it stays as it is.
    pub fn of(&self, name: &str) -> Option<String> {
        if self.is_empty {
            return None;
        }
        let path = &path_of(name).filter(|path| !self.given.contains(*path))?[1..];
        let mut named = name[..name.len() - path.len()].to_owned();
        let mut place = Some(&self.root);
        for (number, segment) in path.split('/').enumerate() {
            if number > 0 {
                named.push('/');
            }
            let (segment, next) = place.map_or((segment, None), |place| place.next(segment));
            named.push_str(segment);
            place = next;
        }
        (named != name).then_some(named)
    }

    /// Whether every name stays as it is.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }
}

impl Place {
    /// What a segment here is called, and what may come after it, where that is known.
    fn next<'a>(&'a self, segment: &'a str) -> (&'a str, Option<&'a Self>) {
        match (self.literals.get(segment), &self.parameter) {
            (Some(next), _) => (segment, Some(next)),
            (None, Some((called, next))) if !segment.is_empty() => (called, Some(next)),
            (None, _) => (segment, None),
        }
    }

    fn has_no_parameter(&self) -> bool {
        self.parameter.is_none() && self.literals.values().all(Self::has_no_parameter)
    }
}

/// What comes behind the method.
fn path_of(name: &str) -> Option<&str> {
    Some(name.split_once(' ')?.1).filter(|path| path.starts_with('/'))
}

/// `about`, not `about-us`, `anna7` or `пирог`.
fn is_word(segment: &str) -> bool {
    segment.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// What stands before all routes of a server.
fn is_prefix(segment: &str) -> bool {
    let digits = segment.strip_prefix('v').unwrap_or_default();
    matches!(segment, "api" | "rest")
        || !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(names: &[String]) -> Vec<String> {
        let mut routes = Routes::new([]);
        names.iter().for_each(|name| routes.add(name));
        let named = routes.named();
        let mut all: Vec<String> =
            names.iter().map(|name| named.of(name).unwrap_or_else(|| name.clone())).collect();
        all.sort();
        all.dedup();
        all
    }

    const WORDS: [&str; 12] = [
        "how-to-bake",
        "пирог",
        "anna",
        "%D0%BF",
        "bread",
        "salt",
        "the-end",
        "a",
        "tea",
        "jam",
        "rye",
        "oat",
    ];

    fn names(of: impl Fn(&str) -> String) -> Vec<String> {
        WORDS.iter().map(|word| of(word)).collect()
    }

    #[test]
    fn what_varies_at_one_place_of_a_route_is_a_parameter() {
        let mut all = names(|word| format!("GET /articles/{word}"));
        all.extend(names(|word| format!("POST /articles/{word}/comments")));
        all.extend(
            ["GET /articles", "GET /articles/feed/rss", "GET /articles/"].map(str::to_owned),
        );
        all.push("DELETE /articles/how-to-bake".to_owned());
        assert_eq!(
            named(&all),
            [
                "DELETE /articles/{slug}",
                "GET /articles",
                "GET /articles/",
                "GET /articles/feed/rss",
                "GET /articles/{slug}",
                "POST /articles/{slug}/comments"
            ]
        );
    }

    #[test]
    fn two_parameters_of_a_route_are_both_found() {
        let pairs = WORDS.iter().zip(WORDS.iter().rev());
        let all: Vec<_> = pairs.map(|(a, b)| format!("GET /u/{a}/repos/{b}")).collect();
        assert_eq!(named(&all), ["GET /u/{slug}/repos/{slug}"]);
        let all = [names(|word| format!("GET /p/{word}")), vec!["GET /p/{id}".to_owned()]].concat();
        assert_eq!(named(&all), ["GET /p/{id}"]);
    }

    #[test]
    fn nine_values_are_words() {
        let all: Vec<_> = WORDS[..9].iter().map(|word| format!("GET /articles/{word}")).collect();
        assert_eq!(named(&all).len(), 9);
    }

    #[test]
    fn collections_beside_each_other_stay_themselves() {
        let words: Vec<_> = WORDS.iter().filter(|word| is_word(word)).collect();
        let words = words.iter().chain(&[&"nine", &"ten", &"eleven", &"twelve"]);
        let all: Vec<_> = words
            .flat_map(|word| ["", "/{id}"].map(|rest| format!("GET /api/v1/{word}{rest}")))
            .collect();
        assert_eq!(named(&all).len(), all.len());
        // Names of users there are known by what they all have.
        assert_eq!(named(&names(|word| format!("GET /{word}/repos"))), ["GET /{slug}/repos"]);
    }

    #[test]
    fn what_rules_named_stays() {
        let all = names(|word| format!("GET /articles/{word}"));
        let mut routes =
            Routes::new(all.iter().filter_map(|name| path_of(name).map(str::to_owned)));
        all.iter().for_each(|name| routes.add(name));
        let named = routes.named();
        assert!(all.iter().all(|name| named.of(name).is_none()));
    }

    #[test]
    fn memory_is_bounded_and_known_places_name_what_comes_later() {
        let mut routes = Routes::new([]);
        for number in 0..2 * MOST_NODES {
            routes.add(&format!("GET /s/word-{number}"));
        }
        assert!(routes.nodes.len() <= MOST_NODES);
        let named = routes.named();
        assert_eq!(named.of("GET /s/never-seen").as_deref(), Some("GET /s/{slug}"));
    }

    proptest! {
        #[test]
        fn any_names_are_taken_and_naming_them_again_changes_nothing(
            all in prop::collection::vec("(GET|PUT) /?[ab/{}é]{0,6}", 0..60),
        ) {
            let once = named(&all);
            prop_assert_eq!(named(&once), once);
        }
    }
}
