//! Memory that lies ready for the next who needs some, up to a bound.

use std::cell::{Cell, RefCell};

/// Bytes that lie ready on a shelf at most.
pub(super) const MOST_READY: usize = 2 << 20;

/// Memory that lies ready.
#[derive(Default)]
pub(super) struct Shelf<T> {
    ready: RefCell<Vec<T>>,
    /// The capacity of all of it.
    bytes: Cell<usize>,
}

/// What has memory.
pub(super) trait Memory: Default {
    /// In bytes.
    fn capacity(&self) -> usize;
}

impl<T: Memory> Shelf<T> {
    pub(super) fn take(&self) -> T {
        let Some(taken) = self.ready.borrow_mut().pop() else { return T::default() };
        self.bytes.set(self.bytes.get() - taken.capacity());
        taken
    }

    pub(super) fn give_back(&self, memory: T) {
        let bytes = self.bytes.get() + memory.capacity();
        if bytes <= MOST_READY {
            self.bytes.set(bytes);
            self.ready.borrow_mut().push(memory);
        }
    }

    #[cfg(test)]
    pub(super) fn ready_bytes(&self) -> usize {
        self.bytes.get()
    }
}

/// The body of an answer.
impl Memory for Vec<u8> {
    fn capacity(&self) -> usize {
        self.capacity()
    }
}
