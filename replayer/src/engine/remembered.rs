//! Secrets that answers gave a user earlier in the run.

/// So many of the latest are kept: a target that quotes an older one is not expected.
const MOST: usize = 64;

/// The latest values, each once. Full, it allocates only for one longer than any that it replaces.
#[derive(Default)]
pub(super) struct Remembered {
    values: Vec<String>,
    /// The oldest, once there are as many as may be.
    oldest: usize,
}

impl Remembered {
    pub(super) fn add(&mut self, value: &str) {
        if self.values.iter().any(|known| known == value) {
            return;
        }
        if self.values.len() < MOST {
            self.values.push(value.to_owned());
            return;
        }
        let kept = &mut self.values[self.oldest];
        kept.clear();
        kept.push_str(value);
        self.oldest = (self.oldest + 1) % MOST;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_each_once() {
        let mut remembered = Remembered::default();
        for number in 0..MOST + 2 {
            remembered.add(&number.to_string());
            remembered.add(&number.to_string());
        }
        let mut kept: Vec<usize> = remembered.iter().map(|text| text.parse().unwrap()).collect();
        kept.sort_unstable();
        assert_eq!(kept, (2..MOST + 2).collect::<Vec<_>>());
    }
}
