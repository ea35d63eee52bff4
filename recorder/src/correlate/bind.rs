//! Decides what each place of a request is bound to.

use std::ops::Range;

use chrono::{DateTime, Utc};
use common::pieces::pieces;
use manifest::format::Account;

use super::client_values;
use super::counters::Counters;
use super::fresh::{Made, counted, in_written, is_address, tells_itself};
use super::names::{is_id_name, is_user_name};
use super::rules::{FreshForm, Rules};
use super::signup::{Entry, is_often_unique};
use super::source::{Source, Wanted, is_strong};
use super::values::SessionValues;
use crate::edits::{Edit, slot};
use redact::{Found, Place, Redactor, Verdict, is_secret_field};
use trace::format::{self, AttributePart, Capture, CaptureFrom, Encoding, Origin};
use trace::journal::LateCapture;

/// Binds the places of one request.
pub(super) struct Binder<'a> {
    pub(super) values: &'a mut SessionValues,
    pub(super) rules: &'a Rules,
    pub(super) account: Option<&'a Account>,
    /// When the request was sent: microseconds on the recording's clock, and the wall clock.
    pub(super) at: u64,
    pub(super) now: DateTime<Utc>,
    pub(super) method: &'a str,
    /// Its path without the query.
    pub(super) path: &'a str,
    pub(super) entry: Entry,
    /// What numbers other sessions counted to.
    pub(super) counters: &'a mut Counters,
    /// Captures that turned out to be needed.
    pub(super) captures: Vec<LateCapture>,
    /// Numbers of path segments that are bound.
    pub(super) segments: Vec<usize>,
}

/// What a place is bound to.
struct Bound {
    from: Origin,
    is_secret: bool,
    is_ambiguous: bool,
    /// The part of the value that is bound, where it is not all of it.
    range: Option<Range<usize>>,
}

impl Bound {
    fn to(from: Origin, is_secret: bool) -> Self {
        Self { from, is_secret, is_ambiguous: false, range: None }
    }
}

impl From<Made> for Bound {
    fn from(Made { range, key, like, only: _ }: Made) -> Self {
        Self { range: Some(range), ..Self::to(Origin::Fresh { key, like }, false) }
    }
}

impl Binder<'_> {
    /// What to change in a part of the request, of which these are the places. `is_content`: it is
    /// what the client has to say, not a header.
    pub(super) fn edits(&mut self, part: &[u8], places: &[Place], is_content: bool) -> Vec<Edit> {
        let mut edits = Vec::new();
        for place in places {
            self.place(place, part, is_content, &mut edits);
        }
        self.found(part, places, &mut edits);
        edits
    }

    fn place(&mut self, place: &Place, part: &[u8], is_content: bool, edits: &mut Vec<Edit>) {
        let is_secret = place.is_secret();
        // What stands within another value is bound with it, but for secrets.
        if place.value.is_empty()
            || !is_secret
                && (place.is_nested || place.encode.is_none() || self.rules.is_kept(&place.name))
        {
            return;
        }
        let slot = || Bound::to(slot(named(place)), true);
        let bound = match (place.encode, self.whole(place, is_secret, is_content)) {
            // Replay cannot write it there.
            (None, _) => Some(slot()),
            (_, Some(bound)) => Some(bound),
            (_, None) => is_secret.then(slot),
        };
        let encode = place.encode.unwrap_or_default();
        let written = &part[place.range.clone()];
        let bound = bound.and_then(|bound| {
            let range = match &bound.range {
                Some(range) => in_written(&place.value, range, written, encode)?,
                None => 0..written.len(),
            };
            let start = place.range.start;
            Some((start + range.start..start + range.end, bound))
        });
        match bound {
            Some((range, Bound { from, is_secret, is_ambiguous: ambiguous, .. })) => {
                if let Some(segment) = &place.segment {
                    self.segments.push(segment.number);
                }
                let encode = match from {
                    Origin::Capture { .. } => as_written(&place.value, written, encode),
                    _ => encode,
                };
                edits.push(Edit { range, from, encode, is_secret, ambiguous });
            }
            None => {
                self.within(place, part, edits);
                self.values.note_sent(place);
            }
        }
    }

    /// What a value is bound to by itself.
    fn whole(&mut self, place: &Place, is_secret: bool, is_content: bool) -> Option<Bound> {
        if let Some(field) = self.account_field(place) {
            let is_secret = is_secret || is_secret_field(&field);
            return Some(Bound::to(Origin::Account(field), is_secret));
        }
        if let Some(bound) = self.captured(place) {
            return Some(Bound { is_secret: is_secret || bound.is_secret, ..bound });
        }
        if is_secret {
            return None;
        }
        let text = place.value.as_str();
        // Of a text of many words each is looked at by itself.
        let is_word = !text.contains(|c: char| c.is_whitespace() || c == '/');
        let part = || self.values.fresh_within(text).filter(|_| is_word);
        if let Some(made) = self.known_fresh(place).or_else(part) {
            return Some(made.into());
        }
        if let Some(format) = client_values::time(text, self.now) {
            return Some(Bound::to(Origin::Clock(format), false));
        }
        // What a rule says goes before what a value looks like.
        if is_content && let Some(made) = self.made_by_rule(place) {
            return Some(made.into());
        }
        // An id in the path may be the client's own where that puts it there.
        let is_own = self.method == "PUT" || place.segment.is_none();
        let like = client_values::id(text)
            .or_else(|| client_values::number(text).filter(|_| is_id_name(&place.name)));
        if let Some(like) = like.filter(|_| is_own) {
            return Some(self.values.fresh().whole(text, like).into());
        }
        (is_content && self.is_made(place))
            .then(|| self.values.fresh().part(text, &place.name).into())
    }

    fn known_fresh(&self, place: &Place) -> Option<Made> {
        self.values.known_fresh(&place.value).filter(|made| made.is_under(&place.name))
    }

    /// Whether the client says something new here, so that the value may be its own.
    fn says_something(&self, place: &Place) -> bool {
        place.segment.is_none()
            && !format::is_safe(self.method)
            && self.entry != Entry::Login
            && place.value.len() <= 4096
    }

    fn made_by_rule(&mut self, place: &Place) -> Option<Made> {
        if !self.says_something(place) {
            return None;
        }
        let (text, name) = (place.value.as_str(), place.name.as_str());
        let fresh = self.values.fresh();
        Some(match self.rules.fresh(name)? {
            FreshForm::AsItIs => fresh.part(text, name),
            FreshForm::Like(pattern) => fresh.like(text, name, pattern),
        })
    }

    /// Whether a client made this value, which has to be another one each time.
    fn is_made(&mut self, place: &Place) -> bool {
        let (text, name) = (place.value.as_str(), place.name.as_str());
        if !place.is_text || !self.says_something(place) || text.contains("://") {
            return false;
        }
        let is_of_user = is_user_name(name);
        if self.entry == Entry::SignUp && (is_of_user || is_address(text)) {
            return true;
        }
        if is_of_user || is_often_unique(name) {
            // Five digits are no year and no count; of fewer it shows when the next one comes.
            return tells_itself(text, 5)
                || counted(text).is_some_and(|(stem, number)| {
                    stem.len() >= 3 && self.counters.goes_on(self.path, name, stem, number)
                });
        }
        !text.contains('/')
            && client_values::id_within(text)
                .is_some_and(|(range, _)| !self.values.was_there(&text[range]))
    }

    /// The field of the account that has this value: the one with the place's name, else one whose
    /// value is distinctive.
    fn account_field(&self, place: &Place) -> Option<String> {
        let fields = &self.account?.fields;
        let text = place.value.as_str();
        let has = |(_, value): &(&String, &String)| value.as_str() == text;
        let named =
            fields.iter().filter(has).find(|(field, _)| field.eq_ignore_ascii_case(&place.name));
        let telling = || {
            let tells = |value: &str| is_strong(value, true) || value.contains('@');
            let is_name = |field: &str, value: &str| is_user_name(field) && value.len() >= 3;
            fields.iter().filter(has).find(|(field, value)| {
                tells(value) || is_secret_field(field) || is_name(field, value)
            })
        };
        named.or_else(telling).map(|(field, _)| field.clone())
    }

    fn captured(&mut self, place: &Place) -> Option<Bound> {
        let wanted = Wanted { place, path: self.path, at: self.at };
        let found = self.values.find(wanted, self.rules)?;
        let (source, is_ambiguous) = (found.source, found.is_ambiguous);
        source.is_secret |= place.is_secret();
        if !source.is_journaled {
            self.captures.push(late_capture(source));
        }
        let name = capture_name(&source.from);
        let of = source.answered.id.clone();
        let bound = Bound::to(Origin::Capture { of, name }, source.is_secret);
        Some(Bound { is_ambiguous, ..bound })
    }

    /// Binds values within a longer text, such as ids in a URL or a message.
    fn within(&mut self, place: &Place, part: &[u8], edits: &mut Vec<Edit>) {
        let written = &part[place.range.clone()];
        // Ranges refer to the text as written, so the value must be written without escapes.
        if written != place.value.as_bytes() || written.len() > 4096 {
            return;
        }
        let written = place.value.as_str();
        for range in words(written) {
            let text = &written[range.clone()];
            if range.len() == written.len() {
                continue;
            }
            if !(is_strong(text, true) || text.len() >= 3 && self.values.fresh().knows(text)) {
                continue;
            }
            let encode = place.encode.unwrap_or_default();
            let at = place.range.start + range.start..place.range.start + range.end;
            let word = word(&written[range], at, encode, Verdict::Harmless);
            let known = self.captured(&word);
            let made = || self.known_fresh(&word).or_else(|| self.values.fresh_within(&word.value));
            let known = known.or_else(|| made().map(Bound::from));
            if let Some(Bound { from, is_secret, is_ambiguous: ambiguous, range }) = known {
                let start = word.range.start;
                let range =
                    range.map_or(word.range, |range| start + range.start..start + range.end);
                edits.push(Edit { range, from, encode, is_secret, ambiguous });
            }
        }
    }

    /// Secrets that the session knows and what looks like one, wherever they stand and however
    /// they are written.
    fn found(&mut self, part: &[u8], places: &[Place], edits: &mut Vec<Edit>) {
        let redactor = Redactor { names: &self.rules.names, known: self.values.secrets() };
        let found = redactor.find(part);
        if found.is_empty() {
            return;
        }
        let secret = edits.iter().filter(|edit| edit.is_secret);
        let mut covered: Vec<Range<usize>> = secret.map(|edit| edit.range.clone()).collect();
        covered.sort_unstable_by_key(|range| range.start);
        for found in found {
            let Found { range, secret, field, encode } = found;
            let before = covered.partition_point(|covered| covered.start <= range.start);
            if before > 0 && range.end <= covered[before - 1].end {
                continue;
            }
            // Where it stands as it is, it is written as what stands around it.
            let around = |place: &&Place| {
                !place.is_nested && place.range.start <= range.start && range.end <= place.range.end
            };
            let encode = match encode {
                Some(Encoding::Raw) => {
                    places.iter().find(around).map_or(encode, |place| place.encode)
                }
                other => other,
            };
            let from = match (encode, field) {
                (None, _) => slot("encoded_secret"),
                (Some(_), Some(field)) => Origin::Account(field),
                (Some(encode), None) => {
                    let word = word(&secret, range.clone(), encode, Verdict::Secret);
                    self.captured(&word).map_or_else(|| slot("secret"), |bound| bound.from)
                }
            };
            self.values.learn(&secret);
            edits.push(Edit {
                range,
                from,
                encode: encode.unwrap_or_default(),
                is_secret: true,
                ambiguous: false,
            });
        }
    }
}

/// How a value is encoded, so that it is written again as its client wrote it: many leave `/` and
/// `:` in a query as they are.
fn as_written(value: &str, written: &[u8], encode: Encoding) -> Encoding {
    let mut again = Vec::with_capacity(written.len());
    trace::values::encode(value, encode, &mut again);
    let is_as_it_is = encode == Encoding::Percent && written == value.as_bytes();
    if is_as_it_is && again != written { Encoding::Raw } else { encode }
}

/// A value that stands under no name.
fn word(value: &str, range: Range<usize>, encode: Encoding, verdict: Verdict) -> Place {
    Place {
        name: String::new(),
        segment: None,
        value: value.to_owned(),
        range,
        encode: Some(encode),
        is_text: true,
        is_nested: false,
        verdict,
    }
}

/// What a secret is called: of a path segment what stands before it.
fn named(place: &Place) -> &str {
    let before = place.segment.as_ref().map_or("secret", |segment| segment.before.as_str());
    if place.name.is_empty() { before } else { &place.name }
}

/// Captures of the secrets that the answer to `id` gave.
pub(super) fn secrets_of(values: &mut SessionValues, id: &str) -> Vec<LateCapture> {
    values.unjournaled_secrets_of(id).map(late_capture).collect()
}

/// The capture of a source, which from now on counts as journaled.
fn late_capture(source: &mut Source) -> LateCapture {
    source.is_journaled = true;
    LateCapture {
        of: source.answered.id.clone(),
        at: source.answered.at,
        capture: Capture {
            name: capture_name(&source.from),
            from: source.from.clone(),
            secret: source.is_secret,
        },
    }
}

/// Unique in its answer, and the same for the same place in another session's.
fn capture_name(from: &CaptureFrom) -> String {
    match from {
        CaptureFrom::Json { pointer, .. } => pointer.trim_start_matches('/').replace('/', "."),
        CaptureFrom::Header(name) => format!("header:{}", name.to_ascii_lowercase()),
        CaptureFrom::HeaderSegment { name, from_end } => {
            format!("header:{}:{from_end}", name.to_ascii_lowercase())
        }
        CaptureFrom::Cookie(name) => format!("cookie:{name}"),
        CaptureFrom::Form(name) => format!("form:{name}"),
        CaptureFrom::Meta(name) => format!("meta:{name}"),
        CaptureFrom::Attribute(part) => {
            let AttributePart { name, before, after, digits, index, .. } = part;
            let kind = if *digits { "#" } else { "" };
            format!("{name}:{before}{{{kind}{index}}}{after}")
        }
        CaptureFrom::Text { before, after } => format!("text:{before}{{}}{after}"),
    }
}

/// The words between spaces, quotes and the delimiters of URLs and messages.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_mark = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '/' | '?'
                    | '&'
                    | '='
                    | '#'
                    | ','
                    | ';'
                    | ':'
                    | '"'
                    | '\''
                    | '('
                    | ')'
                    | '<'
                    | '>'
                    | '['
                    | ']'
                    | '{'
                    | '}'
                    | '\\'
                    | '%'
            )
    };
    pieces(text, is_mark)
}
