//! Words that several sessions send under the same name, which are nobody's secret.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::place::{Place, Verdict};

/// So many are remembered; when there are more, all of them are forgotten.
const MOST: usize = 8192;

/// Remembers which session said a word first; of the words only hashes are kept.
#[derive(Debug, Default)]
pub struct Common {
    hashes: RandomState,
    first: HashMap<u64, usize>,
}

impl Common {
    /// Takes words that another session said before for harmless.
    pub fn judge(&mut self, places: &mut [Place], session: usize) {
        for place in places.iter_mut().filter(|place| place.verdict == Verdict::Word) {
            if self.first.len() >= MOST {
                self.first.clear();
            }
            let hash = self.hashes.hash_one((place.name.as_str(), place.value.as_str()));
            if *self.first.entry(hash).or_insert(session) != session {
                place.verdict = Verdict::Harmless;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::of_body;
    use crate::names::Names;

    #[test]
    fn a_word_that_two_sessions_say_is_no_secret() {
        let mut common = Common::default();
        let mut is_secret = |body: &str, session| {
            let mut places = of_body(body.as_bytes(), "", "/", &Names::default());
            common.judge(&mut places, session);
            places[0].is_secret()
        };
        assert!(is_secret(r#"{"pass":"economy"}"#, 1) && is_secret(r#"{"pass":"economy"}"#, 1));
        assert!(!is_secret(r#"{"pass":"economy"}"#, 2) && is_secret(r#"{"pass":"business"}"#, 2));
        assert!(is_secret(r#"{"pass":"hunter2"}"#, 1) && is_secret(r#"{"pass":"hunter2"}"#, 2));
    }
}
