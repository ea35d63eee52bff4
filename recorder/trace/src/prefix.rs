//! What the ids of one recording begin with.

use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// Another one for each recording, so that the ids of two can stand in one file.
pub fn of_recording(seed: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(now.as_nanos().to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    common::digest::hex(&hash.finalize()[..4])
}
