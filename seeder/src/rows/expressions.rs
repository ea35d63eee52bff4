//! What expressions run on.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind};

use super::keys::Keys;
use super::password::Passwords;
use generate::{Generators, Stream};

/// Functions, constants and keys, and the seed that values derive from.
pub(super) struct Expressions {
    pub(super) generators: Generators,
    pub(super) environment: Environment<'static>,
    pub(super) constants: BTreeMap<String, Value>,
    pub(super) keys: Arc<Keys>,
    pub(super) passwords: Arc<Passwords>,
    /// The plan's name.
    pub(super) plan: String,
    pub(super) seed: u64,
    pub(super) scale: u32,
}

impl Expressions {
    pub(super) fn stream(&self, name: &[&str]) -> Stream {
        let mut whole = vec![self.plan.as_str()];
        whole.extend(name);
        Stream::new(self.seed, &whole)
    }

    pub(super) fn is_function(&self, name: &str) -> bool {
        self.environment.globals().any(|(known, _)| known == name)
    }
}

/// What minijinja complains about, without its picture of the place.
pub(super) fn describe(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// A complaint of a function of ours.
pub(super) fn error(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
