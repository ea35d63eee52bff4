//! What goes to stdout.

use common::say;
use serde::Serialize;

use crate::Error;

/// Writes text for people.
pub(super) fn print(text: &str) -> Result<(), Error> {
    say::print(&format!("{text}\n")).map_err(Error::Stdout)
}

/// Writes data.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Stdout(error.into()))?;
    say::print_json(&(text + "\n")).map_err(Error::Stdout)
}
