//! https, with certificates made here.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common_net::trust::{Trust, TrustError};
use http1::tls::client_config;
use http1::{Connection, Destination, SendError};
use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::peer::{HELLO, Peer, becomes_stale, get, late, open, read_request, send};

struct TlsPeer {
    peer: Peer,
    port: u16,
    acceptor: TlsAcceptor,
    /// Its certificate, as a PEM file.
    pem: NamedTempFile,
}

impl TlsPeer {
    /// With a certificate of its own for `name`.
    async fn listen(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } = certificate(name);
        let pem = pem(cert.der());
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (peer, destination) = Peer::listen().await;
        let port = destination.addresses()[0].port();
        Self { peer, port, acceptor: TlsAcceptor::from(Arc::new(config)), pem }
    }

    fn destination(&self, trust: &Trust) -> Destination {
        Destination::https("127.0.0.1", self.port, &[], client_config(trust).unwrap()).unwrap()
    }

    fn roots(&self) -> Trust {
        Trust::File(self.pem.path().to_owned())
    }

    async fn accept(&self) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(self.peer.accept().await).await
    }
}

fn pem(der: &[u8]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let text = BASE64_STANDARD.encode(der);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    std::fs::write(file.path(), pem).unwrap();
    file
}

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()
}

#[tokio::test]
async fn exchanges_over_a_verified_connection_reuse_it() {
    let peer = TlsPeer::listen("127.0.0.1").await;
    let destination = peer.destination(&peer.roots());
    let server = async {
        let mut stream = peer.accept().await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
        for _ in 0..2 {
            read_request(&mut stream).await;
            stream.write_all(HELLO).await.unwrap();
            stream.flush().await.unwrap();
        }
        stream
    };
    let client = async {
        let mut connection = open(&destination).await;
        for _ in 0..2 {
            // Session tickets are waiting here, and are no reason to call it stale.
            assert!(!connection.is_stale());
            let (exchange, answer) = get(&mut connection).await.unwrap();
            assert_eq!(answer.body, b"hello");
            assert_eq!(exchange.bytes_received, HELLO.len() as u64);
            assert!(exchange.reusable);
        }
        connection
    };
    let (mut stream, mut connection) = join!(server, client);
    stream.shutdown().await.unwrap();
    assert!(becomes_stale(&mut connection).await);
}

#[tokio::test]
async fn big_bodies_pass_both_ways() {
    let peer = TlsPeer::listen("127.0.0.1").await;
    let destination = peer.destination(&peer.roots());
    let body = vec![b'x'; 3_000_000];
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    let request = [head.as_bytes(), &body].concat();
    let server = async {
        let mut stream = peer.accept().await.unwrap();
        let mut read = vec![0; request.len()];
        stream.read_exact(&mut read).await.unwrap();
        assert!(read == request);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let client = async {
        let mut connection = open(&destination).await;
        let (exchange, answer) = send(&mut connection, &request).await.unwrap();
        assert!(answer.body == body);
        assert_eq!(exchange.bytes_sent, request.len() as u64);
        assert!(exchange.reusable);
    };
    join!(server, client);
}

async fn refusal(peer: &TlsPeer, trust: &Trust) -> SendError {
    let destination = peer.destination(trust);
    let (accepted, opened) = join!(peer.accept(), Connection::open(&destination, late()));
    assert!(accepted.is_err());
    opened.unwrap_err()
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let peer = TlsPeer::listen("127.0.0.1").await;
    let other = pem(certificate("127.0.0.1").cert.der());
    let error = refusal(&peer, &Trust::File(other.path().to_owned())).await;
    assert!(matches!(error, SendError::TlsFailed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let peer = TlsPeer::listen("other.example").await;
    let error = refusal(&peer, &peer.roots()).await;
    assert!(matches!(error, SendError::TlsFailed { .. }), "{error:?}");
}

#[tokio::test]
async fn what_this_machine_trusts_does_not_cover_a_certificate_made_here() {
    let peer = TlsPeer::listen("127.0.0.1").await;
    match client_config(&Trust::System) {
        Ok(_) => {
            let error = refusal(&peer, &Trust::System).await;
            assert!(matches!(error, SendError::TlsFailed { .. }), "{error:?}");
        }
        // A machine without ca-certificates trusts nobody.
        Err(error) => assert!(matches!(error, TrustError::NoRoots { .. }), "{error:?}"),
    }
}

#[tokio::test]
async fn insecure_takes_any_certificate() {
    let peer = TlsPeer::listen("other.example").await;
    let destination = peer.destination(&Trust::Insecure);
    let server = async {
        let mut stream = peer.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(HELLO).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let client = async {
        let mut connection = open(&destination).await;
        assert_eq!(get(&mut connection).await.unwrap().1.body, b"hello");
    };
    join!(server, client);
}

#[tokio::test]
async fn the_server_name_is_the_host_and_left_out_for_an_address() {
    for (host, expected) in [("localhost", Some("localhost")), ("127.0.0.1", None)] {
        let peer = TlsPeer::listen(host).await;
        let config = client_config(&peer.roots()).unwrap();
        let destination = Destination::https(host, peer.port, &[], config).unwrap();
        let (accepted, opened) = join!(peer.accept(), Connection::open(&destination, late()));
        opened.unwrap();
        assert_eq!(accepted.unwrap().get_ref().1.server_name(), expected);
    }
}

#[tokio::test]
async fn a_peer_that_never_shakes_hands_times_out() {
    let peer = TlsPeer::listen("127.0.0.1").await;
    let destination = peer.destination(&peer.roots());
    let deadline = Instant::now() + Duration::from_millis(200);
    let (_silent, opened) = join!(peer.peer.accept(), Connection::open(&destination, deadline));
    let error = opened.unwrap_err();
    assert!(matches!(error, SendError::ConnectTimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_speaks_plain_http_fails_the_handshake() {
    let peer = TlsPeer::listen("127.0.0.1").await;
    let destination = peer.destination(&peer.roots());
    let server = async {
        let mut stream = peer.peer.accept().await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let (_stream, opened) = join!(server, Connection::open(&destination, late()));
    let error = opened.unwrap_err();
    assert!(matches!(error, SendError::TlsFailed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_close_delimited_body_that_tls_did_not_end_is_cut_off() {
    let answer = b"HTTP/1.1 200 OK\r\n\r\nall of it";
    for orderly in [true, false] {
        let peer = TlsPeer::listen("127.0.0.1").await;
        let destination = peer.destination(&peer.roots());
        let server = async {
            let mut stream = peer.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(answer).await.unwrap();
            stream.flush().await.unwrap();
            if orderly {
                stream.shutdown().await.unwrap();
            } else {
                // Only TCP ends: anybody on the way could have done that.
                stream.get_mut().0.shutdown().await.unwrap();
            }
            stream
        };
        let client = async {
            let mut connection = open(&destination).await;
            match get(&mut connection).await {
                Ok((_, answer)) => assert!(orderly && answer.body == b"all of it"),
                Err(SendError::Reset { received: true, source, .. }) => {
                    assert!(!orderly && source.kind() == ErrorKind::UnexpectedEof);
                }
                Err(error) => panic!("{error:?}"),
            }
        };
        join!(server, client);
    }
}
