//! What differs between two recordings of the same client and is neither bound nor fresh: values
//! that a replay would send as they were recorded, although the client sent others.
//!
//! Sessions are laid side by side in their order, and of a session each request beside the one of
//! the same name. Memory: both traces without the answers, hence the bound [`MOST_REQUESTS`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use redact::{Names, Place, body};
use serde::Serialize;
use serde_json::Value;
use trace::format::{self, Body, Part, RecordedResult, Request};
use trace::pointer;
use trace::reader::{ReadError, TraceReader};

/// Larger traces are refused: a part of them shows as much.
pub const MOST_REQUESTS: usize = 20_000;

/// Bodies of answers that are searched for the source of a value, in bytes of a trace.
const MOST_ANSWERS: usize = 64 << 20;

/// Headers that say something of the client's program or of its caches.
const NOT_COMPARED: [&str; 12] = [
    "user-agent",
    "referer",
    "origin",
    "content-type",
    "accept",
    "accept-language",
    "if-none-match",
    "if-modified-since",
    "traceparent",
    "tracestate",
    "cache-control",
    "pragma",
];

#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "{} has more than {MOST_REQUESTS} requests: compare parts of both, made with recorder cut",
        path.display()
    )]
    TooLarge { path: PathBuf },
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Difference {
    /// Requests that were laid side by side.
    pub compared: u64,
    /// Requests of one recording without a counterpart in the other.
    pub alone: [u64; 2],
    pub values: Vec<Varying>,
}

/// A value that varies.
#[derive(Debug, Serialize)]
pub struct Varying {
    /// The name of the route.
    pub route: String,
    /// Where in the request: `path`, `query`, `body`, or the name of a header.
    pub part: String,
    /// Of the field or parameter; of a path segment the one before it.
    pub name: String,
    /// The first of them in each recording.
    pub values: [String; 2],
    pub times: u64,
    /// All of them in each recording.
    #[serde(skip)]
    seen: [BTreeSet<String>; 2],
    pub source: LikelySource,
    /// A line of a rules file that would mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
}

/// Where a value comes from, as far as the traces show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LikelySource {
    /// An earlier answer of the session has it in both recordings.
    Answer {
        route: String,
        pointer: String,
    },
    /// The client makes it.
    Client,
    /// The client takes one of several: both recordings have some of the same.
    Chosen,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    Fresh(String),
    Same(String, String),
}

impl Varying {
    fn see(&mut self, values: [String; 2]) {
        for (seen, value) in self.seen.iter_mut().zip(values) {
            seen.insert(value);
        }
        // What is made anew does not come again: with another word a search finds nothing.
        let [one, other] = &self.seen;
        if self.source == LikelySource::Client && !one.is_disjoint(other) {
            (self.source, self.rule) = (LikelySource::Chosen, None);
        }
    }
}

impl Difference {
    /// The lines of a rules file that would mend what has a rule; empty where nothing has.
    pub fn rules(&self) -> String {
        let rules: BTreeSet<&Rule> = self.values.iter().filter_map(|v| v.rule.as_ref()).collect();
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let fresh: Vec<String> = rules
            .iter()
            .filter_map(|rule| match rule {
                Rule::Fresh(name) => Some(quoted(name)),
                Rule::Same(..) => None,
            })
            .collect();
        let same: Vec<String> = rules
            .iter()
            .filter_map(|rule| match rule {
                Rule::Same(a, b) => Some(format!("[{}, {}]", quoted(a), quoted(b))),
                Rule::Fresh(_) => None,
            })
            .collect();
        let line = |name: &str, all: &[String]| match all {
            [] => String::new(),
            all => format!("{name} = [{}]\n", all.join(", ")),
        };
        line("fresh", &fresh) + &line("same", &same)
    }
}

/// Compares two recordings of the same client.
///
/// # Errors
/// When one cannot be read, or has more than [`MOST_REQUESTS`] requests.
pub fn diff(one: &Path, other: &Path) -> Result<Difference, DiffError> {
    let [one, other] = [Recording::read(one)?, Recording::read(other)?];
    let mut found = Difference::default();
    let mut varying = BTreeMap::new();
    let mut others = other.sessions.iter();
    for session in &one.sessions {
        match others.next() {
            Some(counterpart) => {
                let sides = [(&one, &**session), (&other, &**counterpart)];
                side_by_side(sides, &mut found, &mut varying);
            }
            None => found.alone[0] += session.len() as u64,
        }
    }
    found.alone[1] += others.map(|session| session.len() as u64).sum::<u64>();
    found.values = varying.into_values().collect();
    Ok(found)
}

struct Recording {
    requests: Vec<Request>,
    /// In the order in which they began, with the indices of their requests.
    sessions: Vec<Vec<usize>>,
}

impl Recording {
    fn read(path: &Path) -> Result<Self, DiffError> {
        let mut reader = TraceReader::open(path)?;
        let (mut requests, mut sessions) = (Vec::new(), Vec::<Vec<usize>>::new());
        let mut by_name: HashMap<String, usize> = HashMap::new();
        let mut answers = 0;
        while let Some(mut request) = reader.next_request()? {
            if requests.len() == MOST_REQUESTS {
                return Err(DiffError::TooLarge { path: path.to_owned() });
            }
            if let RecordedResult::Answer(answer) = &mut request.result {
                answers += answer.body.as_ref().map_or(0, String::len);
                if answers > MOST_ANSWERS {
                    answer.body = None;
                }
            }
            let next = sessions.len();
            let session = *by_name.entry(request.session.clone()).or_insert(next);
            if session == next {
                sessions.push(Vec::new());
            }
            sessions[session].push(requests.len());
            requests.push(request);
        }
        reader.finish()?;
        Ok(Self { requests, sessions })
    }
}

type Side<'a> = (&'a Recording, &'a [usize]);
type Key = (String, String, String);

/// Compares two sessions.
fn side_by_side(sides: [Side<'_>; 2], found: &mut Difference, all: &mut BTreeMap<Key, Varying>) {
    let [(one, mine), (other, theirs)] = sides;
    let mut pairs = Vec::new();
    let mut left = (mine.to_vec(), theirs.to_vec());
    // By name; what varies in a path may be in its name, too.
    let name = |request: &Request| request.name.clone();
    let form = |request: &Request| {
        let path = request.path.split('?').next().unwrap_or_default();
        format!("{} {}", request.method, path.matches('/').count())
    };
    for key in [&name as &dyn Fn(&Request) -> String, &form] {
        let mut waiting: HashMap<String, std::collections::VecDeque<usize>> = HashMap::new();
        for &index in &left.1 {
            waiting.entry(key(&other.requests[index])).or_default().push_back(index);
        }
        let mut alone = Vec::new();
        for &index in &left.0 {
            let counterpart = waiting.get_mut(&key(&one.requests[index]));
            match counterpart.and_then(std::collections::VecDeque::pop_front) {
                Some(counterpart) => pairs.push((index, counterpart)),
                None => alone.push(index),
            }
        }
        left = (alone, waiting.into_values().flatten().collect());
        left.1.sort_unstable();
    }
    pairs.sort_unstable();
    found.compared += pairs.len() as u64;
    found.alone[0] += left.0.len() as u64;
    found.alone[1] += left.1.len() as u64;
    let mut earlier: Vec<[&Request; 2]> = Vec::new();
    for (index, counterpart) in pairs {
        let requests = [&one.requests[index], &other.requests[counterpart]];
        for value in varying(requests) {
            note(value, requests[0], &earlier, all);
        }
        earlier.push(requests);
    }
}

/// A place whose values differ.
struct Found {
    part: &'static str,
    header: Option<String>,
    name: String,
    is_segment: bool,
    values: [String; 2],
}

fn note(
    value: Found,
    request: &Request,
    before: &[[&Request; 2]],
    all: &mut BTreeMap<Key, Varying>,
) {
    let part = value.header.clone().unwrap_or_else(|| value.part.to_owned());
    let key = (request.name.clone(), part.clone(), value.name.clone());
    if let Some(known) = all.get_mut(&key) {
        known.times += 1;
        known.see(value.values);
        return;
    }
    let writes = !format::is_safe(&request.method);
    let is_made = writes
        && value.header.is_none()
        && !value.is_segment
        && value.values.iter().all(|text| may_be_made(text));
    let otherwise = if is_made { LikelySource::Client } else { LikelySource::Unknown };
    let source = source_of(&value.values, before).unwrap_or(otherwise);
    let rule = match &source {
        LikelySource::Answer { pointer, .. } if !value.name.is_empty() => {
            Some(Rule::Same(value.name.clone(), field_of(pointer)))
        }
        LikelySource::Client if !value.name.is_empty() => Some(Rule::Fresh(value.name.clone())),
        _ => None,
    };
    let route = request.name.clone();
    let Found { name, values, .. } = value;
    let seen = values.clone().map(|value| BTreeSet::from([value]));
    all.insert(key, Varying { route, part, name, values, times: 1, seen, source, rule });
}

/// Whether a client may have made a value: a small number is a count or an id, and with a path it
/// says where it comes from.
fn may_be_made(text: &str) -> bool {
    let is_small = text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    !is_small && !text.starts_with('/') && !text.contains("://")
}

/// `article.slug` of `/articles/0/article/slug`, as rules name a field.
fn field_of(pointer: &str) -> String {
    let tokens = pointer::tokens(pointer).unwrap_or_default();
    let mut names = tokens.iter().rev().filter(|token| token.parse::<usize>().is_err());
    names.next().cloned().unwrap_or_default()
}

/// The latest answer that has each recording's own value at the same place.
fn source_of(values: &[String; 2], before: &[[&Request; 2]]) -> Option<LikelySource> {
    let json = |request: &Request| match &request.result {
        RecordedResult::Answer(answer) => {
            serde_json::from_str::<Value>(answer.body.as_deref()?).ok()
        }
        RecordedResult::Error(_) => None,
    };
    before.iter().rev().find_map(|[one, other]| {
        let (json_of_one, json_of_other) = (json(one)?, json(other)?);
        let mut pointers = Vec::new();
        leaves(&json_of_one, &mut String::new(), &values[0], &mut pointers);
        let pointer = pointers.into_iter().find(|pointer| {
            json_of_other.pointer(pointer).is_some_and(|leaf| is_leaf(leaf, &values[1]))
        })?;
        Some(LikelySource::Answer { route: one.name.clone(), pointer })
    })
}

fn is_leaf(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Number(own) => own.to_string() == text,
        _ => false,
    }
}

fn leaves(value: &Value, at: &mut String, text: &str, found: &mut Vec<String>) {
    let length = at.len();
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                pointer::push(at, key);
                leaves(field, at, text, found);
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer::push(at, &index.to_string());
                leaves(item, at, text, found);
                at.truncate(length);
            }
        }
        leaf if is_leaf(leaf, text) => found.push(at.clone()),
        _ => {}
    }
}

/// The places of two requests whose values differ, and that are bound in one of them at most.
fn varying(requests: [&Request; 2]) -> Vec<Found> {
    let names = Names::default();
    let mut found = Vec::new();
    let paths = requests.map(|request| body::of_path(&request.path, &names));
    compare(
        requests,
        [Part::Path; 2],
        paths,
        |place, request| {
            let is_query = request.path[..place.range.start].contains('?');
            (if is_query { "query" } else { "path" }, None)
        },
        &mut found,
    );
    for (index, (name, value)) in requests[0].headers.iter().enumerate() {
        let is_compared = !NOT_COMPARED.iter().any(|other| other.eq_ignore_ascii_case(name))
            && !name.to_ascii_lowercase().starts_with("sec-");
        let other = requests[1].headers.iter().position(|(other, _)| other == name);
        if let Some(other) = other.filter(|_| is_compared) {
            let values = [value, &requests[1].headers[other].1];
            let places = values.map(|value| body::of_header(name, value, &names));
            let parts = [Part::Header(index), Part::Header(other)];
            compare(requests, parts, places, |_, _| ("header", Some(name.clone())), &mut found);
        }
    }
    let bodies = requests.map(|request| {
        let kind =
            request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind = kind.map_or("", |(_, value)| value);
        match &request.body {
            Some(Body::Text(text)) => body::of_body(text.as_bytes(), kind, &request.path, &names),
            _ => Vec::new(),
        }
    });
    compare(requests, [Part::Body; 2], bodies, |_, _| ("body", None), &mut found);
    found
}

/// Compares the places of one part, each with the one of the same name and number.
fn compare(
    requests: [&Request; 2],
    parts: [Part; 2],
    places: [Vec<Place>; 2],
    where_is: impl Fn(&Place, &Request) -> (&'static str, Option<String>),
    found: &mut Vec<Found>,
) {
    // Names occur several times; segments have numbers.
    let mut counts: HashMap<(String, usize), usize> = HashMap::new();
    let [mine, theirs] = places.map(|places| {
        counts.clear();
        let numbered = places.into_iter().filter(|place| !place.is_nested).map(|place| {
            let number = place.segment.as_ref().map_or(0, |segment| segment.number);
            let count = counts.entry((place.name.clone(), number)).or_default();
            *count += 1;
            ((place.name.clone(), number, *count), place)
        });
        numbered.collect::<Vec<_>>()
    });
    let theirs: HashMap<_, _> = theirs.into_iter().collect();
    for (key, place) in mine {
        let Some(other) = theirs.get(&key) else { continue };
        let are_bound =
            is_bound(requests[0], parts[0], &place) && is_bound(requests[1], parts[1], other);
        if place.value == other.value || are_bound {
            continue;
        }
        let (part, header) = where_is(&place, requests[0]);
        let is_segment = place.segment.is_some();
        let name = match &place.segment {
            Some(segment) => segment.before.clone(),
            None => place.name.clone(),
        };
        let values = [place.value, other.value.clone()];
        found.push(Found { part, header, name, is_segment, values });
    }
}

/// Whether replay writes there, at least in part.
fn is_bound(request: &Request, part: Part, place: &Place) -> bool {
    request.bind.iter().any(|binding| {
        binding.part == part && binding.start <= place.range.end && place.range.start <= binding.end
    })
}
