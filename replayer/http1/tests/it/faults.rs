//! Everything that can go wrong, and what it is told as.

use std::io::ErrorKind;
use std::time::Duration;

use http1::{Connection, Destination, FramingError, Progress, SendError};
use tokio::io::AsyncWriteExt;
use tokio::join;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::peer::{
    HELLO, Peer, REQUEST, becomes_stale, get, late, open, read_request, read_to_close,
};

#[tokio::test]
async fn a_close_while_idle_is_noticed_before_sending() {
    let (peer, destination) = Peer::listen().await;
    let mut connection = open(&destination).await;
    let (stream, first) = join!(peer.answer([HELLO]), get(&mut connection));
    assert!(first.unwrap().0.reusable);
    assert!(!connection.is_stale());
    drop(stream);
    assert!(becomes_stale(&mut connection).await);
}

#[tokio::test]
async fn on_a_connection_that_became_stale_nothing_is_sent() {
    let (peer, destination) = Peer::listen().await;
    let mut connection = open(&destination).await;
    let (mut stream, first) = join!(peer.answer([HELLO]), get(&mut connection));
    assert!(first.unwrap().0.reusable);
    stream.shutdown().await.unwrap();
    assert!(becomes_stale(&mut connection).await);
    let error = get(&mut connection).await.unwrap_err();
    assert!(matches!(error, SendError::Stale), "{error:?}");
    assert_eq!(connection.progress(), Progress::default());
    drop(connection);
    assert_eq!(read_to_close(&mut stream).await, 0);
}

#[tokio::test]
async fn a_close_before_the_first_request_is_noticed_too() {
    let (peer, destination) = Peer::listen().await;
    let mut connection = open(&destination).await;
    drop(peer.accept().await);
    assert!(becomes_stale(&mut connection).await);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_make_an_idle_connection_stale() {
    let (peer, destination) = Peer::listen().await;
    let mut connection = open(&destination).await;
    let (mut stream, first) = join!(peer.answer([HELLO]), get(&mut connection));
    assert!(first.unwrap().0.reusable);
    stream.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
    assert!(becomes_stale(&mut connection).await);
}

/// Closes so that the client gets a reset instead of an orderly end.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

#[tokio::test]
async fn an_end_before_the_answer_is_stale_on_a_reused_connection_alone() {
    type Close = fn(TcpStream);
    for (close, kind) in [
        (drop::<TcpStream> as Close, ErrorKind::UnexpectedEof),
        (reset, ErrorKind::ConnectionReset),
    ] {
        let (peer, destination) = Peer::listen().await;
        let server = async {
            let mut first = peer.answer([HELLO]).await;
            read_request(&mut first).await;
            close(first);
            let mut second = peer.accept().await;
            read_request(&mut second).await;
            close(second);
        };
        let client = async {
            let mut reused = open(&destination).await;
            get(&mut reused).await.unwrap();
            let error = get(&mut reused).await.unwrap_err();
            assert!(
                matches!(&error, SendError::StaleReset { source } if source.kind() == kind),
                "{error:?}"
            );
            assert!(reused.is_stale());

            let mut fresh = open(&destination).await;
            let error = get(&mut fresh).await.unwrap_err();
            assert!(
                matches!(&error, SendError::Reset { sent: true, received: false, source }
                    if source.kind() == kind),
                "{error:?}"
            );
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn an_end_within_the_answer_is_a_reset_even_on_a_reused_connection() {
    for cut in [
        &b"HTTP/1.1 2"[..],
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (peer, destination) = Peer::listen().await;
        let server = async {
            let mut stream = peer.answer([HELLO, cut]).await;
            // Half-closed: the server still reads.
            stream.shutdown().await.unwrap();
            stream
        };
        let client = async {
            let mut connection = open(&destination).await;
            get(&mut connection).await.unwrap();
            let error = get(&mut connection).await.unwrap_err();
            assert!(
                matches!(error, SendError::Reset { sent: true, received: true, .. }),
                "{}: {error:?}",
                cut.escape_ascii()
            );
            assert_eq!(connection.progress().bytes_received, cut.len() as u64);
            assert!(connection.progress().first_byte_received.is_some());
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn a_half_close_behind_a_whole_answer_spoils_only_the_next_one() {
    let (peer, destination) = Peer::listen().await;
    let mut connection = open(&destination).await;
    let server = async {
        let mut stream = peer.answer([HELLO]).await;
        stream.shutdown().await.unwrap();
        stream
    };
    let (_stream, answer) = join!(server, get(&mut connection));
    assert_eq!(answer.unwrap().1.body, b"hello");
    assert!(becomes_stale(&mut connection).await);
}

#[tokio::test]
async fn an_answer_that_is_not_http_says_why() {
    let (peer, destination) = Peer::listen().await;
    let conflicting = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy";
    let client = async {
        let mut connection = open(&destination).await;
        let error = get(&mut connection).await.unwrap_err();
        assert!(
            matches!(error, SendError::Protocol { source: FramingError::ConflictingLengths }),
            "{error:?}"
        );
        assert!(connection.is_stale());
    };
    join!(peer.answer([conflicting]), client);
}

#[tokio::test]
async fn a_refused_connect_is_a_failed_one() {
    let (peer, destination) = Peer::listen().await;
    let address = destination.addresses()[0];
    drop(peer);
    let error = Connection::open(&destination, late()).await.unwrap_err();
    assert!(
        matches!(&error, SendError::ConnectFailed { address: at, source }
            if *at == address && source.kind() == ErrorKind::ConnectionRefused),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_connect_that_nobody_takes_times_out() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: TcpListener = socket.listen(1).unwrap();
    let port = listener.local_addr().unwrap().port();
    let destination = Destination::http("127.0.0.1", port, &[]).unwrap();
    // Nothing is accepted: once the queue is full, the kernel drops what else comes.
    let mut queued = Vec::new();
    let error = loop {
        let deadline = Instant::now() + Duration::from_millis(500);
        match Connection::open(&destination, deadline).await {
            Ok(connection) => queued.push(connection),
            Err(error) => break error,
        }
        assert!(queued.len() < 100, "the queue has no end");
    };
    assert!(matches!(error, SendError::ConnectTimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_source_without_ports_is_this_machines_limit() {
    let (_peer, destination) = Peer::listen().await;
    // TEST-NET-1 is no address of this machine: nothing is to be had there.
    let destination = destination.from_sources(vec!["192.0.2.1".parse().unwrap()]);
    let error = Connection::open(&destination, late()).await.unwrap_err();
    assert!(matches!(error, SendError::LocalLimit { .. }), "{error:?}");
}

#[tokio::test]
async fn a_request_that_could_not_be_sent_is_told_as_unsent() {
    let (peer, destination) = Peer::listen().await;
    let mut connection = open(&destination).await;
    reset(peer.accept().await);
    assert!(becomes_stale(&mut connection).await);
    // The engine would not get here; a close between its check and the write would.
    let error = get(&mut connection).await.unwrap_err();
    assert!(
        matches!(error, SendError::Reset { sent: false, received: false, .. }),
        "{error:?} for {} bytes",
        REQUEST.len()
    );
}
