//! The first line of a trace or journal, and what the input itself may be wrong about.

use std::io::{self, BufRead};
use std::path::Path;

use serde::Deserialize;

use super::error::ReadError;
use super::format::{self, Header};
use super::lines::{FoundLine, Lines, json_message};

#[derive(Deserialize)]
struct Head {
    format: String,
    version: String,
}

/// Of a trace or journal, from what its first line was.
pub(super) fn read_header<R: BufRead>(
    path: &Path,
    line: io::Result<FoundLine>,
    lines: &Lines<R>,
) -> Result<Header, ReadError> {
    let damaged = |message: String| ReadError::Damaged { path: path.to_owned(), line: 1, message };
    match line.map_err(|error| input_error(path, 1, error))? {
        FoundLine::Whole => {}
        FoundLine::Nothing => return Err(damaged("the file is empty".to_owned())),
        FoundLine::Cut | FoundLine::TooLong => {
            return Err(damaged("not the header of a trace".to_owned()));
        }
    }
    let not_a_header =
        |error| damaged(format!("not the header of a trace: {}", json_message(&error)));
    let Head { format, version } = serde_json::from_slice(lines.bytes()).map_err(not_a_header)?;
    if format != format::FORMAT {
        return Err(ReadError::Format { path: path.to_owned(), found: format });
    }
    if version != format::VERSION {
        let path = path.to_owned();
        // Any draft but this one, and any major version below, is older.
        let major = version.parse::<u32>().unwrap_or(0);
        return Err(if major >= 1 {
            ReadError::TooNew { path, found: version }
        } else {
            ReadError::TooOld { path, found: version }
        });
    }
    serde_json::from_slice(lines.bytes()).map_err(not_a_header)
}

/// An error of the operating system, or of zstd about the content.
pub(super) fn input_error(path: &Path, line: u64, source: io::Error) -> ReadError {
    let path = path.to_owned();
    if source.raw_os_error().is_some() {
        ReadError::Io { path, source }
    } else if source.kind() == io::ErrorKind::UnexpectedEof {
        ReadError::Incomplete { path, line: line.saturating_sub(1) }
    } else {
        ReadError::Damaged { path, line, message: format!("not zstd: {source}") }
    }
}
