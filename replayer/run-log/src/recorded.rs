//! What was recorded in an interval: few of a histogram's buckets are used in a second, and each
//! interval is added to several sums.

use std::slice;

use hdrhistogram::Histogram;
use libdeflater::{DecompressionError, Decompressor};

use crate::count::MOST;

/// How histograms of version 2 begin, plain and compressed, as HdrHistogram's encoders write them.
const PLAIN: u32 = 0x1c84_9313;
const COMPRESSED: u32 = 0x1c84_9314;

/// One with every bucket used has under 1 MiB.
const MAX_BYTES: usize = 4 << 20;

/// Values, each the highest of its bucket, with their counts, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    values: Vec<(u64, u64)>,
    count: u64,
}

impl Recorded {
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let steps = histogram.iter_recorded();
        Self::from(
            steps.map(|step| (step.value_iterated_to(), step.count_at_value())).collect::<Vec<_>>(),
        )
    }

    /// How many values; that or more where they are more than there can be.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.values.as_slice())
    }

    /// Each value with its count, in order.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        self.values.iter().copied()
    }

    /// Adds it to a sum.
    pub fn add_to(&self, sum: &mut Histogram<u64>) {
        for (value, count) in &self.values {
            // The sum has no upper bound, which is the only reason to refuse.
            sum.record_n(*value, *count).expect("a growing histogram takes any value");
        }
    }
}

impl From<Vec<(u64, u64)>> for Recorded {
    fn from(values: Vec<(u64, u64)>) -> Self {
        let count = values.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        Self { values, count }
    }
}

/// Reads encoded histograms, without making their buckets: of some thousand that an endpoint's
/// response times span, a second uses twenty.
///
/// The encoding is version 2 of HdrHistogram's (`AbstractHistogram.encodeIntoByteBuffer`): a head of
/// 40 bytes, then for each bucket its count as ZigZag LEB128 of at most nine bytes, a negative one
/// being so many empty buckets.
pub struct Decoder {
    zlib: Decompressor,
    plain: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        // Most have a few hundred bytes.
        Self { zlib: Decompressor::new(), plain: vec![0; 4096] }
    }
}

impl Decoder {
    /// # Errors
    /// In words, when it is not such a histogram.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Recorded, String> {
        match word(bytes, 0) {
            Some(PLAIN) => decoded(bytes),
            Some(COMPRESSED) => decoded(self.inflate(bytes.get(8..).unwrap_or_default())?),
            _ => Err("it is none of HdrHistogram's version 2".to_owned()),
        }
    }

    /// What was compressed, whatever the bytes say of its size.
    fn inflate(&mut self, packed: &[u8]) -> Result<&[u8], String> {
        loop {
            match self.zlib.zlib_decompress(packed, &mut self.plain) {
                Ok(length) => return Ok(&self.plain[..length]),
                Err(DecompressionError::BadData) => {
                    return Err("it is damaged or cut off".to_owned());
                }
                Err(DecompressionError::InsufficientSpace) if self.plain.len() < MAX_BYTES => {
                    self.plain.resize(self.plain.len() * 2, 0);
                }
                Err(DecompressionError::InsufficientSpace) => {
                    return Err(format!("it is over {} MiB", MAX_BYTES >> 20));
                }
            }
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Which values a bucket stands for.
struct Buckets {
    /// Of the values of which each is told apart: half of them, as a power of two.
    half: u32,
    /// What is lower than this power of two is not told apart.
    unit: u32,
    /// The last bucket, whose highest value is the highest that there can be.
    last: u64,
}

impl Buckets {
    fn new(digits: u32, lowest: u64) -> Option<Self> {
        let told_apart = 2 * 10_u64.checked_pow(digits).filter(|_| digits <= 5)?;
        let (half, unit) = (told_apart.next_power_of_two().ilog2() - 1, lowest.checked_ilog2()?);
        let powers = u64::from(u64::BITS.checked_sub(half + unit)?);
        Some(Self { half, unit, last: ((powers + 1) << half).checked_sub(1)? })
    }

    /// The highest value of a bucket; none where there is no such bucket.
    fn highest(&self, index: u64) -> Option<u64> {
        if index > self.last {
            return None;
        }
        let half = 1 << self.half;
        // Up to twice `half` each bucket is one value; from there on `half` of them are each power
        // of two.
        let (power, of_it) = match index >> self.half {
            0 => (0, index),
            power => (power - 1, (index & (half - 1)) | half),
        };
        let bits = power as u32 + self.unit;
        Some((of_it << bits) | ((1 << bits) - 1))
    }
}

fn decoded(bytes: &[u8]) -> Result<Recorded, String> {
    const HEAD: usize = 40;
    let cut = || "it is cut off".to_owned();
    let payload = word(bytes, 4).ok_or_else(cut)? as usize;
    let counts = bytes.get(HEAD..).and_then(|rest| rest.get(..payload)).ok_or_else(cut)?;
    let (offset, digits) = word(bytes, 8).zip(word(bytes, 12)).ok_or_else(cut)?;
    let (lowest, ratio) = long(bytes, 16).zip(long(bytes, 32)).ok_or_else(cut)?;
    if word(bytes, 0) != Some(PLAIN) || offset != 0 || f64::from_bits(ratio) != 1.0 {
        return Err("it is of a kind that is not written here".to_owned());
    }
    let buckets = Buckets::new(digits, lowest)
        .ok_or_else(|| format!("it has {digits} digits from {lowest} on"))?;
    // A bucket that is used has a byte at least, and most have empty ones before them.
    let (mut index, mut found) = (0_u64, Vec::with_capacity(counts.len() / 2));
    let mut counts = counts.iter();
    while let Some(number) = zigzag(&mut counts) {
        match u64::try_from(number) {
            Ok(0) => index += 1,
            Ok(count) => {
                let value = buckets.highest(index).ok_or("it has a bucket that cannot be")?;
                found.push((value, count));
                index += 1;
            }
            Err(_) => index = index.checked_add(number.unsigned_abs()).ok_or_else(cut)?,
        }
    }
    let recorded = Recorded::from(found);
    match recorded.count() {
        ..=MOST => Ok(recorded),
        count => Err(format!("it counts {count}, over {MOST}")),
    }
}

/// The next number; none at the end, and where it is cut off.
fn zigzag(bytes: &mut slice::Iter<'_, u8>) -> Option<i64> {
    const LAST: u32 = 8;
    let mut value = 0_u64;
    for nth in 0..=LAST {
        let byte = u64::from(*bytes.next()?);
        // The ninth byte counts whole.
        if nth == LAST || byte & 0x80 == 0 {
            value |= byte << (7 * nth);
            break;
        }
        value |= (byte & 0x7f) << (7 * nth);
    }
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer, V2Serializer};
    use libdeflater::{CompressionLvl, Compressor};
    use proptest::prelude::*;

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut zlib = Compressor::new(CompressionLvl::default());
        let mut packed = vec![0; zlib.zlib_compress_bound(plain.len())];
        let length = zlib.zlib_compress(plain, &mut packed).unwrap();
        [&COMPRESSED.to_be_bytes(), &[0; 4], &packed[..length]].concat()
    }

    fn written(histogram: &Histogram<u64>) -> [Vec<u8>; 2] {
        let (mut short, mut long) = (Vec::new(), Vec::new());
        V2DeflateSerializer::new().serialize(histogram, &mut short).unwrap();
        V2Serializer::new().serialize(histogram, &mut long).unwrap();
        [short, long]
    }

    #[test]
    fn a_histogram_that_lies_about_its_size_is_refused() {
        let mut decoder = Decoder::default();
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        histogram.record(12_345).unwrap();
        let [short, mut long] = written(&histogram);
        assert_eq!(decoder.decode(&short).unwrap(), Recorded::of(&histogram));
        assert_eq!(decoder.decode(&long).unwrap(), Recorded::of(&histogram));
        // It says that 4 GiB follow.
        long[4..8].fill(0xff);
        for (bytes, expected) in [
            (packed(&long), "it is cut off"),
            (long, "it is cut off"),
            (packed(&vec![0; 64 << 20]), "it is over 4 MiB"),
            (short[..short.len() - 3].to_vec(), "it is damaged or cut off"),
            (vec![0; 3], "it is none of"),
            (Vec::new(), "it is none of"),
        ] {
            let error = decoder.decode(&bytes).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        // One that is damaged leaves nothing behind for the next.
        assert_eq!(decoder.decode(&short).unwrap(), Recorded::of(&histogram));
    }

    /// The first bucket of a power of two, and so many others in it.
    fn of_one_bucket(empty: i64, count: u64) -> Vec<u8> {
        let mut bytes = PLAIN.to_be_bytes().to_vec();
        let mut counts = Vec::new();
        for number in [-empty, i64::try_from(count).unwrap()] {
            let mut zigzag = ((number << 1) ^ (number >> 63)) as u64;
            for _ in 0..8 {
                let more = zigzag > 0x7f;
                counts.push((zigzag & 0x7f) as u8 | if more { 0x80 } else { 0 });
                zigzag >>= 7;
                if !more {
                    break;
                }
            }
        }
        bytes.extend((counts.len() as u32).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(3_u32.to_be_bytes());
        bytes.extend(1_u64.to_be_bytes());
        bytes.extend((1_u64 << 62).to_be_bytes());
        bytes.extend(1.0_f64.to_be_bytes());
        bytes.extend(counts);
        bytes
    }

    #[test]
    fn what_is_read_fits_into_a_sum_or_is_refused() {
        let mut decoder = Decoder::default();
        // The last bucket that there can be: of 2,048 values and 53 powers of two more.
        let last = 2048 + 53 * 1024 - 1;
        let highest = decoder.decode(&of_one_bucket(last, 3)).unwrap();
        let mut sum = Histogram::<u64>::new(3).unwrap();
        highest.add_to(&mut sum);
        assert_eq!(sum.len(), 3);
        let beyond = decoder.decode(&of_one_bucket(last + 1, 3)).unwrap_err();
        assert!(beyond.contains("a bucket that cannot be"), "{beyond}");
        let many = decoder.decode(&of_one_bucket(5, MOST + 1)).unwrap_err();
        assert!(many.contains("over"), "{many}");
    }

    proptest! {
        /// The library reads what it wrote, and so does this.
        #[test]
        fn what_the_library_wrote_is_read_as_it_reads_it(
            values in prop::collection::vec((0_u64..1 << 40, 1_u64..1 << 38), 0..60),
            digits in 1_u8..=4,
            lowest in 1_u64..100,
        ) {
            let mut histogram = Histogram::<u64>::new_with_bounds(lowest, 1 << 40, digits).unwrap();
            for (value, count) in values {
                histogram.record_n(value, count).unwrap();
            }
            let mut decoder = Decoder::default();
            for bytes in written(&histogram) {
                prop_assert_eq!(decoder.decode(&bytes).unwrap(), Recorded::of(&histogram));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            head in prop::bool::ANY,
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut decoder = Decoder::default();
            let plain = if head { [&PLAIN.to_be_bytes()[..], &bytes].concat() } else { bytes };
            let _ = decoder.decode(&plain);
            let _ = decoder.decode(&packed(&plain));
        }
    }
}
