//! Requests that never reach the upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::peer::{OK, Proxy, Upstream};

#[test]
fn malformed_requests_are_refused_and_never_passed_on() {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let upstream = Upstream::start(move |mut peer, _| {
        while !peer.head().is_empty() {
            count.fetch_add(1, Ordering::SeqCst);
            peer.send(OK);
        }
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(100 << 10));
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(100 << 10));
    let post = |rest: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{rest}");
    let chunked = |rest: &str| post(&format!("transfer-encoding: chunked\r\n\r\n{rest}"));
    let cases = [
        ("two lengths", post("content-length: 3\r\ncontent-length: 4\r\n\r\nabcd"), "400"),
        ("a list of lengths", post("content-length: 3, 3\r\n\r\nabc"), "400"),
        ("a sign", post("content-length: +3\r\n\r\nabc"), "400"),
        (
            "a coding after chunked",
            post("transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        ("a coding before chunked", post("transfer-encoding: x, chunked\r\n\r\n0\r\n\r\n"), "501"),
        (
            "two codings",
            post("transfer-encoding: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            "501",
        ),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), "400"),
        ("the same host twice", "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n".to_owned(), "400"),
        ("an empty host", "GET / HTTP/1.1\r\nhost:\r\n\r\n".to_owned(), "400"),
        ("a host with a path", "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n".to_owned(), "400"),
        ("a host with a user", "GET / HTTP/1.1\r\nhost: u@a\r\n\r\n".to_owned(), "400"),
        ("a host with a space", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(), "400"),
        ("a host with a bad port", "GET / HTTP/1.1\r\nhost: a:b\r\n\r\n".to_owned(), "400"),
        ("no chunked", post("transfer-encoding: gzip\r\n\r\n0\r\n\r\n"), "400"),
        ("a folded line", post("x: a\r\n b\r\n\r\n"), "400"),
        ("a space before the colon", post("content-length : 3\r\n\r\nabc"), "400"),
        ("a bad chunk size", chunked("zz\r\nabc\r\n0\r\n\r\n"), "400"),
        ("a huge chunk size", chunked("fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), "400"),
        ("no request", "hello\r\n\r\n".to_owned(), "400"),
        ("a NUL", post("x: a\0b\r\n\r\n"), "400"),
        ("CONNECT", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "501"),
        ("a large head", large, "431"),
        ("a long path", long, "4"),
    ];
    for (what, request, status) in &cases {
        let mut client = proxy.client();
        client.send(request);
        let answer = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer:?}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    // It goes on, and the record has what was passed on and nothing else.
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.expect(OK);
    proxy.wait_for(1);
    let recorded = proxy.stop();
    assert_eq!(recorded.results(), [Ok(200)]);
    assert_eq!(recorded.summary["refused"], cases.len());
}

/// RFC 9112, section 6.3.
#[test]
fn of_a_length_and_chunks_the_chunks_count_and_the_connection_ends() {
    let upstream = Upstream::start(|mut peer, _| {
        loop {
            let head = peer.head();
            if head.is_empty() {
                return;
            }
            assert!(head.contains("transfer-encoding: chunked"), "{head}");
            assert!(!head.contains("content-length"), "{head}");
            peer.expect("3\r\nabc\r\n0\r\n\r\n");
            peer.send(OK);
        }
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    for lengths in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 60",
    ] {
        let mut client = proxy.client();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\n");
        client.send(format!("{head}3\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n"));
        let answers = String::from_utf8_lossy(&client.rest()).into_owned();
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(answers.starts_with("HTTP/1.1 200 "), "{answers}");
    }
    proxy.wait_for(2);
    assert_eq!(proxy.stop().results(), [Ok(200), Ok(200)]);
}

#[test]
fn a_chunk_that_is_bad_later_cuts_the_request_off() {
    const CHUNK: &str = "3\r\nabc\r\n";
    let (passed_on, wait) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.head();
        peer.expect(CHUNK);
        passed_on.send(()).unwrap();
        let rest = String::from_utf8(peer.rest()).unwrap();
        assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(CHUNK);
    wait.recv().unwrap();
    client.send("zz\r\n");
    assert!(client.head().starts_with("HTTP/1.1 400 "));
    proxy.wait_for(1);
    drop(proxy.stop());
}

#[test]
fn a_head_that_takes_too_long_ends_its_connection() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream.url(), &["--head-timeout", "300ms"]);
    let mut idle = proxy.client();
    let mut slow = proxy.client();
    slow.send("GET / HTTP/1.1\r\n");
    let dripping = slow.0.get_ref().try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        use std::io::Write as _;
        // Each byte is new life to a limit on silence, not to one on the whole.
        while (&dripping).write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let refused = String::from_utf8(slow.rest()).unwrap();
    assert!(
        refused.starts_with("HTTP/1.1 408 ") && refused.contains("Connection: close"),
        "{refused}"
    );
    drip.join().unwrap();
    // One that has not begun may take its time.
    idle.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    idle.expect(OK);
    assert_eq!(proxy.stop().results(), [Ok(200)]);
}
