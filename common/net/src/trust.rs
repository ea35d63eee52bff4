//! How a server proves its identity.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Which certificates are accepted.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those that this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` take their place.
    System,
    /// Those that lead to one in this PEM file.
    File(PathBuf),
    /// Any at all (`--insecure`); a report must say so.
    Insecure,
}

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("this machine has no trusted root certificates; set SSL_CERT_FILE to a PEM file")]
    NoRoots { source: Option<rustls_native_certs::Error> },
    #[error("{} has no {what} in PEM format", path.display())]
    Pem { path: PathBuf, what: &'static str, source: Option<PemError> },
    #[error("{} cannot be used", path.display())]
    Unusable { path: PathBuf, source: rustls::Error },
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

/// For connections to one server, which are HTTP/1.1.
///
/// # Errors
/// When there is no root to trust, or one of them is damaged.
pub fn client_config(trust: &Trust) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?;
    let builder = match trust {
        Trust::System => builder.with_root_certificates(system_roots()?),
        Trust::File(path) => builder.with_root_certificates(roots(path)?),
        Trust::Insecure => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        }
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// All certificates in a PEM file.
///
/// # Errors
/// When it cannot be read or has none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let wrong = |source| TrustError::Pem { path: path.to_owned(), what: "certificate", source };
    let text = pem(path).map_err(|error| wrong(Some(error)))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|error| wrong(Some(error)))?;
    if found.is_empty() { Err(wrong(None)) } else { Ok(found) }
}

/// The private key in a PEM file.
///
/// # Errors
/// When it cannot be read or has none.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TrustError> {
    pem(path).and_then(|text| PrivateKeyDer::from_pem_slice(text.as_bytes())).map_err(|source| {
        TrustError::Pem { path: path.to_owned(), what: "private key", source: Some(source) }
    })
}

fn pem(path: &Path) -> Result<String, PemError> {
    common::input::text(path).map_err(PemError::Io)
}

/// Unreadable roots do not matter as long as others can be read.
fn system_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(TrustError::NoRoots { source: found.errors.into_iter().next() });
    }
    Ok(roots)
}

fn roots(path: &Path) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| TrustError::Unusable { path: path.to_owned(), source })?;
    }
    Ok(roots)
}

/// Accepts every certificate, but still checks that the peer holds its key, so
/// that a broken handshake still fails.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
