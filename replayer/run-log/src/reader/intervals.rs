//! The histograms of `latency.hlog`, streamed.

use std::io::{Cursor, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::error::ReadError;
use super::lines::Lines;
use crate::format::{MINOR, Tag, TagError};

/// How a compressed histogram of version 2 begins.
const COMPRESSED: u32 = 0x1c84_9314;

/// One with every bucket used has under 1 MiB.
const MAX_HISTOGRAM_BYTES: u64 = 4 << 20;

/// What one tag recorded in one second, in microseconds.
#[derive(Debug)]
pub struct Interval {
    pub second: u64,
    pub tag: Tag,
    pub histogram: Histogram<u64>,
}

/// Histograms of `latency.hlog`; those that only a later minor version has are left out.
pub struct Intervals {
    lines: Lines,
    deserializer: Deserializer,
    /// Of the run.
    minor: u32,
    /// Of the interval last read: seconds may repeat, for other tags, but not go back.
    second: u64,
}

impl Intervals {
    pub(super) fn new(lines: Lines, minor: u32) -> Self {
        Self { lines, deserializer: Deserializer::new(), minor, second: 0 }
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
            let histogram = STANDARD
                .decode(found.encoded_histogram())
                .map_err(|error| error.to_string())
                .and_then(|bytes| {
                    let plain = plain(bytes)?;
                    let decoded = self.deserializer.deserialize(&mut Cursor::new(plain));
                    decoded.map_err(|error| error.to_string())
                })
                .map_err(|message| self.lines.damaged(format!("histogram: {message}")))?;
            let second = found.start_timestamp().as_secs();
            if second < self.second {
                let message = format!("second {second} after second {}", self.second);
                return Err(self.lines.damaged(message));
            }
            self.second = second;
            return Ok(Some(Interval { second, tag, histogram }));
        }
        Ok(None)
    }
}

/// The bytes of a histogram without compression. The deserializer takes as much memory as they
/// say before it reads them, and inflates whatever it is given: both are bounded here.
fn plain(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let word = |bytes: &[u8], at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    let mut plain = bytes;
    if word(&plain, 0) == Some(COMPRESSED) {
        let mut inflated = Vec::new();
        let packed = plain.get(8..).unwrap_or_default();
        ZlibDecoder::new(packed)
            .take(MAX_HISTOGRAM_BYTES + 1)
            .read_to_end(&mut inflated)
            .map_err(|error| error.to_string())?;
        if inflated.len() as u64 > MAX_HISTOGRAM_BYTES {
            return Err(format!("it is over {} MiB", MAX_HISTOGRAM_BYTES >> 20));
        }
        plain = inflated;
    }
    match word(&plain, 4) {
        Some(payload) if payload as usize <= plain.len() => Ok(plain),
        _ => Err("it is cut off".to_owned()),
    }
}

impl Iterator for Intervals {
    type Item = Result<Interval, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.interval().transpose()
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::read::ZlibEncoder;
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer, V2Serializer};

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut packed = [COMPRESSED.to_be_bytes(), [0; 4]].concat();
        let mut zlib = ZlibEncoder::new(plain, Compression::default());
        zlib.read_to_end(&mut packed).unwrap();
        packed
    }

    #[test]
    fn a_small_histogram_stays_small() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        histogram.record(12_345).unwrap();
        let (mut short, mut long) = (Vec::new(), Vec::new());
        V2DeflateSerializer::new().serialize(&histogram, &mut short).unwrap();
        V2Serializer::new().serialize(&histogram, &mut long).unwrap();
        assert_eq!(plain(short).unwrap(), long);
        assert_eq!(plain(long.clone()).unwrap(), long);
        // It says that 4 GiB follow.
        long[4..8].fill(0xff);
        assert_eq!(plain(packed(&long)), Err("it is cut off".to_owned()));
        assert_eq!(plain(long), Err("it is cut off".to_owned()));
        assert_eq!(plain(packed(&vec![0; 64 << 20])), Err("it is over 4 MiB".to_owned()));
        assert!(plain(vec![0; 3]).is_err() && plain(Vec::new()).is_err());
    }
}
