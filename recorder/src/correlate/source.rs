//! Where a value came from, and how well that explains a place in which it is sent.

use std::sync::Arc;

use redact::{Place, Segment};

use super::names::{is_generic, is_id_name, is_of_people, is_user_name, same_thing};
use super::rules::Rules;
use trace::format::CaptureFrom;

/// An exchange whose answer gave values.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) id: String,
    pub(super) at: u64,
    /// When its answer was whole, in microseconds.
    pub(super) ended: u64,
    /// Its path, without the query.
    pub(super) path: String,
    /// Whether it may have made what it gave.
    pub(super) is_write: bool,
    /// Whether it was a login, or made an account.
    pub(super) is_login: bool,
}

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) answered: Arc<Answered>,
    pub(super) from: CaptureFrom,
    /// Of the field, header or cookie; `id` for what stands in the path of a link.
    pub(super) name: Arc<str>,
    /// What the value is of: the object that has the field, the segment before it in a link.
    pub(super) of: Option<Arc<str>>,
    /// Of a link, the path up to the value.
    pub(super) link: Option<Arc<str>>,
    /// Whether it is one of several of its kind.
    pub(super) is_item: bool,
    pub(super) is_secret: bool,
    /// Whether the capture is in the journal.
    pub(super) is_journaled: bool,
}

/// A place that a value is wanted for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) place: &'a Place,
    /// The request's path without its query.
    pub(super) path: &'a str,
    /// When the request was sent.
    pub(super) at: u64,
}

/// How near a source is to what a session does: the nearest is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nearness {
    /// One of several, any of which may be meant.
    Item,
    /// The only one in its answer.
    Single,
    /// Of the same resource.
    SamePath,
    /// The session itself made it.
    Written,
    /// Of the account.
    Own,
}

/// How good a source is for a place; the best is the greatest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    is_own: bool,
    pub(super) is_named_alike: bool,
    nearness: Nearness,
    ended: u64,
    shortest: std::cmp::Reverse<usize>,
}

impl Rank {
    /// Without what only says which of two answers of one kind is meant.
    pub(super) fn kind(&self) -> (bool, bool, Nearness) {
        (self.is_own, self.is_named_alike, self.nearness)
    }
}

impl Source {
    pub(super) fn rank(&self, wanted: Wanted<'_>, rules: &Rules) -> Rank {
        let nearness = self.nearness(wanted.path);
        let length = match &self.from {
            CaptureFrom::Json { pointer, .. } => pointer.len(),
            _ => 0,
        };
        Rank {
            is_own: nearness == Nearness::Own,
            is_named_alike: self.is_named_alike(wanted, rules),
            nearness,
            ended: self.answered.ended,
            shortest: std::cmp::Reverse(length),
        }
    }

    pub(super) fn nearness(&self, path: &str) -> Nearness {
        let own = self.answered.path.trim_end_matches('/');
        let is_same_path = path
            .strip_prefix(own)
            .is_some_and(|rest| !own.is_empty() && (rest.is_empty() || rest.starts_with('/')));
        match self.is_item {
            false if self.answered.is_login => Nearness::Own,
            false if self.answered.is_write => Nearness::Written,
            _ if is_same_path => Nearness::SamePath,
            false => Nearness::Single,
            true => Nearness::Item,
        }
    }

    /// Whether both are the same field of the same kind of thing in one answer.
    pub(super) fn means_the_same(&self, other: &Self) -> bool {
        let is_json = |source: &Self| matches!(source.from, CaptureFrom::Json { .. });
        Arc::ptr_eq(&self.answered, &other.answered)
            && is_json(self) == is_json(other)
            && (&self.name, &self.of, &self.link) == (&other.name, &other.of, &other.link)
    }

    /// Whether it is this field of the JSON of this answer, and not of a link.
    pub(super) fn is_json_of(
        &self,
        answered: &Arc<Answered>,
        name: &str,
        of: Option<&str>,
    ) -> bool {
        Arc::ptr_eq(&self.answered, answered)
            && matches!(self.from, CaptureFrom::Json { .. })
            && (&*self.name, self.of.as_deref(), &self.link) == (name, of, &None)
    }

    /// Whether it says who the client is, under whatever name that is sent.
    pub(super) fn is_own_name(&self, text: &str) -> bool {
        self.answered.is_login && !self.is_item && is_user_name(&self.name) && text.len() >= 3
    }

    /// Whether place and source mean the same, without which a short value is not bound.
    pub(super) fn is_named_alike(&self, wanted: Wanted<'_>, rules: &Rules) -> bool {
        match &wanted.place.segment {
            None => self.is_named(wanted, rules),
            Some(segment) => self.is_of_segment(segment, wanted, rules),
        }
    }

    fn is_named(&self, wanted: Wanted<'_>, rules: &Rules) -> bool {
        let (name, sent) = (&*self.name, wanted.place.name.as_str());
        if rules.are_same(sent, name) || self.is_same_by_rule(sent, rules) {
            return true;
        }
        if !is_generic(name) {
            return sent.eq_ignore_ascii_case(name);
        }
        if sent.eq_ignore_ascii_case(name) {
            // `id` says nothing: it has to be of the same resource.
            let path = wanted.path.trim_end_matches('/');
            return path == self.answered.path.trim_end_matches('/')
                || path.split('/').any(|segment| !segment.is_empty() && self.is_of(segment));
        }
        super::names::thing_of_id(sent).is_some_and(|thing| self.is_of(thing))
    }

    fn is_of_segment(&self, segment: &Segment, wanted: Wanted<'_>, rules: &Rules) -> bool {
        let (name, before) = (&*self.name, segment.before.as_str());
        if rules.are_same(before, name) || self.is_same_by_rule(before, rules) {
            return true;
        }
        if let Some(link) = &self.link {
            // Where a link led, the same path leads again.
            let prefix = wanted.path.get(..wanted.place.range.start);
            return prefix.is_some_and(|prefix| prefix == &**link);
        }
        // No thing is found by its version.
        let is_id = is_generic(name) && !name.eq_ignore_ascii_case("version");
        if is_id && self.is_of(before) || is_user_name(name) && is_of_people(before) {
            return true;
        }
        super::names::thing_of_id(name).is_some_and(|thing| same_thing(thing, before))
    }

    /// By a rule that names the field with what has it: `article.slug`.
    fn is_same_by_rule(&self, sent: &str, rules: &Rules) -> bool {
        let Some(of) = self.of.as_deref().filter(|_| rules.has_same()) else { return false };
        rules.are_same(sent, &format!("{of}.{}", self.name))
    }

    /// Whether the value is one of this thing, or of this collection of them.
    pub(super) fn is_of(&self, thing: &str) -> bool {
        match &self.of {
            Some(of) => same_thing(of, thing),
            None => self.things_of_path().any(|of| same_thing(of, thing)),
        }
    }

    /// What an answer is about that does not say it: the collection that the path ends with, else
    /// any segment.
    fn things_of_path(&self) -> impl Iterator<Item = &str> {
        let path = self.answered.path.trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        let is_collection = last.len() > 3 && last.ends_with('s') && !last.ends_with("ss");
        let all = if is_collection { last } else { path };
        all.split('/').filter(|segment| !segment.is_empty())
    }

    /// Under which names a client sends the value that knows it by itself.
    pub(super) fn sent_names(&self) -> Vec<String> {
        let mut names = vec![self.name.to_ascii_lowercase()];
        if is_generic(&self.name) {
            match &self.of {
                Some(of) => names.push(id_of(of)),
                None => names.extend(self.things_of_path().map(id_of)),
            }
        }
        names
    }
}

/// Under which name a place sends its value.
pub(super) fn sent_name(place: &Place) -> String {
    match &place.segment {
        Some(segment) => id_of(&segment.before),
        None => match super::names::thing_of_id(&place.name) {
            Some(thing) => id_of(thing),
            None => place.name.to_ascii_lowercase(),
        },
    }
}

fn id_of(thing: &str) -> String {
    format!("{}_id", super::names::singular(thing))
}

/// Whether a value may be bound at all: others are not worth keeping.
pub(super) fn is_worth_keeping(name: &str, text: &str, is_string: bool) -> bool {
    is_strong(text, is_string)
        || is_short(text) && (is_id_name(name) || is_user_name(name) || is_random(text))
}

/// Letters in no order that a word has, as of the ids of sessions: no digit is needed for that.
fn is_random(text: &str) -> bool {
    let count = |is: fn(&u8) -> bool| text.bytes().filter(is).count();
    let turns = text.as_bytes().windows(2).filter(|pair| {
        pair[0].is_ascii_uppercase() && pair[1].is_ascii_uppercase()
            || pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()
    });
    text.len() >= 16
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && count(u8::is_ascii_uppercase) >= 5
        && count(u8::is_ascii_lowercase) >= 5
        && turns.count() >= 5
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
    (1..=160).contains(&text.len()) && !text.contains(char::is_whitespace)
}

/// What a segment of a link may be a value by: a number, or words with something between them.
/// `users`, `v1` and `app.js` are names.
pub(super) fn may_be_value(segment: &str) -> bool {
    is_short(segment)
        && !segment.contains([':', '{'])
        && (is_strong(segment, true)
            || !segment.contains('.') && (is_number(segment) || is_slug(segment)))
}

/// As [`may_be_value`], for a segment of a path that has this before it. What stands right below
/// the root is a value only if it has digits; and where an id is before it, a word would be found
/// again for that id alone, and is as likely a part of the route.
pub(super) fn may_be_value_below(before: &str, segment: &str) -> bool {
    let is_id = |of: &str| is_strong(of, true) || is_number(of);
    may_be_value(segment)
        && (segment.bytes().any(|b| b.is_ascii_digit())
            || before != "/" && !before.split('/').any(is_id))
}

fn is_number(segment: &str) -> bool {
    (1..=18).contains(&segment.len()) && segment.bytes().all(|b| b.is_ascii_digit())
}

/// `how-to-bake`. Words with `_` between them and no digit, `time_entries`, are of routes.
pub(super) fn is_slug(segment: &str) -> bool {
    let is_of_words = segment.contains('-')
        || segment.contains('_') && segment.bytes().any(|b| b.is_ascii_digit());
    let mut pieces = segment.split(['-', '_']);
    let is_piece = |piece: &str| {
        !piece.is_empty()
            && piece.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%' || b >= 0x80)
    };
    segment.len() >= 5 && is_of_words && pieces.all(is_piece)
}
