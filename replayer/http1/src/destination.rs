//! Where requests go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use common::address::{self, SafetyError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::local::Local;

#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error(transparent)]
    Safety(#[from] SafetyError),
    #[error("{host} is no name that a certificate could be for")]
    Name { host: String },
}

/// A target, resolved once: every connection goes to these addresses.
#[derive(Debug)]
pub struct Destination {
    /// Tried in this order.
    addresses: Vec<SocketAddr>,
    host: String,
    authority: String,
    tls: Option<Tls>,
    local: Local,
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
        let addresses = address::pin(host, port, allowed)?;
        let host = bare(host).to_owned();
        let mut authority = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if port != default_port {
            authority = format!("{authority}:{port}");
        }
        let local = Local::chosen_for(&addresses);
        Ok(Self { addresses, host, authority, tls: None, local })
    }

    /// Connects from these addresses of this machine, in turn, instead of the
    /// one that the kernel would choose: each has local ports of its own. Without any that
    /// choice stays.
    #[must_use]
    pub fn from_sources(mut self, sources: Vec<IpAddr>) -> Self {
        self.connect_from(sources);
        self
    }

    /// As [`Destination::from_sources`], from now on.
    pub fn connect_from(&mut self, sources: Vec<IpAddr>) {
        if !sources.is_empty() {
            self.local = Local::from(sources);
        }
    }

    /// Name or address, without port or brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Value of the `Host` header: without the port where it is the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Scheme and authority: what a URL of it begins with.
    pub fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// The pinned addresses, never empty.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// How many addresses connections to the first address come from; at least one, the
    /// kernel's choice.
    pub fn sources(&self) -> usize {
        self.local.fitting(self.addresses[0]).count().max(1)
    }

    pub(super) fn local(&self) -> &Local {
        &self.local
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let opened = crate::Connection::open(&destination, deadline).await;
        assert!(opened.is_ok(), "{opened:?}");
    }

    #[test]
    fn without_sources_of_its_own_the_kernel_s_choice_stays() {
        let destination = Destination::http("127.0.0.1", 1, &[]).unwrap().from_sources(Vec::new());
        let address = destination.addresses()[0];
        let chosen: Vec<_> = destination.local().fitting(address).collect();
        assert_eq!(chosen, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    }
}
