//! Memory for exchanges, shared by the lanes of a worker.
//!
//! What an exchange needs from its beginning to its end is small. The bodies of answers are not:
//! thousands of lanes wait for an answer at a time, and a few read one. So a body's memory is
//! taken when its first byte comes, and given back when the answer was looked into. What lies
//! ready for the next is bounded; what is given back beyond that is freed.

use std::rc::Rc;

use super::answer::Kept;
use super::shelf::{Memory, Shelf};

/// Memory for one exchange, lent to a lane.
#[derive(Default)]
pub(super) struct Buffers {
    pub rendered: Rendered,
    pub answer: Kept,
}

/// A request as it is sent.
#[derive(Default)]
pub(super) struct Rendered {
    pub bytes: Vec<u8>,
}

impl Memory for Buffers {
    fn capacity(&self) -> usize {
        self.rendered.bytes.capacity() + self.answer.capacity() + size_of::<Self>()
    }
}

/// All shelves of a worker.
#[derive(Default)]
pub(super) struct Store {
    exchanges: Shelf<Buffers>,
    bodies: Rc<Shelf<Vec<u8>>>,
}

impl Store {
    pub(super) fn lend(&self) -> Buffers {
        let mut buffers = self.exchanges.take();
        buffers.answer.takes_from(&self.bodies);
        buffers
    }

    pub(super) fn give_back(&self, mut buffers: Buffers) {
        buffers.answer.release();
        self.exchanges.give_back(buffers);
    }
}

#[cfg(test)]
mod tests {
    use http1::Sink;

    use super::super::answer::{Answer, Wanted};
    use super::super::held::MOST_HELD;
    use super::super::shelf::MOST_READY;
    use super::super::tests::request;
    use super::*;

    /// Thousands wait, and then all are answered, one after the other or at once.
    #[test]
    fn what_is_held_does_not_grow_with_those_who_wait_nor_with_what_they_get() {
        let store = Store::default();
        let request = request();
        for size in [100, 60 << 10, 5 << 20] {
            let mut all: Vec<Buffers> = (0..2_000).map(|_| store.lend()).collect();
            let held: usize = all.iter().map(Memory::capacity).sum();
            assert!(held < 2_000 * 1_024, "{held} bytes of 2,000 who wait");
            for mut buffers in all.drain(..) {
                let mut answer = Answer::new(&request, Wanted::Whole, &mut buffers.answer);
                answer.head(200, &[]);
                for _ in 0..size / 100 {
                    answer.body(&[b'x'; 100]);
                }
                assert!(answer.decoded().is_some_and(|body| body.len() == size / 100 * 100));
                store.give_back(buffers);
            }
            let ready = (store.exchanges.ready_bytes(), store.bodies.ready_bytes());
            assert!(ready.0 <= MOST_READY && ready.1 <= 2 * size.max(1_024), "{ready:?}");
        }
        // Beyond the bound it is freed.
        let bodies: Vec<Vec<u8>> = (0..100).map(|_| Vec::with_capacity(100 << 10)).collect();
        bodies.into_iter().for_each(|body| store.bodies.give_back(body));
        assert!(store.bodies.ready_bytes() <= MOST_READY);
    }

    /// Forty of 16 MiB at once: what does not fit is not kept, and what was kept makes room again.
    #[test]
    fn bodies_of_all_who_read_at_once_have_a_bound() {
        let store = Store::default();
        let request = request();
        let piece = vec![b'x'; 1 << 20];
        let read = |buffers: &mut Buffers| {
            let mut answer = Answer::new(&request, Wanted::Whole, &mut buffers.answer);
            answer.head(200, &[]);
            (0..16).for_each(|_| answer.body(&piece));
            answer.decoded().is_some_and(|body| body.len() == 16 << 20)
        };
        let mut all: Vec<Buffers> = (0..40).map(|_| store.lend()).collect();
        let whole = all.iter_mut().map(read).filter(|whole| *whole).count();
        let held: usize = all.iter().map(Memory::capacity).sum();
        assert!(held <= MOST_HELD + 40 * 1_024, "{held}");
        assert!((8..=16).contains(&whole), "{whole}");
        all.into_iter().for_each(|buffers| store.give_back(buffers));
        assert!(read(&mut store.lend()));
    }

    /// A body that is cut off, and one that nobody wants.
    #[test]
    fn memory_is_given_back_whatever_became_of_the_answer() {
        let store = Store::default();
        let request = request();
        for (wanted, begun) in
            [(Wanted::Whole, true), (Wanted::Nothing, true), (Wanted::Whole, false)]
        {
            let mut buffers = store.lend();
            let mut answer = Answer::new(&request, wanted, &mut buffers.answer);
            if begun {
                answer.head(200, &[]);
                answer.body(&[b'x'; 5_000]);
            }
            answer.reset();
            store.give_back(buffers);
            let again = store.lend();
            assert!(again.capacity() < 1_024, "{} bytes", again.capacity());
            store.give_back(again);
        }
        assert!(store.bodies.ready_bytes() >= 5_000);
    }
}
