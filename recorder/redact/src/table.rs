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
}

/// Parts of names; only letters and digits, in lower case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameTable {
    pub(crate) secret: Vec<String>,
    pub(crate) harmless: Vec<String>,
    pub(crate) login: Vec<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_the_table_are_written_as_they_are_compared() {
        let NameTable { secret, harmless, login } = &TABLE.names;
        for name in secret.iter().chain(harmless).chain(login) {
            assert_eq!(*name, crate::names::plain(name));
        }
        assert!(!TABLE.tokens.is_empty());
    }
}
