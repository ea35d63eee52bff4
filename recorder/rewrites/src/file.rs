//! The file as it is written: TOML, every field spelled out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Each with file and, where there is one, line and key.
#[derive(Debug, thiserror::Error)]
pub enum RewritesError {
    #[error("cannot read {kind} {}", path.display())]
    Read { kind: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{kind} {}{}: {message}", path.display(), line.map_or(String::new(), |line| format!(" line {line}")))]
    Content { kind: &'static str, path: PathBuf, line: Option<usize>, message: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Put before every path that is matched or sent.
    #[serde(default)]
    pub(super) base: String,
    pub(super) rewrite: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// One route or several.
    #[serde(rename = "match")]
    pub(super) routes: OneOrMore,
    /// Another method and path, or another method alone.
    pub(super) send: Option<String>,
    /// An expression of the recorded request.
    pub(super) body: Option<String>,
    /// What they are set to; `false` removes one.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Header>,
    /// Not sent.
    #[serde(default)]
    pub(super) drop: bool,
    /// Nothing is sent but these, what other rules keep, and logins.
    #[serde(default)]
    pub(super) keep: bool,
    /// Not sent: the recorded answer stands for the target's.
    #[serde(default)]
    pub(super) answer: bool,
    /// What it means for the figures, in words for the report.
    pub(super) means: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Header {
    /// `false`: it is removed.
    Is(bool),
    Text(String),
}

/// The file's text, kept for its digest and for finding lines.
pub(super) struct Source {
    kind: &'static str,
    path: PathBuf,
    pub(super) text: String,
}

impl Source {
    /// Of a file of this kind.
    pub(super) fn read(kind: &'static str, path: &Path) -> Result<Self, RewritesError> {
        let text = common::input::text(path).map_err(|source| RewritesError::Read {
            kind,
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { kind, path: path.to_owned(), text })
    }

    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, RewritesError> {
        toml::from_str(&self.text).map_err(|error| {
            let line = error.span().map(|span| self.line_at(span.start));
            self.error(line, error.message().replace('\n', " "))
        })
    }

    /// An error about a key of the table of this kind with this number, from 1.
    pub(super) fn at_key(
        &self,
        kind: &str,
        rule: usize,
        key: &str,
        message: &impl ToString,
    ) -> RewritesError {
        let name = key.split('.').next_back().unwrap_or(key);
        let table = format!("[[{kind}]]");
        let begin = self.text.match_indices(&table).nth(rule - 1).map(|(at, _)| at);
        let line = begin.map(|begin| {
            let of_rule = self.text[begin..].lines();
            let is_key = |line: &str| {
                let line = line.trim_start();
                !line.starts_with('#') && line.contains(name) && line.contains('=')
            };
            let after = of_rule.clone().skip(1).take_while(|line| !line.starts_with(&table));
            let found = after.clone().position(is_key).map_or(0, |at| at + 1);
            self.line_at(begin) + found
        });
        let message = message.to_string().replace('\n', " ");
        self.error(line, format!("{kind} {rule}, {key}: {message}"))
    }

    pub(super) fn error(&self, line: Option<usize>, message: impl Into<String>) -> RewritesError {
        RewritesError::Content {
            kind: self.kind,
            path: self.path.clone(),
            line,
            message: message.into(),
        }
    }

    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn line_at(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}
