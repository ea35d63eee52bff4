//! TLS on both sides, and HTTP/2.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http2;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use trace::format::RecordedErrorKind;

use super::peer::{OK, Proxy, Upstream};

type Key = CertifiedKey<rcgen::KeyPair>;

fn key() -> Key {
    let _ = rustls::crypto::ring::default_provider().install_default();
    generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// A file in PEM format.
fn write(folder: &Path, name: &str, label: &str, der: &[u8]) -> String {
    let path = folder.join(name);
    let base64 = base64::engine::general_purpose::STANDARD.encode(der);
    let text = format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

async fn get<S>(stream: S, authority: &str, cookies: &[&str]) -> (u16, String)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::get(format!("http://{authority}/two?x"));
    request = request.header("referer", format!("http://{authority}/one"));
    for cookie in cookies {
        request = request.header("cookie", *cookie);
    }
    let response = sender.send_request(request.body(String::new()).unwrap()).await.unwrap();
    (response.status().as_u16(), body(response).await)
}

async fn body(response: Response<Incoming>) -> String {
    let mut body = std::pin::pin!(response.into_body());
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let data: Bytes = frame.unwrap().into_data().unwrap();
        bytes.extend_from_slice(&data);
    }
    String::from_utf8(bytes).unwrap()
}

/// Answers with the head that it got.
fn echo() -> Upstream {
    Upstream::start(|mut peer, _| {
        loop {
            let head = peer.head();
            if head.is_empty() {
                break;
            }
            peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len()));
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_passed_on_as_http_1() {
    let upstream = echo();
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let (status, seen) = get(stream, "a.example", &["a=1", "b=2"]).await;
    assert_eq!(status, 200);
    assert!(seen.starts_with("GET /two?x HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: {}\r\n", upstream.address)), "{seen}");
    assert!(seen.contains("cookie: a=1; b=2\r\n"), "{seen}");
    proxy.wait_for(1);
    let recorded = proxy.stop();
    assert_eq!(recorded.requests[0].http, "2");
    // The site is known, though there is no `Host`.
    assert!(seen.contains(&format!("referer: http://{}/one\r\n", upstream.address)), "{seen}");
    let own = ("Referer".to_owned(), "/one".to_owned());
    assert!(recorded.requests[0].headers.contains(&own), "{:?}", recorded.requests[0].headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_come_by_tls_with_either_version() {
    let (folder, own) = (TempDir::new().unwrap(), key());
    let certificate = write(folder.path(), "cert.pem", "CERTIFICATE", own.cert.der());
    let private = write(folder.path(), "key.pem", "PRIVATE KEY", &own.signing_key.serialize_der());
    let upstream = echo();
    let mut proxy =
        Proxy::start(&upstream.url(), &["--tls-cert", &certificate, "--tls-key", &private]);
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let connect = async |protocol: &[u8]| {
        let mut config =
            ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let tcp = TcpStream::connect(proxy.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
    };
    let (status, _) = get(connect(b"h2").await, "localhost", &[]).await;
    assert_eq!(status, 200);
    let mut stream = connect(b"http/1.1").await;
    stream.write_all(b"GET /one HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // How TLS is closed does not matter here.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
    proxy.wait_for(2);
    let versions: Vec<_> = proxy.stop().requests.into_iter().map(|r| r.http).collect();
    assert_eq!(versions, ["2", "1.1"]);
}

/// Answers over TLS, the connection with this number and all after it with the second key.
async fn tls_upstream(keys: [&Key; 2], turn: usize) -> SocketAddr {
    let acceptors = keys.map(|key| {
        let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptors[usize::from(number >= turn)].clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 4096];
                if matches!(stream.read(&mut buffer).await, Ok(1..)) {
                    stream.write_all(OK.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn an_https_upstream_has_to_prove_who_it_is() {
    let (folder, trusted, other) = (TempDir::new().unwrap(), key(), key());
    let roots = write(folder.path(), "roots.pem", "CERTIFICATE", trusted.cert.der());
    // The first connection is the look at the start, the second one is good, the third is not.
    let address = tls_upstream([&trusted, &other], 2).await;
    let url = format!("https://{address}");
    tokio::task::spawn_blocking(move || {
        let mut proxy = Proxy::start(&url, &["--upstream-ca", &roots]);
        for expected in ["HTTP/1.1 200 ", "HTTP/1.1 502 "] {
            let mut client = proxy.client();
            client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            let head = client.head();
            assert!(head.starts_with(expected), "{head}");
        }
        proxy.wait_for(2);
        assert_eq!(proxy.stop().results(), [Ok(200), Err(RecordedErrorKind::Reset)]);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_accepted_only_where_told() {
    let own = key();
    let address = tls_upstream([&own, &own], 0).await;
    let url = format!("https://{address}");
    tokio::task::spawn_blocking(move || {
        let folder = TempDir::new().unwrap();
        let mut refused = crate::world::recorder(&["proxy", "--upstream", &url, "--out"]);
        refused.arg(folder.path().join("t.jsonl"));
        let output = crate::world::run(refused);
        let stderr = crate::world::text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{stderr}");
        assert!(stderr.contains("cannot reach https://127.0.0.1:"), "{stderr}");
        let proxy = Proxy::start(&url, &["--insecure"]);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        client.expect(OK);
        drop(proxy.stop());
    })
    .await
    .unwrap();
}
