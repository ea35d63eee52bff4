//! Upstreams that fail.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trace::format::RecordedErrorKind;

use super::peer::{OK, Proxy, Upstream};

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
    for end in [&b"part"[..], b"4\r\npart\r\n", b"HTTP/1.1 502"] {
        let mut client = proxy.client();
        client.send(GET);
        let answer = if end.starts_with(b"HTTP") {
            client.bytes(end.len())
        } else {
            // What comes before the cut may be lost with it, the end of the body never comes.
            client.rest()
        };
        assert!(!answer.ends_with(b"0\r\n\r\n"));
        assert!(
            answer.len() < 110 && (answer.ends_with(end) || !answer.starts_with(b"HTTP/1.1 5"))
        );
    }
    assert_eq!(proxy.stop().results(), vec![Err(RecordedErrorKind::Reset); 3]);
}

#[test]
fn a_connection_that_the_upstream_closed_meanwhile_is_not_noticed() {
    // Each connection answers once and is then closed without a word, when the next request is
    // already on its way or before.
    let upstream = Upstream::start(|mut peer, _| {
        peer.head();
        peer.send(OK);
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    for _ in 0..50 {
        client.send(GET);
        client.expect(OK);
    }
    drop(client);
    assert_eq!(proxy.stop().results(), vec![Ok(200); 50]);
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
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    assert!(posted.load(Ordering::SeqCst));
    assert_eq!(proxy.stop().results(), [Ok(200), Err(RecordedErrorKind::Reset)]);
}
