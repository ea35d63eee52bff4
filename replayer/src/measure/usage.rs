//! What the generator itself uses, from `/proc`; zeros where there is none.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use run_log::format::Host;

/// Processor time since it was last asked, as a share of the time that passed.
#[derive(Debug)]
pub struct Usage {
    last: Duration,
    asked: Instant,
}

impl Usage {
    /// Of the whole process: 2.0 is two cores busy.
    pub fn of_process() -> Self {
        Self { last: processor_time(), asked: Instant::now() }
    }

    /// The share since the last call.
    pub fn share(&mut self) -> f64 {
        let (spent, now) = (processor_time(), Instant::now());
        let share = (spent.saturating_sub(self.last)).as_secs_f64()
            / (now - self.asked).as_secs_f64().max(1e-6);
        (self.last, self.asked) = (spent, now);
        share
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// The machine that the load comes from.
pub fn host() -> Host {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let kib = field(&read("/proc/meminfo"), "MemTotal:")
        .and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Host {
        os: field(&read("/etc/os-release"), "PRETTY_NAME=").map_or_else(
            || std::env::consts::OS.to_owned(),
            |name| name.trim_matches('"').to_owned(),
        ),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu: field(&read("/proc/cpuinfo"), "model name")
            .map_or_else(String::new, |name| name.trim_start_matches([':', ' ']).to_owned()),
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_bytes: kib.unwrap_or(0) * 1024,
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}
