//! Numbers that clients count with: `Article 3` after `Article 2`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Values whose numbers are remembered. When there are more, all of them are forgotten.
const MOST: usize = 16_384;

/// By hashes, because what clients say is not kept.
#[derive(Debug, Default)]
pub(super) struct Counters {
    hashes: RandomState,
    last: HashMap<u64, u64>,
}

impl Counters {
    /// Whether the same was said at this place with another number before.
    pub(super) fn goes_on(&mut self, path: &str, name: &str, stem: &str, number: &str) -> bool {
        if self.last.len() >= MOST {
            self.last.clear();
        }
        let number = self.hashes.hash_one(number);
        let before = self.last.insert(self.hashes.hash_one((path, name, stem)), number);
        before.is_some_and(|before| before != number)
    }
}
