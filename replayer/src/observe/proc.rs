//! Plain reads of `/proc`: what the kernel says of processes. None where there is no such file, no
//! such process, or it is not for us to know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Clock ticks a second in these files: `USER_HZ`, which Linux has at 100 wherever it still runs
/// but on Alpha.
pub(super) const TICKS_PER_SECOND: f64 = 100.0;

/// A socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// A process at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) parent: u32,
    /// User and system time so far, in ticks.
    pub(super) ticks: u64,
    pub(super) threads: u64,
    /// In ticks since the machine was started: another process may come to the same number.
    pub(super) started: u64,
}

impl Process {
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // Its name may be anything, and ends with the last parenthesis.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            ticks: number(11)? + number(12)?,
            threads: number(17)?,
            started: number(19)?,
        })
    }
}

/// How many descriptors it has open.
pub(super) fn descriptors(pid: u32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    // Newer kernels say it at once; on others it is 0.
    match fs::metadata(&folder).ok()?.len() {
        0 => Some(fs::read_dir(folder).ok()?.count() as u64),
        open => Some(open),
    }
}

/// Bytes that it had read from storage and written to it.
pub(super) fn read_and_written(pid: u32) -> Option<(u64, u64)> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let bytes = |name| field(&io, name)?.parse().ok();
    Some((bytes("read_bytes:")?, bytes("write_bytes:")?))
}

/// The folder of its cgroup, where that is one of version 2 and not that of the whole machine.
pub(super) fn cgroup(pid: u32) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = field(&groups, "0::")?.trim_start_matches('/');
    (!path.is_empty() && !path.contains("..")).then(|| Path::new("/sys/fs/cgroup").join(path))
}

/// The number in a file of a cgroup, behind its name where it has several.
pub(super) fn of_cgroup(folder: &Path, file: &str, name: &str) -> Option<u64> {
    field(&fs::read_to_string(folder.join(file)).ok()?, name)?.parse().ok()
}

/// What stands behind a name that a line begins with.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// All processes by their numbers.
pub(super) fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// These and all that they have started, as far as those did not leave them.
pub(super) fn with_children(roots: &BTreeSet<u32>) -> BTreeSet<u32> {
    let parents: BTreeMap<u32, u32> =
        processes().filter_map(|pid| Some((pid, Process::of(pid)?.parent))).collect();
    family(roots, &parents)
}

fn family(roots: &BTreeSet<u32>, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let mut family: BTreeSet<u32> =
        roots.iter().copied().filter(|pid| parents.contains_key(pid)).collect();
    loop {
        let before = family.len();
        let children = parents.iter().filter(|(_, parent)| family.contains(parent));
        let children: Vec<u32> = children.map(|(child, _)| *child).collect();
        family.extend(children);
        if family.len() == before {
            return family;
        }
    }
}

/// The processes that hold a socket on which somebody listens to this port of TCP. Our own is none
/// of them.
pub(super) fn listening_to(port: u16) -> BTreeSet<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: BTreeSet<String> =
        tables.iter().flat_map(|table| sockets_of(table, port)).collect();
    if sockets.is_empty() {
        return BTreeSet::new();
    }
    let holds = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        // What listens was opened early: this ends soon.
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| link.to_str().is_some_and(|link| sockets.contains(link)))
    };
    let others = processes().filter(|pid| *pid != std::process::id());
    others.filter(holds).collect()
}

/// What links to listening sockets of a port look like, by a table of the kernel's.
fn sockets_of(table: &str, port: u16) -> impl Iterator<Item = String> {
    table.lines().filter_map(move |line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let (_, of) = local.rsplit_once(':')?;
        let listens = fields.nth(1)? == LISTENS && u16::from_str_radix(of, 16) == Ok(port);
        let inode = fields.nth(5)?;
        listens.then(|| format!("socket:[{inode}]"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let stat = "42 (a (b) 7 8) S 7 42 42 0 -1 4194560 100 0 0 0 31 12 5 6 20 0 3 0 9000 1 2 3";
        let expected = Process { parent: 7, ticks: 43, threads: 3, started: 9000 };
        assert_eq!(Process::parse(stat), Some(expected));
        for text in
            ["", "42 (a) S", "42 a S 7", "42 (a) S x 42 42 0 -1 4 1 0 0 0 3 1 5 6 2 0 3 0 9"]
        {
            assert_eq!(Process::parse(text), None, "{text}");
        }
    }

    #[test]
    fn listening_sockets_are_found_by_their_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0 100 0\n\
            \x20  1: 0100007F:1F40 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 222 1 0 100 0\n\
            \x20  2: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 333 1 0\n\
            \x20  3: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 444 1 0\n\
            damaged\n";
        let found: Vec<String> = sockets_of(table, 8000).collect();
        assert_eq!(found, ["socket:[111]", "socket:[333]"]);
    }

    #[test]
    fn children_count_with_their_parents() {
        let parents = BTreeMap::from([(1, 0), (5, 1), (6, 5), (7, 6), (8, 1), (9, 8)]);
        let of = |roots: &[u32]| {
            let found = family(&roots.iter().copied().collect(), &parents);
            found.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of(&[5]), [5, 6, 7]);
        assert_eq!(of(&[7, 8]), [7, 8, 9]);
        assert_eq!(of(&[77]), [0; 0]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_seen() {
        let own = std::process::id();
        let process = Process::of(own).unwrap();
        assert!(process.threads >= 1 && processes().any(|pid| pid == own));
        let resident = common::memory::resident_of(own).unwrap();
        assert!(resident.all > 1 << 20 && resident.shared < resident.all, "{resident:?}");
        assert!(descriptors(own).unwrap() >= 3);
        assert!(with_children(&BTreeSet::from([own])).contains(&own));
    }
}
