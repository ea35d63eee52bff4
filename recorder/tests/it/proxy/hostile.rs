//! Peers that mean harm, and machines that have nothing left.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trace::format::RecordedErrorKind;

use super::peer::{OK, PATIENCE, Proxy, Upstream};
use crate::world::{recorder, run, signal, text};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A length beside chunks is none: taken for one, it cuts the body off, and what is left of it
/// would be the next answer.
#[test]
fn an_answer_with_two_lengths_is_passed_on_whole() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    for _ in 0..2 {
        client.send(GET);
        let head = client.head().to_ascii_lowercase();
        assert!(!head.contains("content-length"), "{head}");
        client.expect("3\r\nabc\r\n0\r\n\r\n");
    }
    drop(client);
    assert_eq!(proxy.stop().results(), [Ok(200), Ok(200)]);
}

#[test]
fn the_connection_that_is_idle_for_longest_makes_room() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream.url(), &["--max-connections", "3"]);
    let mut clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = proxy.client();
            client.send(GET);
            client.expect(OK);
            client
        })
        .collect();
    // The first is at work again, so the second rests for longest.
    clients[0].send(GET);
    clients[0].expect(OK);
    let mut more = proxy.client();
    more.send(GET);
    more.expect(OK);
    assert_eq!(clients[1].rest(), b"");
    for client in [&mut clients.remove(0), &mut clients.remove(1), &mut more] {
        client.send(GET);
        client.expect(OK);
    }
    drop(more);
    assert_eq!(proxy.stop().results().len(), 8);
}

/// One that never says a word is idle as well.
#[test]
fn silent_connections_keep_nobody_out() {
    let upstream = Upstream::answering(OK);
    let proxy = Proxy::start(&upstream.url(), &["--max-connections", "50"]);
    let silent: Vec<_> = (0..200).map(|_| proxy.client()).collect();
    let mut client = proxy.client();
    client.send(GET);
    client.expect(OK);
    drop((silent, client));
    assert_eq!(proxy.stop().results(), [Ok(200)]);
}

#[test]
fn a_second_signal_ends_the_grace_of_what_hangs() {
    let (reached, wait) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        peer.head();
        reached.send(()).unwrap();
        peer.rest();
    });
    let proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send(GET);
    wait.recv().unwrap();
    let asked = Instant::now();
    signal(&proxy.child, "INT");
    // Nobody is let in any more once the first was seen.
    while std::net::TcpStream::connect(proxy.address).is_ok() {
        assert!(asked.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    let recorded = proxy.stop();
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    assert_eq!(recorded.code, Some(130), "{}", recorded.stderr);
    assert_eq!(recorded.results(), [Err(RecordedErrorKind::StillOpen)]);
}

#[test]
fn six_descriptors_are_an_error_and_no_panic() {
    for command in
        [&["proxy", "--upstream", "http://127.0.0.1:1", "--out", "t.jsonl"][..], &["check", "none"]]
    {
        for descriptors in 3..12 {
            let mut limited = Command::new("sh");
            limited.args(["-c", &format!("ulimit -n {descriptors}; exec \"$@\""), "sh"]);
            limited.arg(env!("CARGO_BIN_EXE_recorder")).args(command).stdin(Stdio::null());
            limited.env_remove("RUST_BACKTRACE").current_dir(std::env::temp_dir());
            let output = limited.output().unwrap();
            let said = text(&output.stderr);
            assert!(!said.contains("panicked"), "{descriptors}: {said}");
            // Under about six the system cannot even load the program.
            assert!(matches!(output.status.code(), Some(1..=4 | 127)), "{descriptors}: {said}");
        }
    }
}

/// Somewhere between what is too little for the loader and what is enough there are addresses for
/// the program and none for a thread's stack.
#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_for_threads_ends_the_tool_and_it_does_not_hang() {
    for mib in (8..=96).step_by(2) {
        let mut limited = Command::new("sh");
        let script = format!("ulimit -v {}; exec timeout -s KILL 60 \"$@\"", mib << 10);
        limited.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_recorder"), "check", "none"]);
        let output = limited.stdin(Stdio::null()).output().unwrap();
        let code = output.status.code();
        assert_ne!(code, Some(137), "{mib} MiB: {}", text(&output.stderr));
        assert_ne!(output.status.signal(), Some(9), "{mib} MiB: {}", text(&output.stderr));
    }
}

#[test]
fn the_journal_of_a_killed_recording_is_told_as_such_by_all_who_read_it() {
    let upstream = Upstream::answering(OK);
    let mut proxy = Proxy::start(&upstream.url(), &[]);
    let mut client = proxy.client();
    client.send(GET);
    client.expect(OK);
    proxy.wait_for(1);
    proxy.child.kill().unwrap();
    proxy.child.wait().unwrap();
    let journal = proxy.journal();
    let journal = journal.to_str().unwrap();
    for command in [&["check", journal][..], &["inspect", journal], &["cut", journal, "--out", "x"]]
    {
        let output = run(recorder(command));
        assert_eq!(output.status.code(), Some(13), "{command:?}");
        let remedy = format!("make a trace of it with: recorder finish {journal}");
        assert!(text(&output.stderr).contains(&remedy), "{}", text(&output.stderr));
    }
}
