//! What a process holds, from `/proc`.

use std::fs;

/// Resident memory of this process in bytes, shared pages included; zero where there is no `/proc`.
pub fn resident_bytes() -> u64 {
    resident("self").unwrap_or(0)
}

/// That of any process; none where there is no such process.
pub fn resident_bytes_of(pid: u32) -> Option<u64> {
    resident(&pid.to_string())
}

fn resident(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kib.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
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
