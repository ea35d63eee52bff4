//! What this process holds, from `/proc`; zero where there is none.

use std::fs;

/// Resident memory in bytes.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|kib| kib.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_written_to_is_resident() {
        let before = resident_bytes();
        let held = std::hint::black_box(vec![1_u8; 32 << 20]);
        assert!(resident_bytes() >= before + (24 << 20), "{} MiB", held.len() >> 20);
    }
}
