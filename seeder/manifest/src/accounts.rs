//! Streams the accounts of a manifest, however many there are.

use std::fmt;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::format::Account;
use super::reader::{MAX_BYTES, ManifestError};

/// Calls `each` with every account, in the file's order.
///
/// # Errors
/// When the file cannot be read or is damaged; `each` may have been called by then.
pub fn each_account(path: &Path, each: impl FnMut(Account)) -> Result<(), ManifestError> {
    let file = common::input::open(path)
        .map_err(|source| ManifestError::Read { path: path.into(), source })?
        .take(MAX_BYTES);
    let mut document = serde_json::Deserializer::from_reader(BufReader::new(file));
    document
        .deserialize_map(Document(each))
        .map_err(|source| ManifestError::Parse { path: path.into(), source })
}

struct Document<F>(F);

impl<'de, F: FnMut(Account)> Visitor<'de> for Document<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "accounts" {
                map.next_value_seed(List(&mut self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct List<'f, F>(&'f mut F);

impl<'de, F: FnMut(Account)> DeserializeSeed<'de> for List<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Account)> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of accounts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(account) = list.next_element()? {
            (self.0)(account);
        }
        Ok(())
    }
}
