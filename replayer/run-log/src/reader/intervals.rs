//! The histograms of `latency.hlog`, streamed.

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
    lines: Lines,
    decoder: Decoder,
    /// Of the run.
    minor: u32,
    /// Of the interval last read: seconds may repeat, for other tags, but not go back.
    second: u64,
}

impl Intervals {
    pub(super) fn new(lines: Lines, minor: u32) -> Self {
        Self { lines, decoder: Decoder::default(), minor, second: 0 }
    }

    fn interval(&mut self) -> Result<Option<Interval>, ReadError> {
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
            let recorded = STANDARD
                .decode(found.encoded_histogram())
                .map_err(|error| error.to_string())
                .and_then(|bytes| self.decoder.decode(&bytes))
                .map_err(|message| self.lines.damaged(format!("histogram: {message}")))?;
            let second = found.start_timestamp().as_secs();
            if second < self.second {
                let message = format!("second {second} after second {}", self.second);
                return Err(self.lines.damaged(message));
            }
            self.second = second;
            return Ok(Some(Interval { second, tag, recorded }));
        }
        Ok(None)
    }
}

impl Iterator for Intervals {
    type Item = Result<Interval, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.interval().transpose()
    }
}
