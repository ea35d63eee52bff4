//! Bound values on their way through an expression.
//!
//! An expression sees of a bound value a mark of three private characters and its number. Where
//! the mark comes out again, the value is bound again, whatever it stands in by then.

use common::encoding::percent_decoded;
use serde_json::Value;
use trace::format::{Binding, Encoding, Part};
use trace::values::encode;

use super::error::ApplyError;

const BEGIN: char = '\u{e000}';
/// Of one that stood where JSON has a value without quotes.
const BEGIN_BARE: char = '\u{e001}';
const END: char = '\u{e002}';

/// The text of a part with a mark in the place of each of its bound values.
pub(super) fn marked(
    text: &str,
    part: Part,
    bind: &[Binding],
    is_json: bool,
) -> Result<String, ApplyError> {
    if text.contains([BEGIN, BEGIN_BARE, END]) {
        return Err(ApplyError::Private);
    }
    let mut of: Vec<(usize, &Binding)> =
        bind.iter().enumerate().filter(|(_, binding)| binding.part == part).collect();
    of.sort_by_key(|(_, binding)| (binding.start, binding.end));
    let mut marked = String::with_capacity(text.len());
    let mut position = 0;
    for (number, binding) in of {
        let before = text.get(position..binding.start).ok_or(ApplyError::Bindings)?;
        marked.push_str(before);
        position = binding.end;
        // Without quotes where JSON has a number, or where a whole value was left out.
        let is_bare = is_json && binding.encode == Encoding::Raw && !is_in_string(&marked);
        if is_bare {
            marked.push_str(&format!("\"{BEGIN_BARE}{number}{END}\""));
        } else {
            marked.push_str(&format!("{BEGIN}{number}{END}"));
        }
    }
    marked.push_str(text.get(position..).ok_or(ApplyError::Bindings)?);
    Ok(marked)
}

/// Whether the end of this beginning of a JSON text lies within a string.
fn is_in_string(json: &str) -> bool {
    let mut is_inside = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_inside = !is_inside,
            b'\\' if is_inside => drop(bytes.next()),
            _ => {}
        }
    }
    is_inside
}

/// A text that an expression gave, with its marks bound again: what is stored, and the bindings.
pub(super) struct Unmarked {
    pub(super) text: String,
    pub(super) bind: Vec<Binding>,
}

/// Where the marks of a text stand.
pub(super) struct Place<'a> {
    pub(super) part: Part,
    /// How a value is written there.
    pub(super) encode: Encoding,
    /// The request's bindings, by the numbers of the marks.
    pub(super) bind: &'a [Binding],
    /// The recorded values, by the same numbers, as they are without any encoding.
    pub(super) values: &'a [String],
    /// Where the text will begin in its part.
    pub(super) offset: usize,
    /// Whether what stands around the marks is to be written so, too.
    pub(super) encodes_rest: bool,
}

pub(super) fn unmarked(text: &str, place: &Place<'_>) -> Result<Unmarked, ApplyError> {
    let mut out = Unmarked { text: String::with_capacity(text.len()), bind: Vec::new() };
    let mut rest = text;
    let around = |text: &str, out: &mut String| {
        if place.encodes_rest {
            let mut written = Vec::new();
            encode(text, place.encode, &mut written);
            out.push_str(&String::from_utf8_lossy(&written));
        } else {
            out.push_str(text);
        }
    };
    while let Some(at) = rest.find([BEGIN, BEGIN_BARE]) {
        let is_bare = rest[at..].starts_with(BEGIN_BARE);
        let (before, mark) = rest.split_at(at);
        let (number, after) =
            mark[BEGIN.len_utf8()..].split_once(END).ok_or(ApplyError::CutMark)?;
        let number: usize = number.parse().map_err(|_| ApplyError::CutMark)?;
        let (binding, value) =
            place.bind.get(number).zip(place.values.get(number)).ok_or(ApplyError::CutMark)?;
        around(before, &mut out.text);
        rest = after;
        // It is a JSON value again where it is all of a string.
        let is_value = is_bare && place.encode == Encoding::Json;
        let is_whole = is_value && out.text.ends_with('"') && rest.starts_with('"');
        if is_whole {
            out.text.pop();
            rest = &rest[1..];
        }
        let encode_as = if is_whole { Encoding::Raw } else { place.encode };
        let start = out.text.len();
        // What is secret was left out, and is so again.
        if binding.start < binding.end {
            let mut written = Vec::new();
            encode(value, encode_as, &mut written);
            out.text.push_str(&String::from_utf8_lossy(&written));
        }
        out.bind.push(Binding {
            part: place.part,
            start: place.offset + start,
            end: place.offset + out.text.len(),
            encode: encode_as,
            ..binding.clone()
        });
    }
    around(rest, &mut out.text);
    if text.matches(END).count() > out.bind.len() || out.text.contains([BEGIN, BEGIN_BARE, END]) {
        return Err(ApplyError::CutMark);
    }
    Ok(out)
}

/// The values that a part's bindings stand for, as they were recorded; empty for a secret.
pub(super) fn values(bind: &[Binding], text_of: impl Fn(Part) -> String) -> Vec<String> {
    let value = |binding: &Binding| {
        let text = text_of(binding.part);
        let recorded = text.get(binding.start..binding.end).unwrap_or_default();
        match binding.encode {
            Encoding::Raw => recorded.to_owned(),
            Encoding::Json => match serde_json::from_str(&format!("\"{recorded}\"")) {
                Ok(Value::String(text)) => text,
                _ => recorded.to_owned(),
            },
            Encoding::Percent | Encoding::Form => {
                percent_decoded(recorded, binding.encode == Encoding::Form).into_owned()
            }
        }
    };
    bind.iter().map(value).collect()
}
