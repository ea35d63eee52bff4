//! One run in several processes: its sum, its end, and what is lost with one of them.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use run_log::format::{EndedBy, ValidityState};
use run_log::outcome::Outcome;
use run_log::reader::RunReader;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Answer, Server, TraceBuilder, Workplace};

fn trace() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> =
        (0..20).map(|step| (step * 50, "GET", ["/a", "/b"][step as usize % 2])).collect();
    (0..6).fold(TraceBuilder::default(), |trace, n| trace.session(&format!("s{n}"), &steps))
}

fn server() -> Server {
    Server::start(|_| Answer::Json(200, "{}".into()))
}

#[test]
fn the_sum_of_two_processes_is_what_one_does() {
    let place = Workplace::new(&trace(), 0);
    let mut seen = Vec::new();
    for processes in ["1", "2"] {
        let server = server();
        let options = ["--clones", "10", "--processes", processes, "--no-probe", "--force"];
        let start = chrono::Utc::now() + chrono::TimeDelta::seconds(4);
        let at = ["--start-at", &start.to_rfc3339()];
        let ran = place.run(&server.url(), &[&options[..], &at].concat());
        assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
        let run = ran.checked();
        assert_eq!((run.shard, run.config.users), (None, 60));
        assert_eq!(run.started.timestamp_micros(), start.timestamp_micros());
        assert_eq!(run.totals.outcomes[Outcome::Completed], 1200);
        let reader = ran.reader();
        let endpoints: BTreeMap<String, (u64, u64)> = reader
            .stats()
            .unwrap()
            .map(Result::unwrap)
            .map(|row| (format!("{} {}", row.method, row.name), (row.requests, row.failures)))
            .collect();
        assert_eq!(server.asked().len(), 1200);
        assert!(!place.path("out.parts").exists());
        assert_eq!(ran.stderr.contains("shared among 2 processes"), processes == "2");
        let peers: std::collections::BTreeSet<_> = server.peers().into_iter().collect();
        assert_eq!(peers.len().to_string(), processes, "{peers:?}");
        seen.push((endpoints, run.load_held, run.totals.planned, run.plateau, run.phases));
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn as_many_processes_are_taken_as_descriptors_ask_for() {
    let server = server();
    let place = Workplace::new(&trace(), 0);
    let options =
        ["--users", "100", "--pacing", "closed", "--duration", "2s", "--no-probe", "--quiet"];
    let command = place.command(&server.url(), &options);
    let limited = |most: &str, more: &[&str]| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {most}; exec \"$0\" \"$@\""));
        shell.arg(command.get_program()).args(command.get_args()).args(more);
        place.ran(shell.output().unwrap())
    };
    let ran = limited("265", &[]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("shared among 2 processes"), "{}", ran.stderr);
    let run = ran.checked();
    assert_eq!(run.config.users, 100);
    assert_eq!(run.personas.iter().map(|persona| persona.users).sum::<u64>(), 100);
    let alone = limited("265", &["--processes", "1", "--force"]);
    assert_eq!(alone.code, Some(2));
    assert!(alone.stderr.contains("65 fit"), "{}", alone.stderr);
    let many = place
        .run(&server.url(), &["--users", "2", "--duration", "1s", "--processes", "9", "--dry-run"]);
    assert_eq!(many.code, Some(2));
    assert!(many.stderr.contains("9 processes are too many for 2 users"), "{}", many.stderr);
}

const FOR_LONG: [&str; 9] =
    ["--users", "40", "--pacing", "closed", "--duration", "10m", "--processes", "2", "--no-probe"];

/// A lead with its two parts, all of them sending.
fn begun(place: &Workplace, server: &Server, options: &[&str]) -> (Child, Vec<i32>) {
    let all = [&FOR_LONG, options].concat();
    let mut command = place.command(&server.url(), &all);
    let mut lead = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while server.peers().into_iter().collect::<std::collections::BTreeSet<_>>().len() < 2 {
        assert_eq!(lead.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = lead.id();
    // In the order of their numbers, which is that of their starts.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    (lead, children.split_whitespace().map(|pid| pid.parse().unwrap()).collect())
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn a_part_that_is_lost_makes_the_run_invalid_and_the_others_end_well() {
    let server = server();
    let place = Workplace::new(&trace(), 0);
    let (mut lead, parts) = begun(&place, &server, &["--quiet"]);
    // A second of it is told of.
    let told = place.path("out.parts/2/timeline.csv");
    while fs::read_to_string(&told).unwrap_or_default().lines().count() < 4 {
        std::thread::sleep(Duration::from_millis(10));
    }
    kill(parts[1], Signal::KILL);
    kill(lead.id().cast_signed(), Signal::TERM);
    assert_eq!(lead.wait().unwrap().code(), Some(143));
    let reader = RunReader::open(&place.path("out")).unwrap();
    let run = reader.run();
    assert_eq!(run.validity.state, ValidityState::Invalid);
    let lost = "shard 2/2 was lost: its process was ended by signal 9 after second ";
    let reason = run.validity.reasons.iter().find(|reason| reason.starts_with(lost));
    let reason = reason.unwrap_or_else(|| panic!("{:?}", run.validity.reasons));
    let users = 40 - run.config.users;
    assert!(reason.ends_with(&format!("and with it {users} of 40 users")), "{reason}");
    assert_eq!(run.ended_by, Some(EndedBy::Signal(15)));
    // What it measured is still there.
    assert!(place.path("out.parts/2/run.json").is_file());
}

#[test]
fn parts_whose_lead_is_gone_end() {
    let server = server();
    let place = Workplace::new(&trace(), 0);
    let (mut lead, parts) = begun(&place, &server, &[]);
    lead.kill().unwrap();
    lead.wait().unwrap();
    for part in parts {
        while fs::exists(format!("/proc/{part}")).unwrap() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    for part in ["out.parts/1", "out.parts/2"] {
        let reader = RunReader::open(&place.path(part)).unwrap();
        assert_eq!(reader.run().ended_by, Some(EndedBy::Signal(1)));
    }
}

#[test]
fn a_condition_to_stop_is_of_all_parts_together() {
    // Every other request of all fails, whichever part it is of.
    let asked = std::sync::atomic::AtomicU64::new(0);
    let server = Server::start(move |_| {
        match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 {
            0 => Answer::Json(500, "{}".into()),
            _ => Answer::Json(200, "{}".into()),
        }
    });
    let place = Workplace::new(&trace(), 0);
    let options = [&FOR_LONG[..], &["--stop-on", "failures > 40%"]].concat();
    let ran = place.run(&server.url(), &options);
    let run = ran.checked();
    assert_eq!(run.ended_by, Some(EndedBy::StopOn("failures > 40%".to_owned())));
    assert!(run.elapsed_s > 9.0 && run.elapsed_s < 300.0, "{}", run.elapsed_s);
    assert_eq!(run.config.users, 40);
    // The seconds of both were shown as they went.
    assert!(ran.stderr.contains("40 users"), "{}", ran.stderr);
}
