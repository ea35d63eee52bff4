//! Captured values, in slots.

/// A fixed number of slots, each empty or holding a text. Texts keep their
/// memory when they are replaced, so that a user's hundredth session allocates
/// nothing that the first did not.
#[derive(Default)]
pub struct Slots {
    slots: Vec<(State, String)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Empty,
    /// It held a text that is none of its any more.
    Forgotten,
    /// The target failed the request whose answer would have filled it.
    Denied,
    Set,
}

impl Slots {
    pub fn with_slots(count: usize) -> Self {
        Self { slots: vec![(State::Empty, String::new()); count] }
    }

    /// Empties all slots, and makes them `count`.
    pub fn reset(&mut self, count: usize) {
        self.slots.resize_with(count, Default::default);
        for (state, _) in &mut self.slots {
            *state = State::Empty;
        }
    }

    pub fn get(&self, slot: usize) -> Option<&str> {
        self.slots.get(slot).filter(|(state, _)| *state == State::Set).map(|(_, text)| &**text)
    }

    pub fn set(&mut self, slot: usize, text: &str) {
        if let Some((state, kept)) = self.slots.get_mut(slot) {
            *state = State::Set;
            kept.clear();
            kept.push_str(text);
        }
    }

    pub fn clear(&mut self, slot: usize) {
        if let Some((state, _)) = self.slots.get_mut(slot) {
            *state = State::Forgotten;
        }
    }

    /// Whether nothing was ever to fill it.
    pub fn is_unknown(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|(state, _)| *state == State::Empty)
    }

    /// Notes that the target failed what would have filled this slot, where it is empty.
    pub fn deny(&mut self, slot: usize) {
        if let Some((state @ (State::Empty | State::Forgotten), _)) = self.slots.get_mut(slot) {
            *state = State::Denied;
        }
    }

    /// Whether it is empty, and by the target's fault.
    pub fn is_denied(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|(state, _)| *state == State::Denied)
    }

    /// In bytes.
    pub fn capacity(&self) -> usize {
        let texts: usize = self.slots.iter().map(|(_, text)| text.capacity()).sum();
        texts + self.slots.capacity() * size_of::<(State, String)>()
    }

    /// All that is set.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter(|(state, _)| *state == State::Set).map(|(_, text)| text.as_str())
    }
}
