//! Exchanges that go well, over real sockets.

use std::future::Future as _;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::task::{Context, Waker};
use std::time::Duration;

use http1::{Connection, Destination, Discard, Limits, Method, Sink};
use httparse::Header;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;

use super::peer::{HELLO, Peer, REQUEST, get, late, open, read_request, read_to_close, send};

#[tokio::test]
async fn a_connection_carries_one_exchange_after_another() {
    let (peer, destination) = Peer::listen().await;
    let client = async {
        let mut connection = open(&destination).await;
        for _ in 0..3 {
            let (exchange, answer) = get(&mut connection).await.unwrap();
            assert_eq!((exchange.status, answer.body.as_slice()), (200, b"hello".as_slice()));
            assert_eq!(answer.headers, [("Content-Length".to_owned(), b"5".to_vec())]);
            assert_eq!(exchange.body_bytes, 5);
            assert_eq!(exchange.bytes_sent, REQUEST.len() as u64);
            assert_eq!(exchange.bytes_received, HELLO.len() as u64);
            assert_eq!(connection.progress().all_sent, Some(exchange.first_byte_sent));
            assert!(exchange.first_byte_sent <= exchange.first_byte_received);
            assert!(exchange.first_byte_received <= exchange.done);
            assert!(exchange.reusable);
            assert!(!connection.is_stale());
        }
    };
    join!(peer.answer([HELLO; 3]), client);
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_the_same() {
    let (peer, destination) = Peer::listen().await;
    let answer =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5;a\r\nhello\r\n0\r\nA: b\r\n\r\n";
    let server = async {
        let mut stream = peer.accept().await;
        read_request(&mut stream).await;
        for byte in answer {
            stream.write_u8(*byte).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream
    };
    let client = async {
        let mut connection = open(&destination).await;
        let (exchange, answer) = get(&mut connection).await.unwrap();
        assert_eq!(answer.body, b"hello");
        assert!(exchange.reusable);
        assert!(exchange.first_byte_received < exchange.done);
        assert!(!connection.is_stale());
    };
    join!(server, client);
}

#[tokio::test]
async fn what_the_head_says_decides_whether_the_connection_is_reusable() {
    for (answer, reusable) in [
        (HELLO, true),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", false),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false),
        (b"HTTP/1.1 204 No Content\r\n\r\n", true),
        // One byte too many, together with the answer.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", false),
    ] {
        let (peer, destination) = Peer::listen().await;
        let client = async {
            let mut connection = open(&destination).await;
            let (exchange, _) = get(&mut connection).await.unwrap();
            assert_eq!(exchange.reusable, reusable, "{}", answer.escape_ascii());
            assert_eq!(connection.is_stale(), !reusable, "{}", answer.escape_ascii());
        };
        join!(peer.answer([answer]), client);
    }
}

#[tokio::test]
async fn head_has_no_body_and_the_connection_goes_on() {
    let (peer, destination) = Peer::listen().await;
    let client = async {
        let mut connection = open(&destination).await;
        let head = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
        let limits = Limits::default();
        let exchange =
            connection.exchange(head, Method::Head, &mut Discard, &limits).await.unwrap();
        assert_eq!((exchange.body_bytes, exchange.reusable), (0, true));
        let (_, answer) = get(&mut connection).await.unwrap();
        assert_eq!(answer.body, b"hello");
    };
    let no_body = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    join!(peer.answer([no_body, HELLO]), client);
}

#[tokio::test]
async fn a_close_delimited_body_ends_with_the_connection() {
    let (peer, destination) = Peer::listen().await;
    let server = async { drop(peer.answer([b"HTTP/1.1 200 OK\r\n\r\nall of it"]).await) };
    let client = async {
        let mut connection = open(&destination).await;
        let (exchange, answer) = get(&mut connection).await.unwrap();
        assert_eq!(answer.body, b"all of it");
        assert!(!exchange.reusable);
    };
    join!(server, client);
}

/// Counts, and checks that the bytes are the sequence that the server sends.
#[derive(Default)]
struct Sequence {
    bytes: u64,
    largest: usize,
}

impl Sink for Sequence {
    fn head(&mut self, _status: u16, _headers: &[Header<'_>]) {}

    fn body(&mut self, bytes: &[u8]) {
        for (byte, at) in bytes.iter().zip(self.bytes..) {
            assert_eq!(u64::from(*byte), at % 251);
        }
        self.bytes += bytes.len() as u64;
        self.largest = self.largest.max(bytes.len());
    }
}

#[tokio::test]
async fn big_bodies_are_streamed_in_pieces() {
    const BYTES: u64 = 20_000_000;
    let (peer, destination) = Peer::listen().await;
    let server = async {
        let mut stream = peer.accept().await;
        read_request(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let body: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
        stream.write_all(&body).await.unwrap();
        stream
    };
    let client = async {
        let mut connection = open(&destination).await;
        let mut sink = Sequence::default();
        let limits = Limits::default();
        let exchange =
            connection.exchange(REQUEST, Method::Other, &mut sink, &limits).await.unwrap();
        assert_eq!((sink.bytes, exchange.body_bytes), (BYTES, BYTES));
        assert!(sink.largest <= 64 * 1024);
        assert!(exchange.reusable);
    };
    join!(server, client);
}

/// A request of 8 MiB, which no socket buffer takes at once.
fn big_request() -> Vec<u8> {
    let body = vec![b'x'; 8 << 20];
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

#[tokio::test]
async fn a_big_request_is_written_whole() {
    let (peer, destination) = Peer::listen().await;
    let request = big_request();
    let server = async {
        let mut stream = peer.accept().await;
        let mut read = vec![0; request.len()];
        stream.read_exact(&mut read).await.unwrap();
        assert!(read == request);
        stream.write_all(HELLO).await.unwrap();
        stream
    };
    let client = async {
        let mut connection = open(&destination).await;
        let (exchange, _) = send(&mut connection, &request).await.unwrap();
        assert_eq!(exchange.bytes_sent, request.len() as u64);
        assert!(exchange.reusable);
        let all_sent = connection.progress().all_sent.unwrap();
        assert!(exchange.first_byte_sent < all_sent && all_sent <= exchange.done);
    };
    join!(server, client);
}

#[tokio::test]
async fn an_answer_that_comes_while_the_request_is_written_is_read() {
    let (peer, destination) = Peer::listen().await;
    let request = big_request();
    let early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig";
    let client = async {
        let mut connection = open(&destination).await;
        let (exchange, answer) = send(&mut connection, &request).await.unwrap();
        assert_eq!((exchange.status, answer.body.as_slice()), (413, b"big".as_slice()));
        assert!(exchange.bytes_sent < request.len() as u64);
        // The rest of the request would be taken for the next one.
        assert!(!exchange.reusable);
        assert!(connection.is_stale());
    };
    join!(peer.answer([early]), client);
}

#[tokio::test]
async fn an_early_answer_survives_that_the_server_closes_behind_it() {
    let (peer, destination) = Peer::listen().await;
    let request = big_request();
    let early = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig";
    // Closed with most of the request unread, which makes the kernel send a reset.
    let server = async { drop(peer.answer([early]).await) };
    let client = async {
        let mut connection = open(&destination).await;
        let (exchange, _) = send(&mut connection, &request).await.unwrap();
        assert_eq!((exchange.status, exchange.reusable), (413, false));
    };
    join!(server, client);
}

#[tokio::test]
async fn connections_come_from_the_sources_in_turn() {
    let (peer, destination) = Peer::listen().await;
    let sources: Vec<IpAddr> = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    let destination = destination.from_sources(sources.clone());
    for source in [sources[0], sources[1], sources[0]] {
        let _connection = open(&destination).await;
        let (_, from) = peer.listener.accept().await.unwrap();
        assert_eq!(from.ip(), source);
    }
}

#[tokio::test]
async fn a_dropped_exchange_leaves_its_progress_and_a_stale_connection() {
    let (peer, destination) = Peer::listen().await;
    let client = async {
        let mut connection = open(&destination).await;
        get(&mut connection).await.unwrap();
        // The peer sends part of an answer and no more: this never ends by itself.
        tokio::select! {
            biased;
            ended = get(&mut connection) => panic!("ended: {ended:?}"),
            () = async { for _ in 0..1000 { tokio::task::yield_now().await } } => {}
        }
        let progress = connection.progress();
        assert!(progress.first_byte_sent.is_some());
        assert_eq!(progress.bytes_sent, REQUEST.len() as u64);
        assert!(connection.is_stale());
    };
    let (mut stream, ()) = join!(peer.answer([HELLO, b"HTTP/1.1 200 OK\r\n"]), client);
    assert_eq!(read_to_close(&mut stream).await, 0);
}

#[test]
fn an_idle_connection_is_a_few_words() {
    assert!(size_of::<Connection>() <= 128, "{} bytes", size_of::<Connection>());
}

/// Of what opening took, all but the target's answer to the first packet is the client's own: it
/// does not look for the connection while others hold its thread.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_is_noticed_late_tells_how_late() {
    const LATE: Duration = Duration::from_millis(200);
    let (_peer, destination) = Peer::listen().await;
    let begun = std::time::Instant::now();
    let mut opening = std::pin::pin!(Connection::open(&destination, late()));
    let mut task = Context::from_waker(Waker::noop());
    assert!(opening.as_mut().poll(&mut task).is_pending());
    std::thread::sleep(LATE);
    let late = opening.await.unwrap().late.unwrap();
    // Both ends are on this machine: the kernel was done before the thread slept.
    assert!(late >= LATE && late <= begun.elapsed(), "{late:?}");
}

/// The reader does not run while the answer lies there, as a stopped generator does not. How
/// soon the kernel begins to note times after a first socket asks for it is its own affair, so
/// that the first answers may tell nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_that_is_read_late_tells_for_how_long_it_lay_there() {
    const LATE: Duration = Duration::from_millis(200);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let destination = Destination::http("127.0.0.1", port, &[]).unwrap();
    let (answered, wait) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; REQUEST.len()];
        while stream.read_exact(&mut request).is_ok() {
            stream.write_all(HELLO).unwrap();
            answered.send(()).unwrap();
        }
    });
    let mut connection = open(&destination).await;
    let mut told = None;
    for _ in 0..100 {
        let begun = std::time::Instant::now();
        let mut exchange = std::pin::pin!(get(&mut connection));
        let mut task = Context::from_waker(Waker::noop());
        assert!(exchange.as_mut().poll(&mut task).is_pending());
        // Written by the peer means received here: it is one machine.
        wait.recv().unwrap();
        std::thread::sleep(LATE);
        let (exchange, _) = exchange.await.unwrap();
        if let Some(unread_for) = exchange.unread_for {
            told = Some((unread_for, begun.elapsed()));
            break;
        }
    }
    let (unread_for, whole) = told.unwrap();
    assert!(unread_for >= LATE - Duration::from_millis(1), "{unread_for:?}");
    assert!(unread_for <= whole, "{unread_for:?} of {whole:?}");
    drop(connection);
    server.join().unwrap();
}
