//! Keeps a copy of what passes by, as long as there is room for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::exchange::SeenBody;

/// Memory for the bodies of all exchanges that are under way or wait for the journal.
#[derive(Debug)]
pub(super) struct Room {
    taken: AtomicUsize,
    most: usize,
}

/// A share of the room, given back when it is dropped.
#[derive(Debug)]
pub(super) struct RoomShare {
    room: Arc<Room>,
    bytes: usize,
}

/// What was seen of one body. It may contain secrets, hence no `Debug`.
pub(super) struct Tap {
    kept: Tapped,
    /// Bytes that passed.
    size: u64,
    held: RoomShare,
    /// The largest body that is kept, in bytes.
    most: usize,
}

enum Tapped {
    Whole(Vec<u8>),
    Digest(Box<Sha256>),
}

impl Room {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { taken: AtomicUsize::new(0), most })
    }

    pub(super) fn hold(self: &Arc<Self>) -> RoomShare {
        RoomShare { room: Arc::clone(self), bytes: 0 }
    }
}

impl RoomShare {
    /// Makes the share `bytes` larger, if that much is left.
    fn grow(&mut self, bytes: usize) -> bool {
        // Relaxed: only the sum matters. Two at the same time may both be refused, which is safe.
        let before = self.room.taken.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.room.most;
        if fits {
            self.bytes += bytes;
        } else {
            self.room.taken.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    fn release(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for RoomShare {
    fn drop(&mut self) {
        self.release();
    }
}

impl Tap {
    /// Keeps a body of at most `most` bytes.
    pub(super) fn new(room: &Arc<Room>, most: usize) -> Self {
        Self { kept: Tapped::Whole(Vec::new()), size: 0, held: room.hold(), most }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        match &mut self.kept {
            Tapped::Whole(whole) => {
                let length = whole.len() + bytes.len();
                // Capacity is doubled where it has to grow, and all of it is accounted for.
                let wanted = length.max(2 * whole.capacity()).min(self.most);
                let more = wanted.saturating_sub(whole.capacity());
                let fits =
                    length <= whole.capacity() || (length <= self.most && self.held.grow(more));
                if fits {
                    whole.reserve_exact(wanted - whole.len());
                    whole.extend_from_slice(bytes);
                } else {
                    let digest = Sha256::new_with_prefix(&*whole).chain_update(bytes);
                    self.kept = Tapped::Digest(Box::new(digest));
                    self.held.release();
                }
            }
            Tapped::Digest(digest) => digest.update(bytes),
        }
    }

    /// The body, and its share of the room, to be held for as long as the body is.
    pub(super) fn finish(self) -> (SeenBody, RoomShare) {
        let body = match self.kept {
            Tapped::Whole(whole) => SeenBody::Whole(Bytes::from(whole)),
            Tapped::Digest(digest) => SeenBody::TooLarge {
                size: self.size,
                sha256: common::digest::text(&digest.finalize()),
            },
        };
        (body, self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tapped(room: &Arc<Room>, most: usize, pieces: &[&[u8]]) -> (SeenBody, RoomShare) {
        let mut tap = Tap::new(room, most);
        pieces.iter().for_each(|piece| tap.add(piece));
        tap.finish()
    }

    #[test]
    fn a_body_over_the_cap_is_known_by_its_size_and_digest() {
        let room = Room::new(1000);
        let (body, _held) = tapped(&room, 5, &[b"abc", b"de"]);
        assert!(matches!(body, SeenBody::Whole(whole) if whole == "abcde"));
        let (body, _held) = tapped(&room, 5, &[b"ab", b"", b"cdef"]);
        let SeenBody::TooLarge { size, sha256 } = body else { panic!("kept") };
        assert_eq!((size, sha256), (6, common::digest::of(b"abcdef")));
    }

    #[test]
    fn bodies_together_stay_within_the_room_and_give_it_back() {
        let room = Room::new(10);
        let (first, held) = tapped(&room, 8, &[b"12345678"]);
        assert!(matches!(first, SeenBody::Whole(_)));
        assert!(matches!(tapped(&room, 8, &[b"123"]).0, SeenBody::TooLarge { size: 3, .. }));
        drop(held);
        let (third, held) = tapped(&room, 8, &[b"1", b"2", b"345678"]);
        assert!(matches!(third, SeenBody::Whole(whole) if whole == "12345678"));
        assert_eq!(room.taken.load(Ordering::Relaxed), 8);
        drop(held);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
