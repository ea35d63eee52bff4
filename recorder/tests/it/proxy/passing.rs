//! What passes through unchanged.

use std::net::SocketAddr;

use super::peer::{OK, Proxy, Upstream};

struct Case {
    what: &'static str,
    /// With HOST for the host; what the upstream gets is the same but for that.
    request: &'static [u8],
    answer: &'static [u8],
}

const CASES: [Case; 8] = [
    Case {
        what: "lengths",
        request: b"POST /a%20b?c=%2F&d HTTP/1.1\r\nhost: HOST\r\ncontent-length: 3\r\nx-two: 1\r\nx-two: 2\r\n\r\nabc",
        answer: b"HTTP/1.1 201 Created\r\ncontent-length: 3\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\nxyz",
    },
    Case {
        what: "chunked",
        request: b"PUT /c HTTP/1.1\r\nhost: HOST\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        answer: b"HTTP/1.1 200 OK\r\netag: \"1\"\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    },
    Case {
        what: "a content coding",
        request: b"GET /z HTTP/1.1\r\nhost: HOST\r\naccept-encoding: gzip, br\r\n\r\n",
        answer: b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\n\x1f\x8b\x08\x00\xff\x00",
    },
    Case {
        what: "HEAD",
        request: b"HEAD /h HTTP/1.1\r\nhost: HOST\r\n\r\n",
        answer: b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n",
    },
    Case {
        what: "204",
        request: b"DELETE /d HTTP/1.1\r\nhost: HOST\r\n\r\n",
        answer: b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n",
    },
    Case {
        what: "304",
        request: b"GET /n HTTP/1.1\r\nhost: HOST\r\nif-none-match: \"1\"\r\n\r\n",
        answer: b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n",
    },
    Case {
        what: "trailers",
        request: b"GET /t HTTP/1.1\r\nhost: HOST\r\nconnection: te\r\nte: trailers\r\n\r\n",
        answer: b"HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n",
    },
    Case {
        what: "a failure",
        request: b"OPTIONS * HTTP/1.1\r\nhost: HOST\r\n\r\n",
        answer: b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
    },
];

fn with_host(request: &[u8], host: SocketAddr) -> Vec<u8> {
    // Bodies of requests are text here.
    std::str::from_utf8(request).unwrap().replace("HOST", &host.to_string()).into_bytes()
}

#[test]
fn requests_and_answers_arrive_as_they_were_sent() {
    let upstream = Upstream::start(|mut peer, _| {
        let host = peer.0.get_ref().local_addr().unwrap();
        for case in CASES {
            peer.expect(with_host(case.request, host));
            peer.send(case.answer);
        }
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    // One connection for all: each answer has to end where it should.
    let mut client = proxy.client();
    for case in CASES {
        client.send(with_host(case.request, proxy.address));
        let got = client.bytes(case.answer.len());
        let [got, expected] = [&*got, case.answer].map(String::from_utf8_lossy);
        assert_eq!(got, expected, "{}", case.what);
    }
    proxy.wait_for(CASES.len());
    let recorded = proxy.stop();
    assert_eq!(recorded.code, Some(143), "{}", recorded.stderr);
    let results: Vec<_> = recorded.results().into_iter().map(Result::unwrap).collect();
    assert_eq!(results, [201, 200, 200, 200, 204, 304, 200, 500]);
    let paths: Vec<_> = recorded.requests.iter().map(|request| &*request.path).collect();
    assert_eq!(paths, ["/a%20b?c=%2F&d", "/c", "/z", "/h", "/d", "/n", "/t", "*"]);
    assert!(recorded.requests.is_sorted_by_key(|request| request.at));
}

#[test]
fn a_body_is_sent_when_the_upstream_asked_for_it() {
    let upstream = Upstream::start(|mut peer, _| {
        let head = peer.head();
        assert!(head.contains("expect: 100-continue"), "{head}");
        peer.send("HTTP/1.1 100 Continue\r\n\r\n");
        peer.expect("abc");
        peer.send(OK);
        peer.rest();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    client.expect(OK);
    assert_eq!(proxy.stop().results(), [Ok(200)]);
}

#[test]
fn a_body_that_the_upstream_does_not_want_is_never_asked_for() {
    const NO: &str = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nno";
    let upstream = Upstream::start(|mut peer, _| {
        peer.head();
        peer.send(NO);
        assert!(peer.rest().is_empty());
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(proxy.stop().results(), [Ok(413)]);
}

#[test]
fn an_answer_may_come_before_the_end_of_the_request() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.head();
        peer.expect("abc");
        peer.send(OK);
        peer.expect("def");
        peer.rest();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"), "{head}");
    client.expect("ok");
    drop(client);
    assert_eq!(proxy.stop().results(), [Ok(200)]);
}
