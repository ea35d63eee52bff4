//! Where random numbers come from.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Random numbers of one column, of one persona: whatever has a name.
///
/// Streams with different seeds or names have nothing to do with each other,
/// nor have positions of one stream.
#[derive(Clone, Debug)]
pub struct Stream([u8; 32]);

impl Stream {
    /// The stream of this name, such as `["vigilia", "users", "full_name"]`.
    pub fn new(seed: u64, name: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for part in name {
            // The length keeps ["ab", "c"] and ["a", "bc"] apart.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }

    /// The numbers at position `n`: at least 2^64 of them.
    pub fn at(&self, n: u64) -> ChaCha8Rng {
        let mut source = ChaCha8Rng::from_seed(self.0);
        source.set_stream(n);
        source
    }
}
