//! What goes to stdout.

use std::io::Write as _;

use serde::Serialize;

use crate::Error;

/// Writes data.
pub(super) fn print(text: &str) -> Result<(), Error> {
    writeln!(std::io::stdout(), "{text}").map_err(Error::Stdout)
}

pub(super) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)
        .map_err(|error| Error::Stdout(error.into()))?;
    writeln!(stdout).map_err(Error::Stdout)
}
