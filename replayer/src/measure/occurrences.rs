//! How often something went wrong, and from when to when.

use std::ops::RangeInclusive;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occurrences {
    pub count: u64,
    /// From the second of the first to that of the last; none where it is not known of all.
    pub seconds: Option<RangeInclusive<u64>>,
}

impl Occurrences {
    /// Takes in so many more.
    pub fn add(&mut self, count: u64, seconds: Option<RangeInclusive<u64>>) {
        self.seconds = match (self.count, &self.seconds, seconds) {
            (0, _, seconds) => seconds,
            (_, Some(one), Some(other)) => {
                Some(*one.start().min(other.start())..=*one.end().max(other.end()))
            }
            _ => None,
        };
        self.count += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seconds_are_those_of_all_or_unknown() {
        let mut of_it = Occurrences::default();
        of_it.add(2, Some(7..=7));
        of_it.add(1, Some(3..=5));
        assert_eq!(of_it, Occurrences { count: 3, seconds: Some(3..=7) });
        of_it.add(1, None);
        assert_eq!(of_it, Occurrences { count: 4, seconds: None });
    }
}
