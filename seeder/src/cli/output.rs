//! Data, on stdout.

use std::io::Write;

use serde::Serialize;

use crate::Error;

/// Writes a line of data.
pub(super) fn print(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout(), "{line}").map_err(Error::Stdout)
}

pub(super) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value);
    print(&text.map_err(|error| Error::Stdout(error.into()))?)
}
