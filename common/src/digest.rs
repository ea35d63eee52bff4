//! Digests as they are written to files, and a hash that is the same everywhere.

use std::fmt::Write as _;
use std::io::{self, BufRead as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// `sha256:` and the hash in hexadecimal digits.
pub fn text(sha256: &[u8]) -> String {
    format!("sha256:{}", hex(sha256))
}

/// `sha256:…` of these bytes.
pub fn of(bytes: &[u8]) -> String {
    text(&Sha256::digest(bytes))
}

/// `sha256:…` of a file's bytes.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = io::BufReader::with_capacity(1 << 16, crate::input::open(path)?);
    loop {
        let block = file.fill_buf()?;
        if block.is_empty() {
            return Ok(text(&hasher.finalize()));
        }
        hasher.update(block);
        let read = block.len();
        file.consume(read);
    }
}

/// Lower-case hexadecimal digits, two per byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        // Writing to a String does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// FNV-1a: the same on every machine and in every version.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of FIPS 180-2 and of the FNV draft.
    #[test]
    fn published_examples_come_out() {
        assert_eq!(
            of(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(stable_hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
