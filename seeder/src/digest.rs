//! Digests as they stand in files.

/// `sha256:` and the hash in hexadecimal digits.
pub(crate) fn text(hash: &[u8]) -> String {
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}
