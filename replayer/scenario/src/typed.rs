//! Values as they are typed, and what is said of one that is not what it has to be.

use std::fmt;

use serde::Deserialize;

/// A number or a string in a TOML file.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TypedValue {
    Integer(i64),
    Float(f64),
    String(String),
}

impl fmt::Display for TypedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseError {
    text: String,
    expected: &'static str,
}

impl ParseError {
    pub(super) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}
