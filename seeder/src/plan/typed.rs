//! The plan as it is typed.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// Line of the file, from 1, and what is wrong there.
pub(super) type At = (usize, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) name: Spanned<String>,
    #[serde(default = "default_seed")]
    pub(super) seed: u64,
    pub(super) epoch: Spanned<toml::value::Datetime>,
    #[serde(default)]
    pub(super) constants: BTreeMap<String, Spanned<toml::Value>>,
    pub(super) table: Vec<Table>,
    #[serde(default)]
    pub(super) accounts: Vec<Accounts>,
    #[serde(default)]
    pub(super) load: Vec<Load>,
    /// A table, or a list of them.
    pub(super) login: Option<Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) cascade: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) triggers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) soft_delete: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) adopt: Vec<Spanned<String>>,
}

fn default_seed() -> u64 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) name: Spanned<String>,
    pub(super) rows: Option<u64>,
    pub(super) scale: Option<bool>,
    #[serde(default)]
    pub(super) shared: bool,
    pub(super) key: Option<Vec<String>>,
    #[serde(default)]
    pub(super) columns: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) group: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: Spanned<String>,
    pub(super) rows: u64,
    #[serde(default)]
    pub(super) columns: BTreeMap<String, Spanned<toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accounts {
    pub(super) persona: String,
    /// `table` or `table.group`.
    pub(super) of: Spanned<String>,
    pub(super) name: Spanned<toml::Value>,
    pub(super) fields: BTreeMap<String, Spanned<toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Load {
    pub(super) table: Spanned<String>,
    pub(super) refers_to: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) action: Action,
    pub(super) like: Option<Like>,
    pub(super) equals: Option<Equals>,
    /// `column`, or `column.key` of a JSON document.
    pub(super) marked: Option<String>,
    pub(super) since: Option<String>,
    pub(super) also: Option<Also>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Like {
    pub(super) column: String,
    /// Of SQL's LIKE.
    pub(super) pattern: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Equals {
    /// `column`, or `column.key` of a JSON document.
    pub(super) column: String,
    /// `table.column` of the plan.
    pub(super) of: Spanned<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Also {
    Older,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    #[default]
    Delete,
    Detach,
}

impl Plan {
    pub(super) fn parse(text: &str) -> Result<Self, At> {
        toml::from_str(text).map_err(|error| {
            // Without the picture that the crate draws: one line.
            let start = error.span().map_or(0, |span| span.start);
            (line(text, start), error.message().replace('\n', " "))
        })
    }
}

/// The line, from 1, that a byte of the file is on.
pub(super) fn line(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
