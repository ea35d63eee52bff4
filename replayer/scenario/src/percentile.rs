//! Percentiles as exact ranks.

use std::fmt;
use std::str::FromStr;

/// A percentile as a ratio: 99.9 is 999 of 1,000. As a float, 99.9 / 100 is a little more
/// than that, and the rank of it one too high where it should be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Percentile {
    part: u64,
    of: u64,
}

/// Decimals that a percentile may have: with more of them no run has requests enough.
const MAX_DECIMALS: usize = 6;

impl Percentile {
    pub const P50: Self = Self { part: 50, of: 100 };
    pub const P66: Self = Self { part: 66, of: 100 };
    pub const P75: Self = Self { part: 75, of: 100 };
    pub const P80: Self = Self { part: 80, of: 100 };
    pub const P90: Self = Self { part: 90, of: 100 };
    pub const P95: Self = Self { part: 95, of: 100 };
    pub const P98: Self = Self { part: 98, of: 100 };
    pub const P99: Self = Self { part: 99, of: 100 };
    pub const P99_9: Self = Self { part: 999, of: 1000 };
    pub const P99_99: Self = Self { part: 9999, of: 10_000 };

    /// The nearest rank (from 1) among `count` ordered values: the first that this
    /// percentile of them does not exceed. 0 where there are none.
    pub fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(count) * u128::from(self.part)).div_ceil(u128::from(self.of));
        // At most `count`, as `part` is less than `of`.
        rank as u64
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a percentile between 0 and 100, such as 95 or 99.9")]
pub struct PercentileError(String);

impl FromStr for Percentile {
    type Err = PercentileError;

    fn from_str(text: &str) -> Result<Self, PercentileError> {
        let error = || PercentileError(text.to_owned());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_short = (1..=2).contains(&whole.len()) && decimals.len() <= MAX_DECIMALS;
        if !is_short || !is_number(whole) || !is_number(decimals) || text.ends_with('.') {
            return Err(error());
        }
        let part = format!("{whole}{decimals}").parse().map_err(|_| error())?;
        if part == 0 {
            return Err(error());
        }
        Ok(Self { part, of: 10_u64.pow(2 + decimals.len() as u32) })
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.of / 100;
        write!(f, "{}", self.part / scale)?;
        if scale > 1 {
            let decimals = scale.ilog10() as usize;
            write!(f, ".{:0decimals$}", self.part % scale)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_read_back_as_written() {
        for text in ["1", "50", "95", "99.9", "99.99", "0.1", "99.05"] {
            assert_eq!(text.parse::<Percentile>().unwrap().to_string(), text);
        }
        assert_eq!("99.9".parse::<Percentile>().unwrap(), Percentile::P99_9);
        for text in ["", "0", "0.0", "100", "-1", "+5", "95.", ".5", "9e1", "99.9999999", "nan"] {
            assert!(text.parse::<Percentile>().is_err(), "{text}");
        }
    }

    /// Against whole-number arithmetic: the least rank of which `of` times reaches `part` times
    /// the count, found by counting up.
    #[test]
    fn ranks_are_exact_for_every_count_up_to_10_000() {
        let named = [
            "0.1", "1", "50", "66", "75", "80", "90", "95", "98", "99", "99.5", "99.9", "99.95",
            "99.99", "99.999",
        ];
        for text in named {
            let percentile: Percentile = text.parse().unwrap();
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len() as u32);
            let part: u64 = text.replace('.', "").parse().unwrap();
            let of = 100 * 10_u64.pow(decimals);
            let mut rank = 0;
            for count in 0..=10_000 {
                while rank * of < part * count {
                    rank += 1;
                }
                assert_eq!(percentile.rank(count), rank, "p{text} of {count}");
            }
        }
        // What a float makes of it.
        assert_eq!((99.9_f64 / 100.0 * 1000.0).ceil(), 1000.0);
        assert_eq!(Percentile::P99_9.rank(1000), 999);
    }
}
