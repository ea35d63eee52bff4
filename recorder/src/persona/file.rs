//! The personas file as it is written: TOML, every field spelled out.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rewrites::RewritesError;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// Each with file and, where there is one, line.
#[derive(Debug, thiserror::Error)]
pub enum PersonasError {
    #[error("cannot read personas file {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}{}: {message}", path.display(), line.map_or(String::new(), |line| format!(" line {line}")))]
    Content { path: PathBuf, line: Option<usize>, message: String },
    #[error(transparent)]
    Traps(#[from] RewritesError),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Put before every path, and in no route name.
    #[serde(default)]
    pub(super) base: String,
    /// A file of known faults of what is recorded; a relative path is one from this file's folder.
    pub(super) traps: Option<PathBuf>,
    /// Of all requests but those of the login.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// Of personas that have none of their own.
    #[serde(default)]
    pub(super) login: Vec<Step>,
    pub(super) persona: Vec<Persona>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Persona {
    pub(super) name: String,
    /// Its share of the users, relative to the others'.
    pub(super) weight: NonZeroU32,
    /// Least and most time between two tasks; each as likely.
    pub(super) wait: Wait,
    /// The manifest's accounts of this persona; by default of the same name.
    pub(super) accounts: Option<String>,
    pub(super) login: Option<Vec<Step>>,
    #[serde(default)]
    pub(super) task: Vec<Task>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) weight: NonZeroU32,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Method and path with query: `GET /alerts/{{ session.alert }}`.
    pub(super) request: String,
    /// The route's name; by default the request without query, each expression an `{id}`.
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Json>,
    /// Name of a session variable to the JSON pointer of its value in the answer.
    #[serde(default)]
    pub(super) capture: BTreeMap<String, String>,
}

/// `["2s", "5s"]`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "(String, String)")]
pub(super) struct Wait(pub(super) RangeInclusive<Duration>);

impl TryFrom<(String, String)> for Wait {
    type Error = String;

    fn try_from((least, most): (String, String)) -> Result<Self, String> {
        let parse = |text: &str| {
            humantime::parse_duration(text)
                .map_err(|error| format!("{text:?} is not a time such as 500ms or 2s: {error}"))
        };
        let (low, high) = (parse(&least)?, parse(&most)?);
        if low > high {
            return Err(format!("the least wait, {least}, is above the most, {most}"));
        }
        Ok(Self(low..=high))
    }
}

/// A body as written, with the keys of objects in their order.
#[derive(Debug)]
pub(super) enum Json {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        if value.is_finite() {
            Ok(Json::Float(value))
        } else {
            Err(E::custom("JSON has no such number"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(field) = fields.next_entry()? {
            object.push(field);
        }
        Ok(Json::Object(object))
    }
}

/// The file's text, kept for its digest and for finding lines.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    pub(super) fn read(path: &Path) -> Result<Self, PersonasError> {
        let text = common::input::text(path)
            .map_err(|source| PersonasError::Read { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), text })
    }

    pub(super) fn parse(&self) -> Result<File, PersonasError> {
        toml::from_str(&self.text).map_err(|error| {
            let line = error.span().map(|span| self.line_at(span.start));
            self.error(line, error.message().replace('\n', " "))
        })
    }

    /// An error about a text of the file, at the line where that first stands.
    pub(super) fn error_at(&self, written: &str, message: impl Into<String>) -> PersonasError {
        let line = self.text.find(written).filter(|_| !written.is_empty());
        self.error(line.map(|at| self.line_at(at)), message)
    }

    pub(super) fn error(&self, line: Option<usize>, message: impl Into<String>) -> PersonasError {
        PersonasError::Content { path: self.path.clone(), line, message: message.into() }
    }

    fn line_at(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}
