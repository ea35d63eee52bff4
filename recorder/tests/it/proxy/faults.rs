//! Upstreams that fail.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use trace::format::RecordedErrorKind;

use super::peer::{OK, Peer, Proxy, Upstream};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn an_upstream_that_is_down_is_a_502_and_an_error_in_the_record() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let proxy = Proxy::start(&url, &[]);
    drop(listener);
    let mut client = proxy.client();
    client.send(GET);
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    drop(client);
    assert_eq!(proxy.stop().results(), [Err(RecordedErrorKind::Reset)]);
}

#[test]
fn an_upstream_that_resets_cuts_the_client_off() {
    let upstream = Upstream::start(|mut peer, number| {
        peer.head();
        match number {
            0 => peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart"),
            1 => peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n"),
            _ => {}
        }
        peer.reset();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    for end in [&b"part"[..], b"4\r\npart\r\n", b""] {
        let mut client = proxy.client();
        client.send(GET);
        // What comes before the cut may be lost with it, the end of the body never comes. Where
        // no answer came, the client gets none either.
        let answer = client.rest();
        assert!(!answer.ends_with(b"0\r\n\r\n"));
        assert!(answer.len() < 110 && answer.ends_with(end) || answer.is_empty());
        assert!(answer.is_empty() || !end.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(proxy.stop().results(), vec![Err(RecordedErrorKind::Reset); 3]);
}

#[test]
fn a_connection_that_the_upstream_closed_meanwhile_is_not_noticed() {
    // Each connection answers once and is then closed without a word.
    let (closed, is_closed) = channel();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.head();
        peer.send(OK);
        drop(peer);
        closed.send(()).unwrap();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    for request in [GET, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"].repeat(25) {
        client.send(request);
        client.expect(OK);
        // Whoever has a connection to the upstream itself sees the end by now.
        is_closed.recv().unwrap();
    }
    drop(client);
    assert_eq!(proxy.stop().results(), vec![Ok(200); 50]);
}

#[test]
fn a_connection_to_the_upstream_is_of_one_client() {
    let (ended, has_ended) = channel();
    let upstream = Upstream::start(move |mut peer, number| {
        while peer.head().ends_with("\r\n\r\n") {
            peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}"));
        }
        ended.send(number).unwrap();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let (mut one, mut other) = (proxy.client(), proxy.client());
    let ask = |client: &mut Peer, number: &str| {
        client.send(GET);
        assert!(client.head().starts_with("HTTP/1.1 200 "));
        client.expect(number);
    };
    ask(&mut one, "0");
    ask(&mut other, "1");
    ask(&mut one, "0");
    // It ends with the client.
    drop(one);
    assert_eq!(has_ended.recv().unwrap(), 0);
    ask(&mut other, "1");
    ask(&mut proxy.client(), "2");
    drop(other);
    assert_eq!(proxy.stop().results(), vec![Ok(200); 5]);
}

#[test]
fn what_may_have_been_done_is_not_sent_again() {
    let posted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&posted);
    let upstream = Upstream::start(move |mut peer, _| {
        peer.head();
        peer.send(OK);
        // A request that is read and not answered may have had its effect.
        if peer.head().starts_with("POST") {
            peer.expect("abc");
            assert!(!seen.swap(true, Ordering::SeqCst), "sent again");
        }
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send(GET);
    client.expect(OK);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    // As without the proxy, the client sees the connection end, and knows whether to ask again.
    assert_eq!(client.head(), "");
    assert!(posted.load(Ordering::SeqCst));
    assert_eq!(proxy.stop().results(), [Ok(200), Err(RecordedErrorKind::Reset)]);
}
