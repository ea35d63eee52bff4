//! The histograms of `latency.hlog`, streamed.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::error::ReadError;
use super::lines::Lines;
use crate::format::{MINOR, Tag, TagError};
use crate::recorded::{Decoder, Recorded};

/// What one tag recorded in one second, in microseconds.
#[derive(Debug)]
pub struct Interval {
    pub second: u64,
    pub tag: Tag,
    pub recorded: Recorded,
}

/// Histograms of `latency.hlog`; those that only a later minor version has are left out.
pub struct Intervals {
    packed: PackedIntervals,
    unpack: Unpack,
}

impl Intervals {
    pub(super) fn new(lines: Lines, minor: u32) -> Self {
        let unpack = Unpack { path: lines.path().to_owned(), decoder: Decoder::default() };
        Self { packed: PackedIntervals { lines, minor, second: 0 }, unpack }
    }

    /// Reading and unpacking apart, for who does them on threads of their own.
    pub fn split(self) -> (PackedIntervals, Unpack) {
        (self.packed, self.unpack)
    }
}

impl Iterator for Intervals {
    type Item = Result<Interval, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.packed.next()?.and_then(|packed| self.unpack.interval(packed)))
    }
}

/// An [`Interval`] as it is written.
pub struct PackedInterval {
    second: u64,
    tag: Tag,
    histogram: Vec<u8>,
    /// Of the file, from 1.
    line: u64,
}

impl PackedInterval {
    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        self.histogram.len()
    }
}

/// The lines of `latency.hlog`.
pub struct PackedIntervals {
    lines: Lines,
    /// Of the run.
    minor: u32,
    /// Of the interval last read: seconds may repeat, for other tags, but not go back.
    second: u64,
}

impl PackedIntervals {
    fn read(&mut self) -> Result<Option<PackedInterval>, ReadError> {
        while self.lines.next()?.is_some() {
            // None is a comment.
            let entry = IntervalLogIterator::new(self.lines.bytes()).next();
            let found = match entry {
                Some(Ok(LogEntry::Interval(found))) => found,
                Some(Ok(LogEntry::StartTime(_) | LogEntry::BaseTime(_))) | None => continue,
                Some(Err(_)) => {
                    return Err(self.lines.damaged("not a line of an interval log"));
                }
            };
            let text = found.tag().map_or("", |tag| tag.as_str());
            let tag: Tag = match text.parse() {
                Ok(tag) => tag,
                Err(TagError::Unknown(_)) if self.minor > MINOR => continue,
                Err(error) => return Err(self.lines.damaged(error.to_string())),
            };
            let histogram = STANDARD
                .decode(found.encoded_histogram())
                .map_err(|error| self.lines.damaged(format!("histogram: {error}")))?;
            let second = found.start_timestamp().as_secs();
            if second < self.second {
                let message = format!("second {second} after second {}", self.second);
                return Err(self.lines.damaged(message));
            }
            self.second = second;
            let line = self.lines.number();
            return Ok(Some(PackedInterval { second, tag, histogram, line }));
        }
        Ok(None)
    }
}

impl Iterator for PackedIntervals {
    type Item = Result<PackedInterval, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Makes intervals of what was read.
pub struct Unpack {
    path: PathBuf,
    decoder: Decoder,
}

impl Unpack {
    /// # Errors
    /// With file and line, where it is not a histogram.
    pub fn interval(&mut self, packed: PackedInterval) -> Result<Interval, ReadError> {
        let PackedInterval { second, tag, histogram, line } = packed;
        let recorded = self.decoder.decode(&histogram).map_err(|message| ReadError::Damaged {
            path: self.path.clone(),
            line,
            message: format!("histogram: {message}"),
        })?;
        Ok(Interval { second, tag, recorded })
    }
}
