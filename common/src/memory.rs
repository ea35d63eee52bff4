//! What a process holds, from `/proc`.

use std::fs;

/// Resident memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    pub all: u64,
    /// Of it what it may have together with others: programs, libraries, shared memory.
    pub shared: u64,
}

/// Resident memory of this process in bytes, shared pages included; zero where there is no `/proc`.
pub fn resident_bytes() -> u64 {
    resident("self").map_or(0, |of| of.all)
}

/// That of any process; none where there is no such process.
pub fn resident_of(pid: u32) -> Option<Resident> {
    resident(&pid.to_string())
}

fn resident(process: &str) -> Option<Resident> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let bytes = |name| {
        let kib = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(kib.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    let shared = |name| bytes(name).unwrap_or(0);
    Some(Resident { all: bytes("VmRSS:")?, shared: shared("RssFile:") + shared("RssShmem:") })
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
