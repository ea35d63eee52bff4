//! Counts of a file, which may be anybody's.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What a count is at most: sums over many seconds and runs fit into 64 bits, too.
pub(crate) const MOST: u64 = 1 << 44;

/// A count of at most [`MOST`].
#[derive(Deserialize)]
pub(crate) struct Count(#[serde(deserialize_with = "count")] pub(crate) u64);

pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let count = u64::deserialize(deserializer)?;
    if count > MOST {
        return Err(D::Error::custom(format!("{count} is no count: it is over {MOST}")));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_no_sum_can_hold_is_none() {
        let read = |text: &str| serde_json::from_str::<Count>(text);
        assert_eq!(read(&MOST.to_string()).unwrap().0, MOST);
        for wrong in [(MOST + 1).to_string(), u64::MAX.to_string(), "-1".to_owned()] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
