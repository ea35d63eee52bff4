//! A trace that does not fit into memory is read as it is needed.

use chrono::DateTime;
use run_log::outcome::Outcome;
use trace::format::{Body, FORMAT, Header, PersonaWeight, Source, SourceKind, VERSION};
use trace::writer::TraceWriter;

use crate::support::trace::request;
use crate::support::{Answer, Server, TraceBuilder, Workplace};

const BODY_KIB: u64 = 32;
const REQUESTS_A_SESSION: u64 = 4;

/// Writes a trace of about this size: 500 requests a second, in sessions that overlap.
fn write(place: &Workplace, mib: u64) -> u64 {
    let header = Header {
        format: FORMAT.into(),
        version: VERSION.into(),
        minor: 0,
        tool: "test".into(),
        started: DateTime::UNIX_EPOCH,
        sources: vec![Source {
            kind: SourceKind::Personas,
            seed: None,
            manifest: Some("sha256:11".into()),
            input: None,
            target: None,
            rewrites: Vec::new(),
        }],
        personas: vec![PersonaWeight { name: "visitor".into(), weight: 1.0 }],
        redaction: vec![],
        routes: vec![],
        failures: None,
        shapes: Default::default(),
    };
    let requests = mib * 1024 / BODY_KIB;
    let mut writer = TraceWriter::create(&place.path("t.trace.jsonl.zst"), &header).unwrap();
    let a_second = 500 / REQUESTS_A_SESSION;
    let mut written = 0;
    for tick in 0.. {
        for step in 0..REQUESTS_A_SESSION {
            // The session whose request of this number is sent at this tick.
            let begun = step * a_second / 16;
            let Some(session) = u64::checked_sub(tick, begun) else { continue };
            if session >= requests / REQUESTS_A_SESSION {
                continue;
            }
            let at_ms = tick * 1000 / a_second;
            let name = format!("s{session}");
            let mut line = request(&format!("{name}.{step}"), &name, at_ms, "POST", "/in");
            let text = format!("{session:08}");
            line.body = Some(Body::Text(text.repeat(BODY_KIB as usize * 1024 / text.len())));
            writer.write(&line).unwrap();
            written += 1;
        }
        if written == requests {
            break;
        }
    }
    writer.finish(0).unwrap();
    requests
}

/// Replays a trace of this size with this bound; returns the most memory that was used, in MiB.
fn replay(mib: u64, bound: &str) -> u64 {
    let place = Workplace::new(&TraceBuilder::default().session("s", &[(0, "GET", "/")]), 0);
    let requests = write(&place, mib);
    let server = Server::start_forgetful(|_| Answer::Json(200, "{}".into()));
    let options = ["--no-probe", "--quiet", "--max-trace-memory", bound];
    let held = place.run(&server.url(), &[&options[..], &["--clones", "2"]].concat());
    assert_eq!(held.code, Some(2), "{}", held.stderr);
    assert!(held.stderr.contains("--max-trace-memory"), "{}", held.stderr);
    most_memory(&place, &server, requests, &options)
}

/// What the process takes whatever it replays, its own code among it, in MiB.
fn base() -> u64 {
    let place = Workplace::new(&TraceBuilder::default().session("s", &[(0, "GET", "/")]), 0);
    let requests = write(&place, 1);
    let server = Server::start_forgetful(|_| Answer::Json(200, "{}".into()));
    most_memory(&place, &server, requests, &["--no-probe", "--quiet"])
}

fn most_memory(place: &Workplace, server: &Server, requests: u64, options: &[&str]) -> u64 {
    let ran = place.run(&server.url(), options);
    let run = ran.checked();
    assert_eq!(run.totals.planned, requests, "{}", ran.stderr);
    assert_eq!(run.totals.outcomes[Outcome::Completed], requests, "{:?}", run.totals);
    let most = ran.reader().seconds().unwrap().map(|row| row.unwrap().generator_rss_bytes).max();
    most.unwrap() >> 20
}

#[test]
fn a_trace_is_replayed_in_a_fraction_of_its_size() {
    let (used, base) = (replay(96, "24MiB"), base());
    let over = used - base;
    assert!(over < 32, "{over} MiB over the {base} of any, for a trace of 96 MiB");
}

/// The bar itself: `cargo nextest run -p replayer --release --run-ignored only large_trace`.
#[test]
#[ignore = "takes minutes and writes the trace of 2 GiB"]
fn two_gib_are_replayed_in_under_200_mib() {
    let used = replay(2048, "150MiB");
    println!("{used} MiB for a trace of 2 GiB");
    assert!(used < 200, "{used} MiB");
}

#[test]
fn sessions_that_overlap_too_much_are_refused_before_the_start() {
    let place = Workplace::new(&TraceBuilder::default().session("s", &[(0, "GET", "/")]), 0);
    write(&place, 32);
    let ran = place.run("http://127.0.0.1:9", &["--no-probe", "--max-trace-memory", "1MiB"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for word in ["overlap", "MiB are needed at once", "bound of 1 MiB", "--max-trace-memory"] {
        assert!(ran.stderr.contains(word), "{word:?} is not in {}", ran.stderr);
    }
}
