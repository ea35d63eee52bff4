//! Where connections come from: addresses and ports of this machine.
//!
//! The kernel finds a free port by trying one after another, and tries all of one parity
//! first: past half of them every connection costs it milliseconds. So ports are taken in
//! turn here, which finds a free one at once.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpSocket;

use common::digest::stable_hash;

/// Ports that are tried before the kernel is left to search.
const TRIES: usize = 64;

/// Of so many ports one is left to others.
const LEFT_TO_OTHERS: usize = 32;

#[derive(Debug)]
pub(super) struct Local {
    addresses: Vec<IpAddr>,
    ports: Option<RangeInclusive<u16>>,
    /// Which of them is taken first: another process may have begun with the first.
    offset: usize,
    /// How many connections there were; shared by all worker threads.
    next: AtomicUsize,
}

impl Local {
    /// From the addresses that the kernel would choose for these targets.
    pub(super) fn chosen_for(targets: &[SocketAddr]) -> Self {
        let mut addresses = Vec::new();
        for address in targets.iter().filter_map(|target| address_for(*target)) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Self::from(addresses)
    }

    /// From these addresses in turn.
    pub(super) fn from(addresses: Vec<IpAddr>) -> Self {
        let offset = stable_hash(&std::process::id().to_le_bytes()) % (1 << 16);
        Self {
            addresses,
            ports: ephemeral_ports(),
            offset: usize::try_from(offset).unwrap_or_default(),
            next: AtomicUsize::new(0),
        }
    }

    /// The addresses that a connection to `target` may come from.
    pub(super) fn fitting(&self, target: SocketAddr) -> impl Iterator<Item = IpAddr> + Clone {
        self.addresses.iter().copied().filter(move |ip| ip.is_ipv4() == target.is_ipv4())
    }

    /// What to bind the next connection to `target` to, best first; where all are taken, or
    /// nothing is known, the kernel chooses.
    pub(super) fn choices(&self, target: SocketAddr) -> impl Iterator<Item = Option<SocketAddr>> {
        let count = self.fitting(target).count();
        let tries = if count == 0 { 0 } else { TRIES };
        let numbered = (0..tries).filter_map(move |_| {
            let ports = self.ports.as_ref()?;
            // Relaxed: only the spread matters.
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let address = self.fitting(target).nth(number % count)?;
            let port = ports.clone().nth((self.offset + number / count) % ports.len())?;
            Some(SocketAddr::new(address, port))
        });
        let any = move || {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            self.fitting(target).nth(number.checked_rem(count)?).map(|ip| SocketAddr::new(ip, 0))
        };
        numbered.map(Some).chain(std::iter::once_with(any))
    }
}

/// A socket for `target`, bound to `local` if that is given.
pub(super) fn socket(target: SocketAddr, local: Option<SocketAddr>) -> std::io::Result<TcpSocket> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    if let Some(local) = local {
        // The port may still wait for strays of an earlier connection, to another target.
        socket.set_reuseaddr(true)?;
        socket.bind(local)?;
    }
    Ok(socket)
}

/// Asks the kernel; nothing is sent.
fn address_for(target: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().ok()?;
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Local ports that connections to one target from one address may have: those that the kernel would
/// choose from, less what is left to others.
pub fn ephemeral_ports() -> Option<RangeInclusive<u16>> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = range.split_whitespace().map(str::parse);
    Some(without_others(ends.next()?.ok()?..=ends.next()?.ok()?))
}

/// A port that is bound by its number the kernel gives to nobody who lets it choose, from whatever
/// address. With all of them bound nothing of this machine could connect to anything.
fn without_others(range: RangeInclusive<u16>) -> RangeInclusive<u16> {
    let left = u16::try_from(range.len() / LEFT_TO_OTHERS).unwrap_or(0);
    *range.start()..=*range.end() - left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_take_the_addresses_of_their_family_in_turn_and_no_port_twice() {
        let sources = ["127.0.0.2", "::1", "127.0.0.3"].map(|ip| ip.parse().unwrap());
        let local = Local::from(sources.into());
        let taken: Vec<SocketAddr> =
            local.choices("127.0.0.1:1".parse().unwrap()).take(TRIES).flatten().collect();
        for pair in taken.chunks(2) {
            assert_eq!([pair[0].ip(), pair[1].ip()], [sources[0], sources[2]]);
        }
        let distinct: std::collections::HashSet<_> = taken.iter().collect();
        assert_eq!((taken.len(), distinct.len()), (TRIES, TRIES));
    }

    #[test]
    fn some_ports_are_left_to_others() {
        assert_eq!(without_others(32_768..=60_999), 32_768..=60_117);
        assert_eq!(without_others(40_000..=40_009), 40_000..=40_009);
    }

    #[test]
    fn the_kernel_chooses_where_every_port_tried_is_taken_or_nothing_is_known() {
        let target = "127.0.0.1:1".parse().unwrap();
        let known = Local::chosen_for(&[target]);
        let last = known.choices(target).last().flatten();
        assert_eq!(last, Some("127.0.0.1:0".parse().unwrap()));
        let unknown: Vec<_> = Local::from(Vec::new()).choices(target).collect();
        assert_eq!(unknown, [None]);
    }
}
