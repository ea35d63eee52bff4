//! Reads a run directory, one record at a time.
//!
//! A killed run is read as far as it got: while `run.json` says that the run is
//! being written, a last line without its end is left out, and so is a table
//! that is written at the end of the run. Anything else that is damaged is an
//! error that names file and line.

mod agreement;
mod error;
mod intervals;
mod lines;

use std::io::{self, Read as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use agreement::Agreement;
pub use error::ReadError;
pub use intervals::{Interval, Intervals, PackedInterval, PackedIntervals, Unpack};
use lines::{Input, Lines};

use crate::audit::{AuditRow, MarkRow};
use crate::format::{
    self, AUDIT_CSV, ERRORS_JSONL, ErrorSample, FAILURES_CSV, FIDELITY_CSV, FailureRow,
    FidelityRow, LATENCY_HLOG, MARKS_CSV, MAX_ENDPOINTS, MAX_PERSONAS, RUN_JSON, Run, STATS_CSV,
    TARGET_CSV, TIMELINE_CSV, TargetSample,
};
use crate::stats::StatsRow;
use crate::timeline::Second;

/// `run.json` is held whole: names of endpoints and personas, and what was configured.
const MAX_RUN_JSON_BYTES: u64 = 16 << 20;

/// A run directory whose `run.json` was read and checked.
#[derive(Debug)]
pub struct RunReader {
    dir: PathBuf,
    run: Run,
}

impl RunReader {
    /// Reads `run.json` of a run directory.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it has another version.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let path = dir.join(RUN_JSON);
        let read = |path: &Path| -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            common::input::open(path)?.take(MAX_RUN_JSON_BYTES + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ReadError::NotARun { dir: dir.to_owned() });
            }
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        if bytes.len() as u64 > MAX_RUN_JSON_BYTES {
            let bound = MAX_RUN_JSON_BYTES >> 20;
            let message = format!("the file is over {bound} MiB, which no run writes");
            return Err(ReadError::Damaged { path, line: 1, message });
        }
        let head: Head = json(&path, 0, &bytes)?;
        if head.format != format::FORMAT {
            return Err(ReadError::Format { path, found: head.format });
        }
        if head.version > format::VERSION {
            return Err(ReadError::TooNew { path, found: head.version });
        }
        if head.version < format::VERSION {
            return Err(ReadError::TooOld { path, found: head.version });
        }
        let run: Run = json(&path, 0, &bytes)?;
        // Each of them has histograms, so that memory grows with their number.
        for (count, most, what) in [
            (run.endpoints.len(), MAX_ENDPOINTS, "endpoints"),
            (run.personas.len(), MAX_PERSONAS, "personas"),
        ] {
            if count > most {
                let message = format!("it names {count} {what}; a run has at most {most}");
                return Err(ReadError::Damaged { path, line: 1, message });
            }
        }
        Ok(Self { run, dir: dir.to_owned() })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The rows of `timeline.csv`.
    ///
    /// # Errors
    /// When the file cannot be opened or its end is missing.
    pub fn seconds(&self) -> Result<Rows<Second>, ReadError> {
        Ok(Rows::new(self.lines(TIMELINE_CSV)?))
    }

    /// The rows of `failures.csv`.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn failures(&self) -> Result<Rows<FailureRow>, ReadError> {
        Ok(Rows::new(self.lines(FAILURES_CSV)?))
    }

    /// The rows of `stats.csv`.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn stats(&self) -> Result<Rows<StatsRow>, ReadError> {
        Ok(Rows::new(self.lines(STATS_CSV)?))
    }

    /// The rows of `fidelity.csv`.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn fidelity(&self) -> Result<Rows<FidelityRow>, ReadError> {
        Ok(Rows::new(self.lines(FIDELITY_CSV)?))
    }

    /// The rows of `target.csv`.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn target(&self) -> Result<Rows<TargetSample>, ReadError> {
        Ok(Rows::new(self.lines(TARGET_CSV)?))
    }

    /// The rows of `marks.csv`, which a run with an audit has.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn marks(&self) -> Result<Rows<MarkRow>, ReadError> {
        Ok(Rows::new(self.lines(MARKS_CSV)?))
    }

    /// The rows of `audit.csv`, which a run has whose audit was done.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn audit(&self) -> Result<Rows<AuditRow>, ReadError> {
        Ok(Rows::new(self.lines(AUDIT_CSV)?))
    }

    /// The lines of `errors.jsonl`.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn errors(&self) -> Result<ErrorSamples, ReadError> {
        Ok(ErrorSamples(self.lines(ERRORS_JSONL)?))
    }

    /// The histograms of `latency.hlog`, second by second.
    ///
    /// # Errors
    /// As [`RunReader::seconds`].
    pub fn intervals(&self) -> Result<Intervals, ReadError> {
        Ok(Intervals::new(self.lines(LATENCY_HLOG)?, self.run.minor))
    }

    fn lines(&self, file: &str) -> Result<Lines, ReadError> {
        Lines::open(self.dir.join(file), self.run.state)
    }
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

fn json<T: DeserializeOwned>(path: &Path, line: u64, bytes: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        ReadError::Damaged {
            path: path.to_owned(),
            line: if line == 0 { error.line() as u64 } else { line },
            message: text.split(" at line ").next().unwrap_or(&text).to_owned(),
        }
    })
}

/// Rows of a CSV file.
pub struct Rows<T> {
    path: PathBuf,
    rows: csv::DeserializeRecordsIntoIter<Input, T>,
    row: PhantomData<T>,
}

impl<T: DeserializeOwned> Rows<T> {
    fn new(lines: Lines) -> Self {
        let (path, input) = lines.into_input();
        let rows = csv::Reader::from_reader(input).into_deserialize();
        Self { path, rows, row: PhantomData }
    }
}

impl<T: DeserializeOwned> Iterator for Rows<T> {
    type Item = Result<T, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.rows.reader().position().line();
        let row = self.rows.next()?;
        Some(row.map_err(|error| csv_error(&self.path, line, error)))
    }
}

fn csv_error(path: &Path, line: u64, error: csv::Error) -> ReadError {
    let at = error.position().map_or(line, csv::Position::line);
    let message = match error.into_kind() {
        csv::ErrorKind::Io(source) => return ReadError::Io { path: path.to_owned(), source },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, expected {expected_len}")
        }
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        kind => format!("{kind:?}"),
    };
    ReadError::Damaged { path: path.to_owned(), line: at, message }
}

/// Lines of `errors.jsonl`.
pub struct ErrorSamples(Lines);

impl Iterator for ErrorSamples {
    type Item = Result<ErrorSample, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.next() {
            Ok(Some(_)) => Some(json(self.0.path(), self.0.number(), self.0.bytes())),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
