//! How a recording ends, in good order or not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use trace::format::RecordedResult;

use super::peer::{OK, Proxy, Upstream};
use crate::world::{good, read, recorder, run, text};

#[test]
fn a_signal_ends_the_recording_with_its_trace() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&proxy.journal()), 0o600);
    let mut client = proxy.client();
    client.send("GET /a HTTP/1.1\r\nhost: a\r\nauthorization: Bearer s3cret-t0ken\r\ncookie: a=s3cret\r\n\r\n");
    client.expect(OK);
    // Still connected, and idle: that keeps nothing up.
    let recorded = proxy.stop();
    assert_eq!(recorded.code, Some(143));
    assert_eq!(recorded.results(), [Ok(200)]);
    assert_eq!(recorded.summary["requests"], 1);
    let trace = recorded.folder.path().join("t.jsonl");
    assert_eq!(mode(&trace), 0o600);
    assert!(!std::fs::read_to_string(&trace).unwrap().contains("s3cret"));
    assert!(!recorded.folder.path().join("t.jsonl.part").exists());
    let mut check = recorder(&["check"]);
    good(&run({
        check.arg(&trace);
        check
    }));
}

#[test]
fn a_killed_recording_has_all_that_was_answered_200_ms_before() {
    let upstream = Upstream::answering(OK);
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let address = proxy.address;
    // Eight clients at 125 a second each, until the proxy is gone.
    let (told, answers) = std::sync::mpsc::channel();
    let client = move |client: u32, told: Sender<()>| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut answered, mut answer) = (Vec::new(), [0; OK.len()]);
        for number in 0.. {
            let path = format!("/{client}/{number}");
            let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
            let exchanged =
                stream.write_all(request.as_bytes()).and_then(|()| stream.read_exact(&mut answer));
            if exchanged.is_err() {
                break;
            }
            answered.push((path, Instant::now()));
            let _ = told.send(());
            std::thread::sleep(Duration::from_millis(8));
        }
        answered
    };
    let clients = (0..8).map(|n| {
        let told = told.clone();
        std::thread::spawn(move || client(n, told))
    });
    let clients: Vec<_> = clients.collect();
    // Some must be old enough to tell.
    assert_eq!(answers.iter().take(300).count(), 300);
    let old_enough = Instant::now() + Duration::from_millis(250);
    for () in &answers {
        if Instant::now() > old_enough {
            break;
        }
    }
    let killed = Instant::now();
    proxy.child.kill().unwrap();
    proxy.child.wait().unwrap();
    let answered: Vec<(String, Instant)> =
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let mut finish = recorder(&["finish"]);
    finish.arg(proxy.journal());
    good(&run(finish));
    let kept: std::collections::HashSet<String> =
        read(&proxy.folder.path().join("t.jsonl")).into_iter().map(|r| r.path).collect();
    let due = answered.iter().filter(|(_, at)| *at + Duration::from_millis(200) < killed);
    let lost: Vec<_> = due.clone().filter(|(path, _)| !kept.contains(path)).collect();
    assert!(due.count() >= 300, "too few to tell");
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn bodies_are_kept_without_secrets_where_that_is_asked_for() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
        content-length: 48\r\n\r\n{\"access_token\":\"tok-5cd1f2a9e8b7\",\"name\":\"ann\"}";
    for (more, expected) in [
        (&["--keep-bodies"][..], Some(r#"{"access_token":"[redacted]","name":"ann"}"#)),
        (&[], None),
    ] {
        let upstream = Upstream::answering(ANSWER);
        let proxy = Proxy::start(&upstream.url(), more);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        client.expect(ANSWER);
        drop(client);
        let recorded = proxy.stop();
        let RecordedResult::Answer(answer) = &recorded.requests[0].result else {
            panic!("no answer")
        };
        assert_eq!(answer.body.as_deref(), expected);
    }
}

#[test]
fn a_full_disk_stops_the_recording_and_not_the_proxy() {
    let upstream = Upstream::answering(OK);
    let mut limited = Command::new("sh");
    // A limit on the size of files stands for the disk: writes fail just so.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]);
    limited.arg(env!("CARGO_BIN_EXE_recorder")).arg("proxy");
    limited.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut proxy = Proxy::spawn(limited, &upstream.url(), &[]);
    let mut client = proxy.client();
    for number in 0..300 {
        client.send(format!("GET /{number}/{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(100)));
        client.expect(OK);
        if number == 5 {
            proxy.wait_for(5);
        }
    }
    drop(client);
    let recorded = proxy.stop();
    assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
    assert!(recorded.stderr.contains("exchanges are dropped from now on"), "{}", recorded.stderr);
    let last = recorded.stderr.lines().last().unwrap();
    assert!(last.contains("recorder finish"), "{last}");
    let dropped = last.split(" exchanges were lost").next().unwrap().rsplit(' ').next().unwrap();
    let mut finish = recorder(&["finish"]);
    let journal = recorded.folder.path().join("t.jsonl.part");
    finish.arg(&journal);
    let output = run(finish);
    good(&output);
    let trace = recorded.folder.path().join("t.jsonl");
    let kept = read(&trace).len();
    let told = trace::reader::TraceReader::open(&trace).unwrap().finish().unwrap().dropped;
    assert_eq!(told.to_string(), dropped, "the trace says it, too");
    let dropped: usize = dropped.parse().unwrap_or_else(|_| panic!("{last}"));
    assert!(kept > 0 && dropped > 0, "{kept} {dropped}");
    assert_eq!(kept + dropped, 300);
    assert!(text(&output.stdout).contains("requests of"), "{output:?}");
}

#[test]
fn exchanges_wait_for_the_disk_where_that_is_asked_for() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream.url(), &["--on-full", "block"]);
    let mut client = proxy.client();
    for _ in 0..100 {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        client.expect(OK);
    }
    drop(client);
    let recorded = proxy.stop();
    assert_eq!(recorded.results().len(), 100);
    assert_eq!(recorded.summary["dropped"], 0);
}
