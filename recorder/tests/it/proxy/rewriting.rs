//! What changes on the way, so that browsers stay on the proxy.

use super::peer::{Proxy, Upstream};

fn echo(answer: &'static str) -> Upstream {
    Upstream::start(move |mut peer, _| {
        loop {
            let head = peer.head();
            if head.is_empty() {
                break;
            }
            let address = peer.0.get_ref().local_addr().unwrap().to_string();
            let answer = answer.replace("UPSTREAM", &address);
            peer.send(format!("{answer}content-length: {}\r\n\r\n{head}", head.len()));
        }
    })
}

/// Head of the answer, and the head that the upstream got.
fn exchange(proxy: &Proxy, request: &str) -> (String, String) {
    let mut client = proxy.client();
    client.send(request.replace("PROXY", &proxy.address.to_string()));
    let answer = client.head();
    let length = answer.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap();
    let seen = client.bytes(length.parse().unwrap());
    (answer, String::from_utf8(seen).unwrap())
}

const REQUEST: &str = "GET http://PROXY/page HTTP/1.1\r\nHost: PROXY\r\nOrigin: http://PROXY\r\n\
Referer: http://PROXY/before\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
Proxy-Authorization: Basic eDp5\r\nX-Other: 2\r\n\r\n";

#[test]
fn hosts_redirects_and_cookies_work_on_both_sides() {
    let upstream = echo(
        "HTTP/1.1 302 Found\r\nLocation: http://UPSTREAM/next?a\r\n\
         Set-Cookie: sid=1; Domain=UPSTREAM; Path=/; Secure\r\nKeep-Alive: timeout=9\r\n",
    );
    let proxy = Proxy::start(&upstream.url(), &[]);
    let (answer, seen) = exchange(&proxy, REQUEST);
    assert!(answer.contains(&format!("location: http://{}/next?a\r\n", proxy.address)), "{answer}");
    // Secure stays: the upstream is no https, so that the server meant what it said.
    assert!(answer.contains("set-cookie: sid=1; Path=/; Secure\r\n"), "{answer}");
    assert!(!answer.contains("keep-alive"), "{answer}");
    let address = upstream.address;
    assert!(seen.starts_with("GET /page HTTP/1.1\r\n"), "{seen}");
    for line in [
        format!("host: {address}\r\n"),
        format!("origin: http://{address}\r\n"),
        format!("referer: http://{address}/before\r\n"),
        "x-other: 2\r\n".to_owned(),
    ] {
        assert!(seen.contains(&line), "{line} is not in {seen}");
    }
    for gone in ["x-hop", "keep-alive", "proxy-authorization", "connection"] {
        assert!(!seen.contains(gone), "{seen}");
    }
    // Recorded is what the client sent.
    let recorded = proxy.stop();
    let headers = &recorded.requests[0].headers;
    let names: Vec<String> = headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    assert_eq!(names, ["origin", "referer", "x-other"]);
    assert!(!headers[0].1.contains(&address.port().to_string()), "{headers:?}");
}

#[test]
fn the_clients_host_is_kept_where_that_is_asked_for() {
    let upstream = echo("HTTP/1.1 200 OK\r\n");
    let proxy = Proxy::start(&upstream.url(), &["--preserve-host"]);
    let (_, seen) = exchange(&proxy, REQUEST);
    assert!(seen.contains(&format!("host: {}\r\n", proxy.address)), "{seen}");
    assert!(seen.contains(&format!("origin: http://{}\r\n", proxy.address)), "{seen}");
    drop(proxy.stop());
}
