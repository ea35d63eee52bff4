//! Where requests go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use seeder::safety::{self, SafetyError};

#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error(transparent)]
    Safety(#[from] SafetyError),
    #[error("{host} is no name that a certificate could be for")]
    Name { host: String },
}

/// A target, resolved once: every connection goes to these addresses, so DNS
/// is paid and timed a single time.
#[derive(Debug)]
pub struct Destination {
    /// Tried in this order.
    addresses: Vec<SocketAddr>,
    host: String,
    authority: String,
    dns: Duration,
    tls: Option<Tls>,
    sources: Vec<IpAddr>,
    /// Connections take the sources in turn; shared by all worker threads.
    next_source: AtomicUsize,
}

#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Destination {
    /// # Errors
    /// When the host does not resolve, or may not be loaded without being in `allowed`.
    pub fn http(host: &str, port: u16, allowed: &[String]) -> Result<Self, DestinationError> {
        Self::pin(host, port, 80, allowed)
    }

    /// TLS as `config` has it (see [`super::tls`]); `host` is what the
    /// certificate must be for, and the server name that is sent unless it is
    /// an address.
    ///
    /// # Errors
    /// As [`Destination::http`], or when `host` cannot stand in a certificate.
    pub fn https(
        host: &str,
        port: u16,
        allowed: &[String],
        config: Arc<ClientConfig>,
    ) -> Result<Self, DestinationError> {
        let name = ServerName::try_from(bare(host).to_owned())
            .map_err(|_| DestinationError::Name { host: host.to_owned() })?;
        let pinned = Self::pin(host, port, 443, allowed)?;
        Ok(Self { tls: Some(Tls { config, name }), ..pinned })
    }

    fn pin(
        host: &str,
        port: u16,
        default_port: u16,
        allowed: &[String],
    ) -> Result<Self, DestinationError> {
        let asked = Instant::now();
        let addresses = safety::pin(host, port, allowed)?;
        let dns = asked.elapsed();
        let host = bare(host).to_owned();
        let mut authority = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if port != default_port {
            authority = format!("{authority}:{port}");
        }
        let next_source = AtomicUsize::new(0);
        Ok(Self { addresses, host, authority, dns, tls: None, sources: Vec::new(), next_source })
    }

    /// Connects from these addresses of this machine, in turn, instead of the
    /// one that the kernel would choose: each has local ports of its own.
    #[must_use]
    pub fn from_sources(mut self, sources: Vec<IpAddr>) -> Self {
        self.sources = sources;
        self
    }

    /// Name or address, without port or brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Value of the `Host` header: without the port where it is the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The pinned addresses, never empty.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What the one resolution took.
    pub fn dns(&self) -> Duration {
        self.dns
    }

    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// How many addresses connections to the first address come from; at least one, the
    /// kernel's choice.
    pub fn sources(&self) -> usize {
        let first = self.addresses[0];
        self.sources.iter().filter(|ip| ip.is_ipv4() == first.is_ipv4()).count().max(1)
    }

    /// The source for the next connection to `address`, if there is a choice.
    pub(super) fn next_source(&self, address: SocketAddr) -> Option<IpAddr> {
        let mut fitting = self.sources.iter().filter(|ip| ip.is_ipv4() == address.is_ipv4());
        let count = fitting.clone().count();
        if count == 0 {
            return None;
        }
        // Relaxed: only the spread matters.
        fitting.nth(self.next_source.fetch_add(1, Ordering::Relaxed) % count).copied()
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_leaves_the_default_port_out() {
        let authority = |host, port| Destination::http(host, port, &[]).unwrap().authority;
        assert_eq!(authority("localhost", 80), "localhost");
        assert_eq!(authority("localhost", 8080), "localhost:8080");
        assert_eq!(authority("127.0.0.1", 443), "127.0.0.1:443");
        assert_eq!(authority("::1", 8080), "[::1]:8080");
        assert_eq!(authority("[::1]", 80), "[::1]");
    }

    #[test]
    fn an_address_that_was_not_allowed_is_no_destination() {
        let refused = Destination::http("203.0.113.7", 80, &[]);
        assert!(matches!(refused, Err(DestinationError::Safety(SafetyError::NotAllowed { .. }))));
    }

    #[tokio::test]
    async fn the_next_address_is_tried_where_one_does_not_answer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = SocketAddr::from(([127, 0, 0, 2], open.port()));
        let pinned = Destination::http("127.0.0.1", open.port(), &[]).unwrap();
        let destination = Destination { addresses: vec![closed, open], ..pinned };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let opened = crate::send::Connection::open(&destination, deadline).await;
        assert!(opened.is_ok(), "{opened:?}");
    }

    #[test]
    fn connections_take_the_sources_of_their_family_in_turn() {
        let sources: Vec<IpAddr> =
            ["127.0.0.2", "::1", "127.0.0.3"].map(|ip| ip.parse().unwrap()).into();
        let destination =
            Destination::http("127.0.0.1", 1, &[]).unwrap().from_sources(sources.clone());
        let address = destination.addresses()[0];
        let taken: Vec<_> = (0..4).map(|_| destination.next_source(address).unwrap()).collect();
        assert_eq!(taken, [sources[0], sources[2], sources[0], sources[2]]);
    }
}
