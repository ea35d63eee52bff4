//! Processes of the target on this machine: those that listen to a port, or one by its number, and
//! all that they have started.

use std::collections::{BTreeMap, BTreeSet};

use common::memory::resident_of;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::proc::{
    Process, TICKS_PER_SECOND, cgroup, descriptors, listening_to, of_cgroup, read_and_written,
    with_children,
};
use super::watch::{Figures, Source};

/// So many looks apart it is looked who belongs to it; at once where one of them has gone.
const LOOKS_APART: u64 = 10;

/// Which processes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Listening(u16),
    Pid(u32),
}

impl Which {
    /// What their metrics begin with.
    fn prefix(self) -> String {
        match self {
            Self::Listening(port) => format!("process.{port}"),
            Self::Pid(pid) => format!("process.pid_{pid}"),
        }
    }

    fn find(self) -> BTreeSet<u32> {
        let roots = match self {
            Self::Listening(port) => listening_to(port),
            Self::Pid(pid) => BTreeSet::from([pid]),
        };
        with_children(&roots)
    }
}

/// One of them.
struct Member {
    started: u64,
    ticks: u64,
    /// Bytes read and written; none where that is not for us to know.
    moved: Option<(u64, u64)>,
}

/// Those that were found, as one.
pub(super) struct Processes {
    which: Which,
    prefix: String,
    members: BTreeMap<u32, Member>,
    looks: u64,
    has_lost: bool,
    last: Option<Instant>,
    /// Bytes read and written since the first look, those of members that have gone among them.
    moved: Option<(u64, u64)>,
}

impl Processes {
    pub(super) fn new(which: Which) -> Self {
        Self {
            which,
            prefix: which.prefix(),
            members: BTreeMap::new(),
            looks: 0,
            has_lost: true,
            last: None,
            moved: None,
        }
    }

    /// Sees who belongs to it. What somebody did before he was seen counts for nothing.
    async fn find(&mut self) {
        let which = self.which;
        // On a machine of many processes it takes milliseconds.
        let Ok(found) = spawn_blocking(move || which.find()).await else { return };
        self.members.retain(|pid, _| found.contains(pid));
        for pid in found {
            if !self.members.contains_key(&pid)
                && let Some(Process { started, ticks, .. }) = Process::of(pid)
            {
                let moved = read_and_written(pid);
                self.members.insert(pid, Member { started, ticks, moved });
            }
        }
        self.has_lost = false;
    }

    /// Adds up what the members have done since the last look.
    fn add_up(&mut self) -> Sum {
        let mut sum = Sum::default();
        let (mut read, mut written) = self.moved.unwrap_or_default();
        let (mut own_bytes, mut shared_bytes) = (0, 0);
        self.members.retain(|pid, member| {
            let Some(process) = Process::of(*pid).filter(|of| of.started == member.started) else {
                self.has_lost = true;
                return false;
            };
            sum.processes += 1;
            sum.ticks += process.ticks.saturating_sub(member.ticks);
            sum.threads += process.threads;
            let resident = resident_of(*pid).unwrap_or_default();
            own_bytes += resident.all.saturating_sub(resident.shared);
            shared_bytes = shared_bytes.max(resident.shared);
            sum.descriptors = sum.descriptors.zip(descriptors(*pid)).map(|(all, of)| all + of);
            let moved = read_and_written(*pid);
            if let Some((now, before)) = moved.zip(member.moved) {
                read += now.0.saturating_sub(before.0);
                written += now.1.saturating_sub(before.1);
                self.moved = Some((read, written));
            }
            (member.ticks, member.moved) = (process.ticks, moved);
            true
        });
        sum.rss_bytes = own_bytes + shared_bytes;
        sum
    }
}

/// What all of them have together.
struct Sum {
    processes: u64,
    ticks: u64,
    threads: u64,
    /// What they share counts once, as much as the one has that has most of it: each server process of
    /// a database has all of its buffers.
    rss_bytes: u64,
    /// None where those of one of them are not for us to know.
    descriptors: Option<u64>,
}

impl Default for Sum {
    fn default() -> Self {
        Self { processes: 0, ticks: 0, threads: 0, rss_bytes: 0, descriptors: Some(0) }
    }
}

impl Source for Processes {
    async fn look(&mut self) -> Option<Figures> {
        if self.has_lost || self.looks.is_multiple_of(LOOKS_APART) {
            self.find().await;
        }
        self.looks += 1;
        let now = Instant::now();
        let Sum { processes, ticks, threads, rss_bytes, descriptors } = self.add_up();
        let passed = self.last.replace(now).map(|last| (now - last).as_secs_f64());
        if processes == 0 {
            self.last = None;
            return None;
        }
        let busy = passed
            .filter(|passed| *passed > 0.0)
            .map(|passed| ticks as f64 / TICKS_PER_SECOND / passed * 100.0);
        let group = self.members.keys().next().and_then(|pid| cgroup(*pid));
        let of_group = |file, name| Some(of_cgroup(group.as_deref()?, file, name)? as f64);
        let moved = |which: fn((u64, u64)) -> u64| self.moved.map(|of| which(of) as f64);
        let figures = [
            ("cpu_percent", busy),
            ("rss_bytes", Some(rss_bytes as f64)),
            ("threads", Some(threads as f64)),
            ("descriptors", descriptors.map(|open| open as f64)),
            ("processes", Some(processes as f64)),
            ("read_bytes_total", moved(|of| of.0)),
            ("written_bytes_total", moved(|of| of.1)),
            ("cgroup_memory_bytes", of_group("memory.current", "")),
            ("cgroup_throttled_us_total", of_group("cpu.stat", "throttled_usec")),
        ];
        let prefix = &self.prefix;
        let known = figures.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Some(known.map(|(name, value)| (format!("{prefix}.{name}"), value)).collect())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::Read as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell whose child waits for the end of its input.
    fn shell() -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3<&0; cat <&3 & echo begun; wait"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn value(figures: &Figures, name: &str) -> f64 {
        figures.iter().find(|(of, _)| of.ends_with(name)).map(|(_, value)| *value).unwrap()
    }

    #[tokio::test]
    async fn a_process_counts_with_its_children_and_one_that_has_ended_says_nothing() {
        let mut child = shell();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        let mut processes = Processes::new(Which::Pid(child.id()));
        let figures = processes.look().await.unwrap();
        assert!(figures.iter().all(|(name, _)| name.starts_with("process.pid_")), "{figures:?}");
        assert_eq!(value(&figures, ".processes"), 2.0, "{figures:?}");
        assert!(value(&figures, ".rss_bytes") > 100_000.0, "{figures:?}");
        assert!(value(&figures, ".threads") >= 1.0 && value(&figures, ".descriptors") >= 3.0);
        let later = processes.look().await.unwrap();
        assert!(value(&later, ".cpu_percent") >= 0.0, "{later:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had started may be there still, and is nobody's now.
        processes.look().await;
        assert_eq!(processes.look().await, None);
    }

    /// Somebody listens, and it is this process: others are looked for.
    #[tokio::test]
    async fn a_port_that_nobody_else_listens_to_says_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(Processes::new(Which::Listening(port)).look().await, None);
    }
}
