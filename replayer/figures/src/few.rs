//! Values of which there are few, such as those of a second.

use run_log::recorded::Recorded;
use scenario::Percentile;

/// Values with their counts, to be ranked and forgotten. To empty a histogram takes longer than to
/// sort what a second has in it.
#[derive(Debug, Default)]
pub struct Few(Vec<(u64, u64)>);

impl Few {
    pub fn add(&mut self, recorded: &Recorded) {
        self.0.extend(recorded.values());
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values at the nearest ranks of these percentiles, none where there is no value.
    pub fn percentiles<const N: usize>(&mut self, wanted: [Percentile; N]) -> [Option<u64>; N] {
        // What was added last is in order already, which this sort makes use of.
        self.0.sort();
        let count = self.0.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        wanted.map(|percentile| {
            let (rank, mut below) = (percentile.rank(count), 0_u64);
            let at_rank = self.0.iter().find(|(_, count)| {
                below = below.saturating_add(*count);
                below >= rank
            });
            at_rank.map(|(value, _)| *value)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{histogram, value_at};

    proptest! {
        #[test]
        fn ranks_are_those_of_a_histogram(
            parts in prop::collection::vec(prop::collection::vec(1_u64..10_000_000, 0..40), 0..5),
        ) {
            let (mut few, mut all) = (Few::default(), histogram());
            for values in parts {
                let mut part = histogram();
                for value in values {
                    part.record(value).unwrap();
                }
                few.add(&Recorded::of(&part));
                all.add(part).unwrap();
            }
            let wanted = [Percentile::P50, Percentile::P95, Percentile::P99_9];
            prop_assert_eq!(few.percentiles(wanted), wanted.map(|of| value_at(&all, of)));
        }
    }
}
