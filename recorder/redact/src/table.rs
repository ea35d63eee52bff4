//! `table.toml`, read once.

use std::sync::LazyLock;

use serde::Deserialize;

pub(crate) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../table.toml")).expect("a test reads the table that is built in")
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) names: NameTable,
    pub(crate) tokens: Vec<TokenShape>,
    pub(crate) prefixes: Vec<PrefixShape>,
}

/// Names and parts of names; only letters and digits, in lower case. The table says what each
/// list means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameTable {
    pub(crate) secret: Vec<String>,
    pub(crate) words: Vec<String>,
    pub(crate) fields: Vec<String>,
    pub(crate) looks: Vec<String>,
    pub(crate) spoken: Vec<String>,
    pub(crate) oauth: Vec<String>,
    pub(crate) beside: Vec<String>,
    pub(crate) paths: Vec<String>,
    pub(crate) cards: Vec<String>,
    pub(crate) harmless: Vec<String>,
    pub(crate) disguises: Vec<String>,
    pub(crate) ends: Vec<String>,
    pub(crate) begins: Vec<String>,
    pub(crate) tells: Vec<String>,
    pub(crate) login: Vec<String>,
    pub(crate) segments: Vec<String>,
    pub(crate) mailed: Vec<String>,
    pub(crate) resets: Vec<String>,
    /// Values, as written in lower case.
    pub(crate) never: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenShape {
    /// For `secrets.py`, which says what it found.
    #[expect(dead_code, reason = "redacted is redacted, whatever it was")]
    name: String,
    pub(crate) begins: String,
    /// In characters.
    pub(crate) first_part: usize,
    pub(crate) first_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrefixShape {
    #[expect(dead_code, reason = "for the reader of the table")]
    name: String,
    pub(crate) begins: Vec<String>,
    /// In characters, behind what it begins with.
    pub(crate) least: usize,
    /// Characters besides letters and digits.
    #[serde(default)]
    pub(crate) more: String,
    /// Whether twelve characters in a row have letters and digits among them.
    #[serde(default)]
    pub(crate) mixed: bool,
    #[serde(default)]
    pub(crate) only: Letters,
}

/// Which letters a token has.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Letters {
    #[default]
    Any,
    Upper,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_the_table_are_written_as_they_are_compared() {
        let NameTable { secret, words, fields, looks, spoken, oauth, beside, .. } = &TABLE.names;
        let NameTable { cards, harmless, disguises, ends, begins, login, .. } = &TABLE.names;
        let NameTable { segments, mailed, resets, tells, .. } = &TABLE.names;
        let all = [
            secret, words, fields, looks, spoken, oauth, beside, cards, harmless, disguises, ends,
            begins, login, segments, mailed, resets, tells,
        ];
        for name in all.into_iter().flatten() {
            assert_eq!(*name, crate::names::plain(name));
        }
        assert!(!TABLE.tokens.is_empty() && !TABLE.prefixes.is_empty());
    }
}
