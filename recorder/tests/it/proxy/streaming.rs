//! What has no end, or a late one.

use std::sync::mpsc::channel;
use std::time::Duration;

use trace::format::RecordedErrorKind;

use super::peer::{OK, Peer, Proxy, Upstream};

#[test]
fn server_sent_events_arrive_one_by_one() {
    let (next, wanted) = channel::<()>();
    let wanted = std::sync::Arc::new(std::sync::Mutex::new(wanted));
    let upstream = Upstream::start(move |mut peer, _| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        for number in 0..3 {
            peer.send(format!("data: {number}\n\n"));
            // The next one is sent when this one was seen: nothing may hold it back.
            wanted.lock().unwrap().recv().unwrap();
        }
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("GET /events HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.head().contains("text/event-stream"));
    for number in 0..3 {
        client.expect(format!("9\r\ndata: {number}\n\n\r\n"));
        next.send(()).unwrap();
    }
    client.expect("0\r\n\r\n");
    proxy.wait_for(1);
    assert_eq!(proxy.stop().results(), [Ok(200)]);
}

#[test]
fn an_upgraded_connection_passes_both_ways_and_is_counted() {
    let upstream = Upstream::start(|mut peer, _| {
        let head = peer.head();
        assert!(head.contains("connection: upgrade\r\n"), "{head}");
        assert!(head.contains("upgrade: websocket\r\n"), "{head}");
        peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello");
        peer.expect(b"\x81\x00GET / HTTP/1.1\r\n\r\n");
        peer.send(b"\x81\x00");
        peer.rest();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("GET /ws HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: websocket"), "{head}");
    client.expect("hello");
    client.send(b"\x81\x00GET / HTTP/1.1\r\n\r\n");
    client.expect(b"\x81\x00");
    drop(client);
    let recorded = proxy.stop();
    assert_eq!(recorded.summary["upgrades"], 1);
    assert!(recorded.requests.is_empty());
}

#[test]
fn a_protocol_that_nobody_asked_for_is_not_switched_to() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.head();
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello",
        );
        peer.rest();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    drop(client);
    assert_eq!(proxy.stop().results(), [Err(RecordedErrorKind::Reset)]);
}

#[test]
fn a_client_that_is_gone_is_recorded_as_such() {
    let (seen, gone) = channel::<()>();
    let upstream = Upstream::start(move |mut peer, number| {
        peer.head();
        if number == 0 {
            seen.send(()).unwrap();
        } else {
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
        }
        // The proxy gives up what nobody waits for.
        peer.rest();
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("GET /waiting HTTP/1.1\r\nhost: a\r\n\r\n");
    gone.recv().unwrap();
    drop(client);
    proxy.wait_for(1);
    let mut client = proxy.client();
    client.send("GET /reading HTTP/1.1\r\nhost: a\r\n\r\n");
    client.head();
    client.expect("part");
    client.reset();
    proxy.wait_for(2);
    assert_eq!(proxy.stop().results(), vec![Err(RecordedErrorKind::ClientGone); 2]);
}

#[test]
fn a_client_that_closes_its_half_is_taken_as_gone() {
    let (passed_on, is_passed_on) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.head();
        passed_on.send(()).unwrap();
        peer.rest();
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    // Before that there would be nothing to record.
    is_passed_on.recv().unwrap();
    client.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.rest().is_empty());
    proxy.wait_for(1);
    assert_eq!(proxy.stop().results(), [Err(RecordedErrorKind::ClientGone)]);
}

#[test]
fn what_is_not_done_when_time_is_up_is_still_open() {
    let upstream = Upstream::start(|mut peer, _| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\n\r\nbegun");
        peer.rest();
    });
    let proxy = Proxy::start(&upstream.url(), &["--duration", "1s"]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.head();
    client.expect("5\r\nbegun\r\n");
    assert_eq!(proxy.stop().results(), [Err(RecordedErrorKind::StillOpen)]);
}

#[test]
fn large_bodies_pass_and_take_no_memory() {
    const MIB: usize = 256;
    let upstream = Upstream::start(|mut peer, _| {
        peer.head();
        for _ in 0..MIB {
            assert_eq!(peer.bytes(1 << 20).len(), 1 << 20);
        }
        peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MIB << 20));
        for _ in 0..MIB {
            peer.send([7; 1 << 20]);
        }
        peer.rest();
    });
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let before = proxy.peak_memory();
    let mut client = proxy.client();
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", MIB << 20));
    for _ in 0..MIB {
        client.send([3; 1 << 20]);
    }
    client.head();
    for _ in 0..MIB {
        assert_eq!(client.bytes(1 << 20), [7; 1 << 20]);
    }
    proxy.wait_for(1);
    let grown = proxy.peak_memory() - before;
    assert!(grown < 24 << 10, "{grown} KiB for bodies of {MIB} MiB");
    let body = proxy.stop().requests.remove(0).body;
    let expected = (MIB as u64) << 20;
    assert!(
        matches!(body, Some(trace::format::Body::Truncated { size, .. }) if size == expected),
        "{body:?}"
    );
}

#[test]
fn requests_wait_for_their_turn_upstream() {
    let upstream = Upstream::start(|mut peer, _| {
        while !peer.head().is_empty() {
            std::thread::sleep(Duration::from_millis(50));
            peer.send(OK);
        }
    });
    let proxy = Proxy::start(&upstream.url(), &["--max-upstream", "1"]);
    let mut clients: Vec<Peer> = (0..4).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    for client in &mut clients {
        client.expect(OK);
    }
    let mut times: Vec<u64> = proxy.stop().requests.iter().map(total_us).collect();
    times.sort_unstable();
    // Each waited for those before it, and that is part of its time.
    for (number, time) in (1..).zip(times) {
        assert!(time >= number * 50_000, "{number}: {time}");
    }
}

#[test]
fn an_idle_connection_to_the_upstream_makes_room_for_another_client() {
    let (ended, has_ended) = channel();
    let upstream = Upstream::start(move |mut peer, number| {
        while peer.head().ends_with("\r\n\r\n") {
            peer.send(OK);
        }
        ended.send(number).unwrap();
    });
    let proxy = Proxy::start(&upstream.url(), &["--max-upstream", "2"]);
    let mut clients: Vec<Peer> = (0..3).map(|_| proxy.client()).collect();
    let mut ask = |client: usize| {
        clients[client].send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        clients[client].expect(OK);
    };
    for client in [0, 1, 0, 2] {
        ask(client);
    }
    // That of the second had been idle for longest.
    assert_eq!(has_ended.recv().unwrap(), 1);
    for client in [1, 2, 0] {
        ask(client);
    }
    assert_eq!(proxy.stop().results(), vec![Ok(200); 7]);
}

fn total_us(request: &trace::format::Request) -> u64 {
    match &request.result {
        trace::format::RecordedResult::Answer(answer) => answer.total_us,
        trace::format::RecordedResult::Error(error) => panic!("{error:?}"),
    }
}
