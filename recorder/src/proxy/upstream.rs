//! The upstream: where it is, and connections to it.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use common::address;
use common::target::{self, TargetError};
use common_net::trust::{self, Trust};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::{ConnectError, ProxyError};
use super::link::Input;
use super::request_body::RequestBody;
use super::rewrite::Origin;

/// For TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Scheme, host and port of the system that is recorded.
#[derive(Clone, Debug)]
pub struct UpstreamUrl(Url);

impl FromStr for UpstreamUrl {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let target: target::Target = text.parse()?;
        Url::parse(&target.to_string()).map(Self).map_err(|_| TargetError::NotAUrl)
    }
}

impl std::fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

/// What sends requests on a new connection, and what its answers come on.
type Connected = (SendRequest<RequestBody>, Input);

/// An upstream, resolved once: every connection goes to these addresses.
pub(super) struct Upstream {
    pub(super) origin: Origin,
    /// Tried in this order.
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    http: http1::Builder,
}

impl Upstream {
    /// Resolves, checks that load may go there, and prepares TLS. Sends nothing.
    pub(super) fn resolve(
        url: &UpstreamUrl,
        allowed: &[String],
        trust: &Trust,
    ) -> Result<Self, ProxyError> {
        let host = url.0.host_str().unwrap_or_default();
        let https = url.0.scheme() == "https";
        let port = url.0.port_or_known_default().unwrap_or(80);
        let addresses = address::pin(host, port, allowed)?;
        let tls = if https {
            let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                .map_err(|_| ProxyError::ServerName { host: host.to_owned() })?;
            let config: Arc<ClientConfig> = Arc::new(trust::client_config(trust)?);
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        let authority = match url.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let http = http1::Builder::new();
        Ok(Self { origin: Origin { https, authority }, addresses, tls, http })
    }

    /// Makes sure that it can be reached.
    ///
    /// # Errors
    /// When there is no connection.
    pub(super) async fn check(&self, url: &UpstreamUrl) -> Result<(), ProxyError> {
        let unreachable = |source| ProxyError::Unreachable { upstream: url.to_string(), source };
        self.connect().await.map(drop).map_err(unreachable)
    }

    /// A new connection, driven by a task of its own.
    pub(super) async fn connect(&self) -> Result<Connected, ConnectError> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.open())
            .await
            .unwrap_or(Err(ConnectError::Timeout(CONNECT_TIMEOUT)))
    }

    async fn open(&self) -> Result<Connected, ConnectError> {
        let tcp = TcpStream::connect(&*self.addresses).await.map_err(ConnectError::Tcp)?;
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let (half, output) = tcp.into_split();
        let input = Input::new(half);
        let stream = tokio::io::join(input.clone(), output);
        let sender = match &self.tls {
            None => self.handshake(stream).await?,
            Some((connector, name)) => {
                let stream =
                    connector.connect(name.clone(), stream).await.map_err(ConnectError::Tls)?;
                self.handshake(stream).await?
            }
        };
        Ok((sender, input))
    }

    async fn handshake<S>(&self, stream: S) -> Result<SendRequest<RequestBody>, ConnectError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            self.http.handshake(TokioIo::new(stream)).await.map_err(ConnectError::Http)?;
        // Errors reach the request that waits for an answer. The task ends with the connection.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_scheme_host_and_port() {
        for text in ["localhost:80", "ftp://a", "http://a/b", "http://a?b", "http://u:hunter2@a"] {
            let error = text.parse::<UpstreamUrl>().unwrap_err().to_string();
            assert!(error.contains("such as http://") && !error.contains("hunter2"), "{error}");
        }
        for (text, authority) in [
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://[::1]:81", "[::1]:81"),
            ("https://localhost:443", "localhost"),
        ] {
            let url: UpstreamUrl = text.parse().unwrap();
            let upstream = Upstream::resolve(&url, &[], &Trust::Insecure).unwrap();
            assert_eq!(upstream.origin.authority, authority);
        }
    }
}
