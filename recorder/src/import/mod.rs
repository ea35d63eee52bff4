//! Recordings of other tools become traces.
//!
//! Each format is read twice: first to see that it is one, when it begins and what is in it, then
//! to import it. [`har`] and [`gor`] give whole exchanges, which go through the correlator as
//! those of the proxy do; an access log ([`access_log`]) has neither bodies nor tokens, so its
//! lines become requests at once. What a recording cannot know is counted ([`Told`]).

pub mod access_log;
mod error;
mod exchanges;
pub mod gor;
pub mod har;
mod http;
mod input;
mod reorder;

use std::collections::BTreeMap;

pub use error::ImportError;
pub use exchanges::{Config, import};
pub use input::Input;

use crate::exchange::Exchange;

/// What was left out or is not known, by what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told(BTreeMap<String, u64>);

impl Told {
    pub fn count(&mut self, what: &str) {
        self.add(what, 1);
    }

    pub fn add(&mut self, what: &str, count: u64) {
        match self.0.get_mut(what) {
            Some(known) => *known += count,
            None => {
                self.0.insert(what.to_owned(), count);
            }
        }
    }

    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }
}

/// What takes exchanges as they are read; their times are microseconds since 1970.
pub type Take<'a> = &'a mut dyn FnMut(Exchange) -> Result<(), ImportError>;

/// A format whose exchanges are whole.
pub trait Format {
    const KIND: trace::format::SourceKind;

    /// Reads all of a recording.
    ///
    /// # Errors
    /// When it is not of this format or damaged, or when `take` fails.
    fn read(&self, input: &mut Input, take: Take<'_>) -> Result<Told, ImportError>;
}
