//! Captured values, in slots.

/// A fixed number of slots, each empty or holding a text. Texts keep their
/// memory when they are replaced, so that a user's hundredth session allocates
/// nothing that the first did not.
#[derive(Default)]
pub struct Slots {
    slots: Vec<(bool, String)>,
}

impl Slots {
    pub fn with_slots(count: usize) -> Self {
        Self { slots: vec![(false, String::new()); count] }
    }

    /// Empties all slots, and makes them `count`.
    pub fn reset(&mut self, count: usize) {
        self.slots.resize_with(count, Default::default);
        for (is_set, _) in &mut self.slots {
            *is_set = false;
        }
    }

    pub fn get(&self, slot: usize) -> Option<&str> {
        self.slots.get(slot).filter(|(is_set, _)| *is_set).map(|(_, text)| text.as_str())
    }

    pub fn set(&mut self, slot: usize, text: &str) {
        if let Some((is_set, kept)) = self.slots.get_mut(slot) {
            *is_set = true;
            kept.clear();
            kept.push_str(text);
        }
    }

    pub fn clear(&mut self, slot: usize) {
        if let Some((is_set, _)) = self.slots.get_mut(slot) {
            *is_set = false;
        }
    }

    /// In bytes.
    pub fn capacity(&self) -> usize {
        let texts: usize = self.slots.iter().map(|(_, text)| text.capacity()).sum();
        texts + self.slots.capacity() * size_of::<(bool, String)>()
    }

    /// All that is set.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter(|(is_set, _)| *is_set).map(|(_, text)| text.as_str())
    }
}
