//! Whatever the target, the terminal or the trace does: the tool ends when it is told to, says
//! nothing that a terminal obeys, and takes no more memory than it says.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::trace::{answer, request};
use crate::support::{Answer, Server, TraceBuilder, Workplace};

fn place() -> Workplace {
    Workplace::new(&TraceBuilder::default().session("s", &[(0, "GET", "/one")]), 0)
}

/// Its exit code, once `begun` has come and it was sent this signal.
fn ended_by(mut child: Child, signal: Signal, begun: impl FnOnce()) -> Option<i32> {
    begun();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let told = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status.code(),
            None if told.elapsed() > Duration::from_secs(30) => {
                child.kill().unwrap();
                return None;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn a_signal_ends_the_probe_of_a_target_that_hangs() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (asked, was_asked) = std::sync::mpsc::channel();
        let server = Server::start(move |_| {
            asked.send(()).unwrap();
            Answer::Silence
        });
        let place = place();
        let child = place.command(&server.url(), &[]).stderr(Stdio::null()).spawn().unwrap();
        let begun = || was_asked.recv_timeout(Duration::from_secs(30)).unwrap();
        let ended = ended_by(child, signal, begun);
        assert_eq!(ended, Some(code));
    }
}

#[test]
fn a_signal_ends_the_connecting_to_a_database_that_says_nothing() {
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/d", database.local_addr().unwrap());
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let options = ["--database-url", url.as_str()];
    let place = place();
    let child = place.command(&server.url(), &options).stderr(Stdio::null()).spawn().unwrap();
    let ended = ended_by(child, Signal::TERM, || {
        // It is let in, and told nothing.
        database.set_nonblocking(true).unwrap();
        let begun = Instant::now();
        while database.accept().map(std::mem::forget).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not connect");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(ended, Some(143));
}

#[test]
fn a_signal_ends_the_waiting_for_the_start() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let server = Server::start(|_| Answer::Json(200, "{}".into()));
        let place = place();
        let child = place.command(&server.url(), &["--start-at", "+3600"]).spawn().unwrap();
        let ended = ended_by(child, signal, || {
            // The probe is what comes before the waiting.
            while server.asked().is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(ended, Some(code));
        assert!(!place.path("out").join("run.json").exists(), "nothing was measured");
    }
}

#[test]
fn that_nobody_can_be_told_changes_nothing() {
    let server = Server::start(|_| Answer::Json(500, "no".into()));
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let dead = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let codes = [Stdio::null(), full().into(), dead().into()].map(|stderr| {
        let place = place();
        let mut command = place.command(&server.url(), &[]);
        command.stderr(stderr).stdout(Stdio::null());
        let code = command.status().unwrap().code();
        assert!(place.path("out").join("run.json").exists());
        code
    });
    // On a busy machine a run is rightly SUSPECT.
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 12))), "{codes:?}");
    // Data that cannot be written is an error, and no panic.
    for stdout in [full().into(), dead().into()] {
        let place = place();
        let mut command = place.command(&server.url(), &["--dry-run"]);
        let code = command.stdout::<Stdio>(stdout).stderr(full()).status().unwrap().code();
        assert_eq!(code, Some(1));
    }
}

#[test]
fn nothing_that_a_terminal_obeys_is_shown() {
    let evil = "\u{1b}]0;title\u{7}\u{1b}[2J\u{202e}\u{9b}31m\r";
    let mut line = request("one", "s", 0, "GET", "/one");
    line.name = format!("GET /{evil}");
    line.persona = Some(format!("p{evil}"));
    answer(&mut line).status = 200;
    let trace = TraceBuilder { requests: vec![line], ..TraceBuilder::default() };
    let server = Server::start(move |_| Answer::Json(500, format!("body {evil}")));
    let place = Workplace::new(&trace, 0);
    for options in [&[][..], &["--dry-run"], &["--dry-run", "--json"], &["--json", "--force"]] {
        let ran = place.run(&server.url(), options);
        assert_ne!(ran.code, Some(101));
        for shown in [&ran.stdout, &ran.stderr] {
            let obeyed = shown
                .chars()
                .find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
            assert_eq!(obeyed, None, "{options:?}: {shown:?}");
        }
        if options.contains(&"--json") {
            serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap();
        }
    }
    let ran = place.run(&server.url(), &["--force"]);
    assert!(ran.stderr.contains("\\u{1b}]0;title\\u{7}"), "{}", ran.stderr);
}

/// Answers whatever is asked, and `/metrics` without end.
fn endless_metrics() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = |mut stream: TcpStream| -> std::io::Result<()> {
        let mut read = Vec::new();
        let mut block = [0; 4096];
        while !read.ends_with(b"\r\n\r\n") {
            match stream.read(&mut block)? {
                0 => return Ok(()),
                length => read.extend_from_slice(&block[..length]),
            }
        }
        if !read.starts_with(b"GET /metrics ") {
            return stream
                .write_all(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        }
        stream.write_all(b"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\n\r\n")?;
        for block in 0_u64.. {
            let names = (0..1000).map(|n| format!("target_metric_{} 1\n", block * 1000 + n));
            stream.write_all(names.collect::<String>().as_bytes())?;
        }
        Ok(())
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    url
}

/// Its exit code, and the peak of its memory in MiB.
fn watched(mut child: Child) -> (Option<i32>, u64) {
    // Looked at while it runs: the last look is that before its end.
    let mut peak = 0;
    loop {
        peak = peak.max(peak_mib(&child).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), peak);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn metrics_without_end_are_no_memory_without_end() {
    let trace = TraceBuilder::default().session("s", &[(0, "GET", "/one"), (1500, "GET", "/two")]);
    let place = Workplace::new(&trace, 0);
    let mut command = place.command(&endless_metrics(), &["--quiet"]);
    let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let (code, peak) = watched(child);
    assert!(matches!(code, Some(0 | 12)), "{code:?}");
    assert!(peak < 300, "{peak} MiB");
    let samples = std::fs::read_to_string(place.path("out").join("target.csv")).unwrap();
    assert!(samples.lines().count() < 1000, "{}", samples.lines().count());
}

/// Peak of what the process had in memory, in MiB, where the system says.
fn peak_mib(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? >> 10)
}

#[test]
fn a_trace_whose_lines_lie_decades_apart_takes_no_memory_for_the_time_between() {
    let decades = 56 * 365 * 86_400_000;
    let trace = TraceBuilder::default().session("a", &[(0, "GET", "/one")]);
    let trace = trace.session("b", &[(decades, "GET", "/two")]);
    let place = Workplace::new(&trace, 0);
    let mut command = place.command("http://127.0.0.1:9", &["--dry-run"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (code, peak) = watched(child);
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("longer than 31 days") && said.contains("--align start"), "{said}");
    assert!(peak < 300, "{peak} MiB");
    let ran = place.run("http://127.0.0.1:9", &["--dry-run", "--duration", "10s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = place.run("http://127.0.0.1:9", &["--dry-run", "--max-requests", "2"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}
