//! What a session knows: values from answers, and those that its client generated.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use manifest::format::Account;
use redact::{Known, Place, Segment};

use super::rules::Rules;
use trace::format::{CaptureFrom, FreshId};

/// Bound a session's memory: values from answers, and their bytes. The oldest are dropped first.
const MAX_VALUES: usize = 4096;
const MAX_BYTES: usize = 512 << 10;

/// Values that the client sent without having got them from an answer. When there are more, all
/// of them are forgotten.
const MAX_SENT: usize = 8192;

/// From how many answers the same value is remembered.
const SOURCES: usize = 3;

/// An exchange whose answer gave values.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) id: String,
    pub(super) at: u64,
    /// When its answer was whole, in microseconds.
    pub(super) ended: u64,
    /// Its path, without the query.
    pub(super) path: String,
}

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) answered: Arc<Answered>,
    pub(super) from: CaptureFrom,
    /// Of the field, header or cookie.
    pub(super) name: Arc<str>,
    pub(super) is_secret: bool,
    /// Whether the capture is in the journal.
    pub(super) is_journaled: bool,
}

/// It holds secrets, hence no `Debug`.
#[derive(Default)]
pub(super) struct SessionValues {
    by_text: HashMap<Arc<str>, Vec<Source>>,
    order: VecDeque<Arc<str>>,
    bytes: usize,
    secrets: Known,
    sent: HashSet<Arc<str>>,
    fresh: HashMap<Arc<str>, (u64, FreshId)>,
    next_fresh: u64,
}

impl SessionValues {
    /// Whether a value may be bound at all: others are not worth keeping.
    pub(super) fn is_worth_keeping(name: &str, text: &str, is_string: bool) -> bool {
        is_strong(text, is_string) || (is_id_name(name) && is_short(text))
    }

    /// Takes a value of an answer, unless the client itself sent it before.
    pub(super) fn give(&mut self, text: &str, source: Source) {
        if source.is_secret {
            self.learn(text);
        }
        if self.sent.contains(text) || self.fresh.contains_key(text) {
            return;
        }
        if let Some(sources) = self.by_text.get_mut(text) {
            if sources.len() == SOURCES {
                sources.remove(0);
            }
            sources.push(source);
            return;
        }
        let text: Arc<str> = text.into();
        self.bytes += text.len();
        self.order.push_back(Arc::clone(&text));
        self.by_text.insert(text, vec![source]);
        while self.order.len() > MAX_VALUES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= oldest.len();
            self.by_text.remove(&oldest);
        }
    }

    /// The best source of a value that is sent at `at`. Of the answers that had arrived by then:
    /// one with the same name, then the latest, then the one with the shortest pointer.
    pub(super) fn find(&mut self, place: &Place, at: u64, rules: &Rules) -> Option<&mut Source> {
        let sources = self.by_text.get_mut(place.value.as_str())?;
        let is_strong = is_strong(&place.value, true) || place.is_secret();
        let rank = |source: &Source| {
            let length = match &source.from {
                CaptureFrom::Json { pointer, .. } => pointer.len(),
                _ => 0,
            };
            let is_same = is_same_name(place, source, rules);
            (is_same, source.answered.ended, std::cmp::Reverse(length))
        };
        sources
            .iter_mut()
            .filter(|source| source.answered.ended <= at)
            .filter(|source| is_strong || is_same_name(place, source, rules))
            .max_by_key(|source| rank(source))
    }

    /// The key of an id that the client generated: a new key for a value not sent before.
    pub(super) fn fresh(&mut self, text: &str, like: FreshId) -> String {
        if self.fresh.len() > MAX_SENT {
            self.fresh.clear();
        }
        let next = &mut self.next_fresh;
        let (number, _) = *self.fresh.entry(text.into()).or_insert_with(|| {
            *next += 1;
            (*next, like)
        });
        format!("f{number}")
    }

    /// The key of an id that the client generated earlier.
    pub(super) fn known_fresh(&self, text: &str) -> Option<(String, FreshId)> {
        self.fresh.get(text).map(|(number, like)| (format!("f{number}"), *like))
    }

    /// Notes a value that did not come from an answer.
    pub(super) fn note_sent(&mut self, text: &str) {
        if !self.sent.contains(text) && !self.by_text.contains_key(text) {
            if self.sent.len() >= MAX_SENT {
                self.sent.clear();
            }
            self.sent.insert(text.into());
        }
    }

    /// Nothing is bound to the JSON of this answer: its pointers may not be stored.
    pub(super) fn take_back(&mut self, id: &str) {
        let is_kept = |source: &Source| {
            source.answered.id != id || !matches!(source.from, CaptureFrom::Json { .. })
        };
        // A value without a source is found by nobody.
        for sources in self.by_text.values_mut() {
            sources.retain(is_kept);
        }
    }

    /// From now on the session is known to hold this secret.
    pub(super) fn learn(&mut self, secret: &str) {
        self.secrets.add(secret.into());
    }

    pub(super) fn secrets(&self) -> &Known {
        &self.secrets
    }

    pub(super) fn set_account(&mut self, account: &Account) {
        self.secrets.set_account(account);
    }

    /// The secrets from the answer to `id` whose captures are not journaled yet.
    pub(super) fn unjournaled_secrets_of(&mut self, id: &str) -> impl Iterator<Item = &mut Source> {
        // Cookies are left to the cookie jar.
        let is_cookie = |source: &Source| matches!(source.from, CaptureFrom::Cookie(_));
        self.by_text.values_mut().flatten().filter(move |source| {
            source.is_secret
                && !source.is_journaled
                && !is_cookie(source)
                && source.answered.id == id
        })
    }
}

/// A value that is unlikely to occur twice by chance.
pub(super) fn is_strong(text: &str, is_string: bool) -> bool {
    if !(8..=4096).contains(&text.len()) {
        return false;
    }
    if !is_string {
        return text.len() >= 9 && text.bytes().all(|b| b.is_ascii_digit());
    }
    let (mut digits, mut small, mut capital) = (0, 0, 0);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'z' => small += 1,
            b'A'..=b'Z' => capital += 1,
            b' ' | b'\t' | b'\n' | b'\r' => return false,
            _ => {}
        }
    }
    // A name with few digits, such as device_1234, is one of only thousands.
    let is_mixed = digits >= 2 && small >= 2 && capital >= 2 && text.len() >= 10;
    digits >= 5 || is_mixed || (digits > 0 && text.len() >= 20)
}

fn is_short(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.contains(char::is_whitespace)
}

/// Whether a field of this name usually holds an identifier.
pub(super) fn is_id_name(name: &str) -> bool {
    const ENDS: [&str; 17] = [
        "id",
        "ids",
        "uuid",
        "guid",
        "number",
        "key",
        "code",
        "cursor",
        "ref",
        "slug",
        "etag",
        "version",
        "csrf",
        "nonce",
        "state",
        "token",
        "reference",
    ];
    let name = name.to_ascii_lowercase();
    ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether place and source are named alike, without which a short value is not bound.
fn is_same_name(place: &Place, source: &Source, rules: &Rules) -> bool {
    let name = source.name.as_ref();
    match &place.segment {
        None => {
            let sent = place.name.as_str();
            sent.eq_ignore_ascii_case(name)
                || rules.are_same(sent, name)
                || (name.eq_ignore_ascii_case("id") && is_id_of(sent, &source.answered.path))
        }
        Some(Segment { before, .. }) => {
            let collection = singular(before);
            // `/users/17` after `GET /users` gave an `id`, or anything a `user_id`.
            (name.eq_ignore_ascii_case("id")
                && source.answered.path.split('/').any(|segment| segment == before))
                || is_of(name, collection)
        }
    }
}

/// Whether `incident_id` is the id of what `/incidents` lists.
fn is_id_of(sent: &str, path: &str) -> bool {
    path.split('/').any(|segment| !segment.is_empty() && is_of(sent, singular(segment)))
}

/// Whether a field's name is `user_id`, `userId` and the like, of `user`.
fn is_of(name: &str, thing: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_prefix(&thing.to_ascii_lowercase()).is_some_and(|rest| {
        matches!(rest.trim_start_matches('_'), "id" | "uuid" | "number" | "key")
    })
}

fn singular(plural: &str) -> &str {
    plural.strip_suffix('s').unwrap_or(plural)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redact::Verdict;
    use trace::format::Encoding;

    fn source(id: &str, ended: u64, pointer: &str, name: &str) -> Source {
        let path = "/api/users".to_owned();
        let answered = Arc::new(Answered { id: id.to_owned(), at: 0, ended, path });
        let from = CaptureFrom::Json { pointer: pointer.to_owned(), lists: Vec::new() };
        Source { answered, from, name: name.into(), is_secret: false, is_journaled: false }
    }

    fn named(name: &str, value: &str) -> Place {
        Place {
            name: name.to_owned(),
            segment: None,
            value: value.to_owned(),
            range: 0..value.len(),
            encode: Some(Encoding::Raw),
            is_text: true,
            is_nested: false,
            verdict: Verdict::Harmless,
        }
    }

    fn segment(before: &str, value: &str) -> Place {
        let segment = Segment { number: 2, before: before.to_owned() };
        Place { segment: Some(segment), ..named("", value) }
    }

    fn found(values: &mut SessionValues, place: &Place, at: u64) -> Option<String> {
        values.find(place, at, &Rules::default()).map(|source| source.answered.id.clone())
    }

    const UUID: &str = "8c1d2f00-0000-4000-8000-0123456789ab";

    #[test]
    fn the_latest_answer_that_was_there_by_then_is_the_source() {
        let mut values = SessionValues::default();
        for (id, ended) in [("r1", 10), ("r2", 20), ("r3", 30)] {
            values.give(UUID, source(id, ended, "/0/id", "id"));
        }
        assert_eq!(found(&mut values, &named("x", UUID), 25).as_deref(), Some("r2"));
        assert_eq!(found(&mut values, &named("x", UUID), 5), None);
    }

    #[test]
    fn of_several_the_one_of_the_same_name_is_taken() {
        let mut values = SessionValues::default();
        values.give(UUID, source("r1", 10, "/agency_id", "agency_id"));
        values.give(UUID, source("r2", 20, "/id", "id"));
        assert_eq!(found(&mut values, &named("agency_id", UUID), 30).as_deref(), Some("r1"));
    }

    #[test]
    fn short_values_need_a_second_sign() {
        let mut values = SessionValues::default();
        values.give("17", source("r1", 10, "/0/id", "id"));
        assert_eq!(found(&mut values, &segment("users", "17"), 20).as_deref(), Some("r1"));
        assert_eq!(found(&mut values, &named("user_id", "17"), 20).as_deref(), Some("r1"));
        assert_eq!(found(&mut values, &segment("pages", "17"), 20), None);
        assert_eq!(found(&mut values, &named("priority", "17"), 20), None);
    }

    #[test]
    fn an_echo_of_what_the_client_sent_is_not_the_answers() {
        let mut values = SessionValues::default();
        values.note_sent("device_12345");
        values.give("device_12345", source("r1", 10, "/source_id", "source_id"));
        assert_eq!(found(&mut values, &named("source_id", "device_12345"), 20), None);
        let key = values.fresh(UUID, FreshId::Uuid);
        values.give(UUID, source("r1", 10, "/id", "id"));
        assert_eq!(found(&mut values, &named("id", UUID), 20), None);
        assert_eq!(values.known_fresh(UUID), Some((key, FreshId::Uuid)));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_make_room() {
        let mut values = SessionValues::default();
        for number in 0..3 * MAX_VALUES {
            values.give(&format!("{number:0200}"), source("r", 1, "/id", "id"));
        }
        assert!(values.bytes <= MAX_BYTES && values.order.len() == values.by_text.len());
        let last = format!("{:0200}", 3 * MAX_VALUES - 1);
        assert!(found(&mut values, &named("x", &last), 2).is_some());
    }
}
