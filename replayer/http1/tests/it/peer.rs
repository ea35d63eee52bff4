//! The other end of a connection, which does what a test says.

use std::time::Duration;

use http1::{Answer, Connection, Destination, Exchange, Limits, Method, SendError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

pub(super) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
pub(super) const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Only a test that hangs gets there.
pub(super) fn late() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(super) struct Peer {
    pub(super) listener: TcpListener,
}

impl Peer {
    pub(super) async fn listen() -> (Self, Destination) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (Self { listener }, Destination::http("127.0.0.1", port, &[]).unwrap())
    }

    pub(super) async fn accept(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Accepts, answers each request with the next of these, and keeps the connection.
    pub(super) async fn answer<const N: usize>(&self, answers: [&[u8]; N]) -> TcpStream {
        let mut stream = self.accept().await;
        for answer in answers {
            read_request(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
        stream
    }
}

/// Reads up to the end of a request's head.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    request
}

/// Reads until the client closes.
pub(super) async fn read_to_close(stream: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.map_or(0, |_| bytes.len())
}

pub(super) async fn open(destination: &Destination) -> Connection {
    Connection::open(destination, late()).await.unwrap().connection
}

/// A GET on `connection`.
pub(super) async fn get(connection: &mut Connection) -> Result<(Exchange, Answer), SendError> {
    send(connection, REQUEST).await
}

pub(super) async fn send(
    connection: &mut Connection,
    request: &[u8],
) -> Result<(Exchange, Answer), SendError> {
    let mut answer = Answer::default();
    let exchange =
        connection.exchange(request, Method::Other, &mut answer, &Limits::default()).await?;
    Ok((exchange, answer))
}

/// Gives the socket's news the time to arrive.
pub(super) async fn becomes_stale(connection: &mut Connection) -> bool {
    let stale = async {
        while !connection.is_stale() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), stale).await.is_ok()
}
