//! The machine that the load comes from.

use std::fs;

use super::proc::field;
use super::ticks::Ticks;
use super::watch::{Figures, Source};

/// What its metrics begin with.
const PREFIX: &str = "machine";

pub(super) const NAME: &str = "/proc of this machine";

/// Of more cores than this only the sum is kept.
const MOST_CORES: usize = 64;

/// Reads `/proc` of this machine.
#[derive(Default)]
pub(super) struct Machine {
    cores: Vec<Ticks>,
}

impl Source for Machine {
    async fn look(&mut self) -> Option<Figures> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let before = std::mem::replace(&mut self.cores, Ticks::of_each(&read("/proc/stat")));
        let mut figures = busy(&self.cores, &before);
        let (snmp, netstat) = (read("/proc/net/snmp"), read("/proc/net/netstat"));
        let sockets = read("/proc/net/sockstat");
        let of_tcp = |name| named(field(&sockets, "TCP:")?, name);
        let load = read("/proc/loadavg");
        let others = [
            ("load", load.split(' ').next().and_then(|load| load.parse().ok())),
            ("sockets", field(&sockets, "sockets:").and_then(|of| named(of, "used"))),
            ("tcp_sockets", of_tcp("inuse")),
            ("tcp_time_wait", of_tcp("tw")),
            ("tcp_retransmits_total", in_columns(&snmp, "Tcp:", "RetransSegs")),
            ("listen_overflows_total", in_columns(&netstat, "TcpExt:", "ListenOverflows")),
            ("listen_drops_total", in_columns(&netstat, "TcpExt:", "ListenDrops")),
        ];
        let known = others.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        figures.extend(known);
        let called = |(name, value)| (format!("{PREFIX}.{name}"), value);
        (!figures.is_empty()).then(|| figures.into_iter().map(called).collect())
    }
}

/// How busy they were, in percent of one core.
fn busy(now: &[Ticks], before: &[Ticks]) -> Figures {
    let since = |(now, before): (&Ticks, &Ticks)| Some(now.busy_since(*before)? * 100.0);
    let shares: Vec<f64> = now.iter().zip(before).filter_map(since).collect();
    // One that came or went leaves the others without their numbers.
    if now.len() != before.len() || shares.len() != now.len() || shares.is_empty() {
        return Figures::new();
    }
    let mut figures = vec![("cpu_percent".to_owned(), shares.iter().sum())];
    if shares.len() <= MOST_CORES {
        let each = shares.iter().enumerate();
        figures
            .extend(each.map(|(core, share)| (format!("cpu_percent{{core=\"{core}\"}}"), *share)));
    }
    figures
}

/// The number behind a word.
fn named(line: &str, name: &str) -> Option<f64> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

/// The number below a word, in two lines that begin alike: names, and numbers.
fn in_columns(text: &str, line: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|of| of.strip_prefix(line));
    let at = lines.next()?.split_whitespace().position(|of| of == name)?;
    lines.next()?.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_core_and_all_of_them_are_as_busy_as_the_kernel_says() {
        let before = Ticks::of_each(
            "cpu  9 9 9 9 9 9 9 9\ncpu0 10 0 10 80 0 0 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0\nintr 5\n",
        );
        assert_eq!(before, [Ticks { busy: 20, all: 100 }, Ticks { busy: 0, all: 100 }]);
        let now = Ticks::of_each("cpu0 40 0 30 120 10 0 0 0 9 9\ncpu1 0 0 0 175 0 20 5 0\n");
        let expected = [
            ("cpu_percent", 75.0),
            ("cpu_percent{core=\"0\"}", 50.0),
            ("cpu_percent{core=\"1\"}", 25.0),
        ];
        assert_eq!(busy(&now, &before), expected.map(|(name, value)| (name.to_owned(), value)));
        assert!(busy(&now, &[]).is_empty() && busy(&now, &now).is_empty());
    }

    #[test]
    fn numbers_are_found_by_their_names() {
        let sockstat = "sockets: used 290\nTCP: inuse 8 orphan 0 tw 3 alloc 9 mem 1\n";
        assert_eq!(named(field(sockstat, "sockets:").unwrap(), "used"), Some(290.0));
        assert_eq!(named(field(sockstat, "TCP:").unwrap(), "tw"), Some(3.0));
        let snmp = "Ip: A B\nIp: 1 2\nTcp: OutSegs RetransSegs InErrs\nTcp: 5 6 7\n";
        assert_eq!(in_columns(snmp, "Tcp:", "RetransSegs"), Some(6.0));
        assert_eq!(in_columns(snmp, "Tcp:", "None"), None);
        assert_eq!(in_columns("", "Tcp:", "RetransSegs"), None);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn this_machine_says_something() {
        let mut machine = Machine::default();
        let figures = machine.look().await.unwrap();
        assert!(figures.iter().any(|(name, _)| name == "machine.load"), "{figures:?}");
    }
}
