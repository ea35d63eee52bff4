//! Decides what each place of a request is bound to.

use std::ops::Range;

use chrono::{DateTime, Utc};
use manifest::format::Account;

use super::client_values;
use super::edits::Edit;
use super::places::{Kind, Place};
use super::rules::Rules;
use super::values::{self, SessionValues, Source};
use redact::{Found, is_secret_field};
use trace::format::{Capture, CaptureFrom, Origin};
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
    /// What to change in `text`, of which these are the places.
    pub(super) fn edits(&mut self, text: &str, places: &[Place<'_>]) -> Vec<Edit> {
        let mut edits = Vec::new();
        for place in places {
            self.place(place, text, &mut edits);
        }
        self.known_secrets(text, &mut edits);
        edits
    }

    fn place(&mut self, place: &Place<'_>, text: &str, edits: &mut Vec<Edit>) {
        let name = place.name();
        let is_secret = self.rules.is_secret(name);
        if place.value.is_empty() || (!is_secret && self.rules.is_kept(name)) {
            return;
        }
        let origin = match self.whole(place, is_secret) {
            Some((from, is_secret)) => Some((from, is_secret)),
            None if is_secret => Some((slot(name), true)),
            None => None,
        };
        match origin {
            Some((from, is_secret)) => {
                if let Kind::Segment { number, .. } = place.kind {
                    self.segments.push(number);
                }
                let (range, encode) = (place.range.clone(), place.encode);
                edits.push(Edit { range, from, encode, is_secret });
            }
            None => {
                self.within(place, text, edits);
                self.values.note_sent(&place.value);
            }
        }
    }

    /// The origin of a value as a whole, and whether it is a secret.
    fn whole(&mut self, place: &Place<'_>, is_secret: bool) -> Option<(Origin, bool)> {
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
        let text = place.value.as_ref();
        if let Some((key, like)) = self.values.known_fresh(text) {
            return Some((Origin::Fresh { key, like }, false));
        }
        if let Some(format) = client_values::time(text, self.now) {
            return Some((Origin::Clock(format), false));
        }
        let is_own = self.creates || !matches!(place.kind, Kind::Segment { .. });
        let like = client_values::id(text)
            .or_else(|| client_values::number(text).filter(|_| values::is_id_name(place.name())))?;
        is_own.then(|| (Origin::Fresh { key: self.values.fresh(text, like), like }, false))
    }

    /// The field of the account that has this value: the one with the place's name, else one whose
    /// value is distinctive.
    fn account_field(&self, place: &Place<'_>) -> Option<String> {
        let fields = &self.account?.fields;
        let text = place.value.as_ref();
        let has = |(_, value): &(&String, &String)| value.as_str() == text;
        let named =
            fields.iter().filter(has).find(|(field, _)| field.eq_ignore_ascii_case(place.name()));
        let telling = || {
            let tells = |value: &str| values::is_strong(value, true) || value.contains('@');
            fields.iter().filter(has).find(|(field, value)| tells(value) || is_secret_field(field))
        };
        named.or_else(telling).map(|(field, _)| field.clone())
    }

    fn captured(&mut self, place: &Place<'_>) -> Option<(Origin, bool)> {
        let source = self.values.find(place, self.at, self.rules)?;
        if !source.is_journaled {
            self.captures.push(late_capture(source));
        }
        let name = capture_name(&source.from);
        let of = source.answered.id.clone();
        Some((Origin::Capture { of, name }, source.is_secret))
    }

    /// Binds values within a longer text, such as ids in a URL or a message.
    fn within(&mut self, place: &Place<'_>, text: &str, edits: &mut Vec<Edit>) {
        let written = &text[place.range.clone()];
        // Ranges refer to the text as written, so the value must be written without escapes.
        if written != place.value || written.len() > 4096 {
            return;
        }
        for range in words(written) {
            if range.len() == written.len() || !values::is_strong(&written[range.clone()], true) {
                continue;
            }
            let word = Place {
                kind: Kind::Named("".into()),
                value: written[range.clone()].into(),
                range: place.range.start + range.start..place.range.start + range.end,
                encode: place.encode,
            };
            let known = self.captured(&word).or_else(|| {
                let (key, like) = self.values.known_fresh(&word.value)?;
                Some((Origin::Fresh { key, like }, false))
            });
            if let Some((from, is_secret)) = known {
                let Place { range, encode, .. } = word;
                edits.push(Edit { range, from, encode, is_secret });
            }
        }
    }

    /// Secrets that the session knows, wherever they stand and however they are written.
    fn known_secrets(&mut self, text: &str, edits: &mut Vec<Edit>) {
        for found in self.values.secrets().find(text) {
            let Found { range, secret, field, encode } = found;
            let is_covered = |edit: &Edit| {
                edit.is_secret && edit.range.start <= range.start && range.end <= edit.range.end
            };
            if edits.iter().any(is_covered) {
                continue;
            }
            let from = match (encode, field) {
                (None, _) => slot("encoded_secret"),
                (Some(_), Some(field)) => Origin::Account(field),
                (Some(encode), None) => {
                    let (kind, value) = (Kind::Named("".into()), secret.as_ref().into());
                    let place = Place { kind, value, range: range.clone(), encode };
                    self.captured(&place).map_or_else(|| slot("secret"), |(from, _)| from)
                }
            };
            edits.push(Edit { range, from, encode: encode.unwrap_or_default(), is_secret: true });
        }
    }
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

/// A secret that has to be given to the replay, under the name of its field.
fn slot(name: &str) -> Origin {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    Origin::Slot(name)
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
