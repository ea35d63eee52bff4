//! Kinds that this version of the format does not know.
//!
//! A later minor version may add some. One that decides what is sent cannot be passed
//! over, so its request is refused, and the error says which version reads it. They are
//! looked for when a line could not be read, so that the others are not slower for it.

use std::fmt;
use std::path::Path;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, IntoDeserializer as _};
use serde_json::Value;

use super::error::ReadError;
use super::format::{
    Body, CaptureFrom, ClockFormat, Encoding, FreshId, MINOR, Origin, Part, RecordedResult,
};
use super::lines::json_message;
use super::note::Note;

/// Characters of a name in an error: in a damaged file it may be as long as the line.
const MAX_NAME: usize = 40;

/// Why a line of a file whose header says `minor` cannot be read.
pub(super) fn reason(
    path: &Path,
    (number, line): (u64, &[u8]),
    minor: u32,
    error: &serde_json::Error,
) -> ReadError {
    let path = path.to_owned();
    let parsed = if error.is_data() { serde_json::from_slice(line).ok() } else { None };
    match parsed.as_ref().and_then(in_line) {
        Some(UnknownKind { what, name }) if minor > MINOR => {
            ReadError::NeedsMinor { path, line: number, what, name, needed: minor }
        }
        Some(UnknownKind { what, name }) => {
            ReadError::Damaged { path, line: number, message: format!("unknown {what} {name:?}") }
        }
        None => ReadError::Damaged { path, line: number, message: json_message(error) },
    }
}

struct UnknownKind {
    /// What it is a kind of.
    what: &'static str,
    name: String,
}

fn in_line(line: &Value) -> Option<UnknownKind> {
    let is_note = line.as_object().is_some_and(|fields| fields.len() == 1);
    let note = if is_note { unknown::<Note>("kind of line", line) } else { None };
    note.or_else(|| in_capture(&line["capture"]))
        .or_else(|| unknown::<Body>("kind of body", &line["body"]))
        .or_else(|| list(&line["bind"]).find_map(in_binding))
        .or_else(|| unknown::<RecordedResult>("kind of result", &line["result"]))
        .or_else(|| list(&line["result"]["answer"]["capture"]).find_map(in_capture))
}

fn in_binding(binding: &Value) -> Option<UnknownKind> {
    let from = &binding["from"];
    unknown::<Part>("place of a binding", &binding["in"])
        .or_else(|| unknown::<Origin>("origin of a binding", from))
        .or_else(|| unknown::<ClockFormat>("clock format", &from["clock"]))
        .or_else(|| unknown::<FreshId>("kind of fresh value", &from["fresh"]["like"]))
        .or_else(|| unknown::<Encoding>("encoding", &binding["encode"]))
}

fn in_capture(capture: &Value) -> Option<UnknownKind> {
    unknown::<CaptureFrom>("source of a capture", &capture["from"])
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The name of a variant that `T` does not have. A kind is a string, or the key of an object.
fn unknown<T: DeserializeOwned>(what: &'static str, value: &Value) -> Option<UnknownKind> {
    let has = |name: &str| {
        let name: StrDeserializer<'_, NameError> = name.into_deserializer();
        !matches!(T::deserialize(name), Err(NameError::Unknown))
    };
    let name = match value {
        Value::String(name) => (!has(name)).then_some(name),
        Value::Object(fields) => fields.keys().find(|name| !has(name)),
        _ => None,
    }?;
    Some(UnknownKind { what, name: name.chars().take(MAX_NAME).collect() })
}

/// What serde says of the name of a variant, as it is the one to know them all.
#[derive(Debug)]
enum NameError {
    Unknown,
    /// It is known, and its content is missing here.
    Content,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the name is unknown",
            Self::Content => "the content is missing",
        })
    }
}

impl std::error::Error for NameError {}

impl de::Error for NameError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Content
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::Unknown
    }
}
