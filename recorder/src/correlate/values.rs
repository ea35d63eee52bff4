//! What a session knows: values from answers, and those that its client generated.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use manifest::format::Account;
use redact::{Known, Place};

use super::fresh::{Fresh, Made};
use super::rules::Rules;
use super::source::{Answered, Rank, Source, Wanted, is_strong, sent_name};
use trace::format::CaptureFrom;

/// Bound a session's memory: values from answers, and their bytes. The oldest are dropped first.
const MAX_VALUES: usize = 4096;
const MAX_BYTES: usize = 512 << 10;

/// Values that the client sent without having got them from an answer. When there are more, all
/// of them are forgotten.
const MAX_SENT: usize = 8192;

/// From how many answers the same value is remembered.
const SOURCES: usize = 8;

/// It holds secrets, hence no `Debug`.
#[derive(Default)]
pub(super) struct SessionValues {
    by_text: HashMap<Arc<str>, Given>,
    order: VecDeque<Arc<str>>,
    bytes: usize,
    secrets: Known,
    sent: Sent,
    fresh: Fresh,
}

/// What the client sent as its own.
#[derive(Default)]
struct Sent {
    /// Values that tell by themselves what they are.
    strong: HashSet<Box<str>>,
    /// Of the others, under which names.
    named: HashMap<Box<str>, Vec<Box<str>>>,
    /// How many values there are, each counted for each of its names.
    count: usize,
}

impl Sent {
    fn note(&mut self, text: &str) {
        if !self.strong.contains(text) {
            self.make_room();
            self.strong.insert(text.into());
        }
    }

    fn note_as(&mut self, name: &str, text: &str) {
        if !self.named.get(text).is_some_and(|names| names.iter().any(|known| **known == *name)) {
            self.make_room();
            self.named.entry(text.into()).or_default().push(name.into());
        }
    }

    fn make_room(&mut self) {
        if self.count >= MAX_SENT {
            *self = Self::default();
        }
        self.count += 1;
    }
}

#[derive(Default)]
struct Given {
    sources: Vec<Source>,
    /// Something was bound to it since it was last at the end of the order.
    is_used: bool,
}

/// What a value may be bound to.
pub(super) struct Candidate<'a> {
    pub(super) source: &'a mut Source,
    /// Another one, of something else, would have been as good.
    pub(super) is_ambiguous: bool,
}

impl SessionValues {
    /// Takes a value of an answer, unless the client itself sent it before: in the request that is
    /// answered, whose places with this value are `said`, or in an earlier one.
    pub(super) fn give(&mut self, text: &str, source: Source, said: &[&Place], rules: &Rules) {
        if source.is_secret {
            self.learn(text);
        } else if is_echo(text, &source, said, rules) {
            return;
        }
        if self.is_sent(text, &source) || self.fresh.knows(text) {
            return;
        }
        if let Some(given) = self.by_text.get_mut(text) {
            // Of several that mean the same the first is as good as any.
            if given.sources.iter().any(|known| known.means_the_same(&source)) {
                return;
            }
            if given.sources.len() == SOURCES {
                // The least near is the easiest to miss, and of those the oldest.
                let least = |of: &&mut Source| (of.nearness(""), of.answered.ended);
                if let Some(worst) = given.sources.iter_mut().min_by_key(least) {
                    *worst = source;
                }
                return;
            }
            given.sources.push(source);
            return;
        }
        let text: Arc<str> = text.into();
        self.bytes += text.len();
        self.order.push_back(Arc::clone(&text));
        self.by_text.insert(text, Given { sources: vec![source], is_used: false });
        while self.order.len() > MAX_VALUES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            // What is in use is as good as new.
            if let Some(given) = self.by_text.get_mut(&oldest)
                && std::mem::take(&mut given.is_used)
            {
                self.order.push_back(oldest);
                continue;
            }
            self.bytes -= oldest.len();
            self.by_text.remove(&oldest);
        }
    }

    /// Whether this answer gave the value already, in a field that means the same.
    pub(super) fn has_of_json(
        &self,
        text: &str,
        answered: &Arc<Answered>,
        name: &str,
        of: Option<&str>,
    ) -> bool {
        let is_same = |source: &Source| source.is_json_of(answered, name, of);
        self.by_text.get(text).is_some_and(|given| given.sources.iter().any(is_same))
    }

    fn is_sent(&self, text: &str, source: &Source) -> bool {
        if is_strong(text, true) || source.is_secret {
            return self.sent.strong.contains(text);
        }
        // Hardly any value was: only of those that were it matters what they are called.
        let names = self.sent.named.get(text);
        names.is_some_and(|names| {
            source.sent_names().iter().any(|name| names.iter().any(|sent| **sent == **name))
        })
    }

    /// The best source of a value for a place, of the answers that were there by then.
    pub(super) fn find(&mut self, wanted: Wanted<'_>, rules: &Rules) -> Option<Candidate<'_>> {
        let text = wanted.place.value.as_str();
        let Given { sources, is_used } = self.by_text.get_mut(text)?;
        let is_strong = is_strong(text, true) || wanted.place.is_secret();
        // One of a list says again what the client made a part of.
        let is_in_list = sources.iter().any(|source| source.is_item);
        let has_own = is_in_list && self.fresh.within(text).is_some();
        let ranked: Vec<(usize, Rank)> = sources
            .iter()
            .enumerate()
            .filter(|(_, source)| source.answered.ended <= wanted.at)
            .filter(|(_, source)| !(source.is_item && has_own))
            .map(|(index, source)| (index, source.rank(wanted, rules)))
            .filter(|(index, rank)| {
                is_strong || rank.is_named_alike || sources[*index].is_own_name(text)
            })
            .collect();
        let (best, rank) = ranked.iter().max_by(|a, b| a.1.cmp(&b.1))?;
        let is_other = |(index, other): &(usize, Rank)| {
            let (source, best) = (&sources[*index], &sources[*best]);
            (&source.name, &source.of) != (&best.name, &best.of) && other.kind() == rank.kind()
        };
        let is_ambiguous = !is_strong && ranked.iter().any(is_other);
        *is_used = true;
        Some(Candidate { source: &mut sources[*best], is_ambiguous })
    }

    /// Whether an answer gave this text, or the client sent it before as its own: it was not made
    /// for this request.
    pub(super) fn was_there(&self, text: &str) -> bool {
        self.by_text.contains_key(text) || self.sent.strong.contains(text)
    }

    pub(super) fn fresh(&mut self) -> &mut Fresh {
        &mut self.fresh
    }

    /// What the client made of this value earlier.
    pub(super) fn known_fresh(&self, text: &str) -> Option<Made> {
        self.fresh.of(text)
    }

    /// A part of a longer text that the client made earlier.
    pub(super) fn fresh_within(&self, text: &str) -> Option<Made> {
        self.fresh.within(text)
    }

    /// Notes a value that did not come from an answer.
    pub(super) fn note_sent(&mut self, place: &Place) {
        let text = place.value.as_str();
        if is_strong(text, true) {
            if !self.by_text.contains_key(text) {
                self.sent.note(text);
            }
        } else if text.len() <= 160 {
            self.sent.note_as(&sent_name(place), text);
        }
    }

    /// Nothing is bound to the JSON of this answer: its pointers may not be stored.
    pub(super) fn take_back(&mut self, id: &str) {
        let is_kept = |source: &Source| {
            source.answered.id != id || !matches!(source.from, CaptureFrom::Json { .. })
        };
        // A value without a source is found by nobody.
        for given in self.by_text.values_mut() {
            given.sources.retain(is_kept);
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
        self.by_text.values_mut().flat_map(|given| &mut given.sources).filter(move |source| {
            source.is_secret
                && !source.is_journaled
                && !is_cookie(source)
                && source.answered.id == id
        })
    }
}

/// Whether an answer only says again what the request said.
fn is_echo(text: &str, source: &Source, said: &[&Place], rules: &Rules) -> bool {
    let is_again = |place: &&Place| {
        let wanted = Wanted { place, path: &source.answered.path, at: source.answered.at };
        source.is_named_alike(wanted, rules)
    };
    !said.is_empty() && (is_strong(text, true) || said.iter().any(is_again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redact::{Segment, Verdict};
    use trace::format::{Encoding, FreshId};

    fn source(id: &str, ended: u64, pointer: &str, name: &str) -> Source {
        let (path, at) = ("/api/users".to_owned(), 0);
        let is = false;
        let answered = Answered { id: id.to_owned(), at, ended, path, is_write: is, is_login: is };
        Source {
            answered: Arc::new(answered),
            from: CaptureFrom::Json { pointer: pointer.to_owned(), lists: Vec::new() },
            name: name.into(),
            of: None,
            link: None,
            is_item: false,
            is_secret: false,
            is_journaled: false,
        }
    }

    fn give(values: &mut SessionValues, text: &str, source: Source) {
        values.give(text, source, &[], &Rules::default());
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
        let wanted = Wanted { place, path: "/x", at };
        let found = values.find(wanted, &Rules::default());
        found.map(|found| found.source.answered.id.clone())
    }

    const UUID: &str = "8c1d2f00-0000-4000-8000-0123456789ab";

    #[test]
    fn the_latest_answer_that_was_there_by_then_is_the_source() {
        let mut values = SessionValues::default();
        for (id, ended) in [("r1", 10), ("r2", 20), ("r3", 30)] {
            give(&mut values, UUID, source(id, ended, "/0/id", "id"));
        }
        assert_eq!(found(&mut values, &named("x", UUID), 25).as_deref(), Some("r2"));
        assert_eq!(found(&mut values, &named("x", UUID), 5), None);
    }

    #[test]
    fn of_several_the_one_of_the_same_name_is_taken() {
        let mut values = SessionValues::default();
        give(&mut values, UUID, source("r1", 10, "/agency_id", "agency_id"));
        give(&mut values, UUID, source("r2", 20, "/id", "id"));
        assert_eq!(found(&mut values, &named("agency_id", UUID), 30).as_deref(), Some("r1"));
    }

    #[test]
    fn short_values_need_a_second_sign() {
        let mut values = SessionValues::default();
        give(&mut values, "17", source("r1", 10, "/0/id", "id"));
        assert_eq!(found(&mut values, &segment("users", "17"), 20).as_deref(), Some("r1"));
        assert_eq!(found(&mut values, &named("user_id", "17"), 20).as_deref(), Some("r1"));
        assert_eq!(found(&mut values, &segment("pages", "17"), 20), None);
        assert_eq!(found(&mut values, &named("priority", "17"), 20), None);
    }

    #[test]
    fn an_echo_of_what_the_client_sent_is_not_the_answers() {
        let mut values = SessionValues::default();
        values.note_sent(&named("source_id", "device_12345"));
        give(&mut values, "device_12345", source("r1", 10, "/source_id", "source_id"));
        assert_eq!(found(&mut values, &named("source_id", "device_12345"), 20), None);
        let made = values.fresh().whole(UUID, FreshId::Uuid);
        give(&mut values, UUID, source("r1", 10, "/id", "id"));
        assert_eq!(found(&mut values, &named("id", UUID), 20), None);
        assert_eq!(values.known_fresh(UUID), Some(made));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_make_room() {
        let mut values = SessionValues::default();
        for number in 0..3 * MAX_VALUES {
            give(&mut values, &format!("{number:0200}"), source("r", 1, "/id", "id"));
        }
        assert!(values.bytes <= MAX_BYTES && values.order.len() == values.by_text.len());
        let last = format!("{:0200}", 3 * MAX_VALUES - 1);
        assert!(found(&mut values, &named("x", &last), 2).is_some());
    }
}
