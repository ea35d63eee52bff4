//! Seconds on their way: each a text, in pieces that a message can hold.

use std::collections::{BTreeMap, HashMap};

/// Bytes of a piece, well under the MiB that a server takes in a message.
const MOST: usize = 400 << 10;

/// Where a piece belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub shard: u32,
    pub epoch: u64,
    pub second: u64,
    pub index: usize,
    pub of: usize,
}

impl Place {
    /// The id by which the same message is known again.
    pub(super) fn id(self, run: &str) -> String {
        let Self { shard, epoch, second, index, of } = self;
        format!("{run}/{shard}/{epoch}/{second}/{index}/{of}")
    }

    pub(super) fn of_id(id: &str) -> Option<Self> {
        let mut parts = id.split('/').skip(1);
        let mut next = || parts.next()?.parse::<u64>().ok();
        let (shard, epoch, second) = (next()?, next()?, next()?);
        let (index, of) = (usize::try_from(next()?).ok()?, usize::try_from(next()?).ok()?);
        let shard = u32::try_from(shard).ok()?;
        (index < of).then_some(Self { shard, epoch, second, index, of })
    }
}

/// The pieces of a text.
pub(super) fn pieces(text: &[u8]) -> Vec<&[u8]> {
    text.chunks(MOST).collect()
}

/// Puts texts together again.
#[derive(Default)]
pub(super) struct Pieces(HashMap<(u32, u64, u64), BTreeMap<usize, Vec<u8>>>);

impl Pieces {
    /// The whole text, once its last piece is there; the same piece twice counts once.
    pub(super) fn add(&mut self, place: Place, piece: &[u8]) -> Option<Vec<u8>> {
        let key = (place.shard, place.epoch, place.second);
        let found = self.0.entry(key).or_default();
        found.insert(place.index, piece.to_owned());
        if found.len() < place.of {
            return None;
        }
        self.0.remove(&key).map(|found| found.into_values().collect::<Vec<_>>().concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_together_in_whatever_order_its_pieces_come() {
        let text: Vec<u8> = (0..3 * MOST / 2).map(|at| (at % 251) as u8).collect();
        let parts = pieces(&text);
        assert_eq!(parts.len(), 2);
        let place = |index| Place { shard: 3, epoch: 70, second: 9, index, of: parts.len() };
        for order in [[0, 1], [1, 0]] {
            let mut found = Pieces::default();
            assert_eq!(found.add(place(order[0]), parts[order[0]]), None);
            assert_eq!(found.add(place(order[0]), parts[order[0]]), None);
            assert_eq!(found.add(place(order[1]), parts[order[1]]), Some(text.clone()));
            assert!(found.0.is_empty());
        }
        assert_eq!(Place::of_id(&place(1).id("a-run")), Some(place(1)));
        for id in ["", "a/1/2/3", "a/1/2/3/2/2", "a/x/2/3/0/1"] {
            assert_eq!(Place::of_id(id), None, "{id}");
        }
    }
}
