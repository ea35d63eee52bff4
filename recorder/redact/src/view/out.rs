//! A text in the making.

/// A text that is being made, with where in the other one each of its bytes comes from.
#[derive(Default)]
pub(super) struct Out {
    pub(super) text: String,
    pub(super) table: Vec<u32>,
}

impl Out {
    pub(super) fn of(text: &str) -> Self {
        Self { text: String::with_capacity(text.len()), table: Vec::new() }
    }

    pub(super) fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.table.resize(self.text.len(), at as u32);
    }
}
