//! TLS towards clients.

use std::path::PathBuf;
use std::sync::Arc;

use common_net::trust::{TrustError, certificates, private_key};
use rustls::ServerConfig;
use rustls::crypto::ring;

/// The proxy's certificate chain and key, as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificates: PathBuf,
    pub key: PathBuf,
}

/// For clients' connections; clients choose between HTTP/2 and HTTP/1.1.
pub(super) fn server(identity: &Identity) -> Result<Arc<ServerConfig>, TrustError> {
    let certificates = certificates(&identity.certificates)?;
    let key = private_key(&identity.key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|source| TrustError::Unusable { path: identity.key.clone(), source })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
