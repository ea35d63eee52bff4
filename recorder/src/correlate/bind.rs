//! Decides what each place of a request is bound to.

use std::ops::Range;

use chrono::{DateTime, Utc};
use manifest::format::Account;

use super::client_values;
use super::rules::Rules;
use super::values::{self, SessionValues, Source};
use crate::edits::{Edit, slot};
use redact::{Found, Place, Redactor, Verdict, is_secret_field};
use trace::format::{Capture, CaptureFrom, Encoding, Origin};
use trace::journal::LateCapture;

/// Binds the places of one request.
pub(super) struct Binder<'a> {
    pub(super) values: &'a mut SessionValues,
    pub(super) rules: &'a Rules,
    pub(super) account: Option<&'a Account>,
    /// When the request was sent: microseconds on the recording's clock, and the wall clock.
    pub(super) at: u64,
    pub(super) now: DateTime<Utc>,
    /// Whether an id in the path may be the client's own.
    pub(super) creates: bool,
    /// Captures that turned out to be needed.
    pub(super) captures: Vec<LateCapture>,
    /// Numbers of path segments that are bound.
    pub(super) segments: Vec<usize>,
}

impl Binder<'_> {
    /// What to change in a part of the request, of which these are the places.
    pub(super) fn edits(&mut self, part: &[u8], places: &[Place]) -> Vec<Edit> {
        let mut edits = Vec::new();
        for place in places {
            self.place(place, part, &mut edits);
        }
        self.found(part, places, &mut edits);
        edits
    }

    fn place(&mut self, place: &Place, part: &[u8], edits: &mut Vec<Edit>) {
        let is_secret = place.is_secret();
        // What stands within another value is bound with it, but for secrets.
        if place.value.is_empty()
            || !is_secret
                && (place.is_nested || place.encode.is_none() || self.rules.is_kept(&place.name))
        {
            return;
        }
        let slot = || (slot(named(place)), true);
        let origin = match (place.encode, self.whole(place, is_secret)) {
            // Replay cannot write it there.
            (None, _) => Some(slot()),
            (_, Some(origin)) => Some(origin),
            (_, None) => is_secret.then(slot),
        };
        match origin {
            Some((from, is_secret)) => {
                if let Some(segment) = &place.segment {
                    self.segments.push(segment.number);
                }
                let (range, encode) = (place.range.clone(), place.encode.unwrap_or_default());
                let encode = match from {
                    Origin::Capture { .. } => {
                        as_written(&place.value, &part[range.clone()], encode)
                    }
                    _ => encode,
                };
                edits.push(Edit { range, from, encode, is_secret });
            }
            None => {
                self.within(place, part, edits);
                self.values.note_sent(&place.value);
            }
        }
    }

    /// The origin of a value as a whole, and whether it is a secret.
    fn whole(&mut self, place: &Place, is_secret: bool) -> Option<(Origin, bool)> {
        if let Some(field) = self.account_field(place) {
            let is_secret = is_secret || is_secret_field(&field);
            return Some((Origin::Account(field), is_secret));
        }
        if let Some((origin, found_secret)) = self.captured(place) {
            return Some((origin, is_secret || found_secret));
        }
        if is_secret {
            return None;
        }
        let text = place.value.as_str();
        if let Some((key, like)) = self.values.known_fresh(text) {
            return Some((Origin::Fresh { key, like }, false));
        }
        if let Some(format) = client_values::time(text, self.now) {
            return Some((Origin::Clock(format), false));
        }
        let is_own = self.creates || place.segment.is_none();
        let like = client_values::id(text)
            .or_else(|| client_values::number(text).filter(|_| values::is_id_name(&place.name)))?;
        is_own.then(|| (Origin::Fresh { key: self.values.fresh(text, like), like }, false))
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
            let tells = |value: &str| values::is_strong(value, true) || value.contains('@');
            fields.iter().filter(has).find(|(field, value)| tells(value) || is_secret_field(field))
        };
        named.or_else(telling).map(|(field, _)| field.clone())
    }

    fn captured(&mut self, place: &Place) -> Option<(Origin, bool)> {
        let source = self.values.find(place, self.at, self.rules)?;
        source.is_secret |= place.is_secret();
        if !source.is_journaled {
            self.captures.push(late_capture(source));
        }
        let name = capture_name(&source.from);
        let of = source.answered.id.clone();
        Some((Origin::Capture { of, name }, source.is_secret))
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
            if range.len() == written.len() || !values::is_strong(&written[range.clone()], true) {
                continue;
            }
            let encode = place.encode.unwrap_or_default();
            let at = place.range.start + range.start..place.range.start + range.end;
            let word = word(&written[range], at, encode, Verdict::Harmless);
            let known = self.captured(&word).or_else(|| {
                let (key, like) = self.values.known_fresh(&word.value)?;
                Some((Origin::Fresh { key, like }, false))
            });
            if let Some((from, is_secret)) = known {
                edits.push(Edit { range: word.range, from, encode, is_secret });
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
                    self.captured(&word).map_or_else(|| slot("secret"), |(from, _)| from)
                }
            };
            self.values.learn(&secret);
            edits.push(Edit { range, from, encode: encode.unwrap_or_default(), is_secret: true });
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
    let mut at = 0;
    text.split(is_mark).map(move |word| {
        let start = at;
        at += word.len();
        // Skips the delimiter, which may be longer than a byte.
        at += text[at..].chars().next().map_or(0, char::len_utf8);
        start..start + word.len()
    })
}
