//! What a request costs in allocations: nothing, once its session runs. A binary of its own,
//! because the allocator counts for all of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use clap::Parser as _;
use trace::format::{
    Answer, Capture, CaptureFrom, FORMAT, Header, PersonaWeight, Request, Source, SourceKind,
    VERSION,
};
use trace::writer::TraceWriter;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const NONE_HERE: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// With a body of so many bytes and a little more.
fn answer(size: usize) -> &'static [u8] {
    let body = format!("{{\"id\":\"one\",\"rest\":\"{}\"}}", "x".repeat(size));
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
    format!("{head}: {length}\r\n\r\n{body}").leak().as_bytes()
}

/// A server that allocates nothing for a request, and answers once `before` returns.
fn serve(answer: &'static [u8], before: impl Fn() + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let before = Arc::new(before);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, before) = (stream.unwrap(), Arc::clone(&before));
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // Closed pacing: no request comes before the answer to the one before it.
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    let answer = if buffer.starts_with(b"GET /metrics") {
                        NONE_HERE
                    } else {
                        before();
                        answer
                    };
                    if stream.write_all(answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// A session of so many requests; a value is taken of each answer to one in `every`.
fn write_trace(path: &Path, requests: usize, every: usize) {
    let header = Header {
        format: FORMAT.into(),
        version: VERSION.into(),
        minor: 0,
        tool: "test".into(),
        started: chrono::DateTime::UNIX_EPOCH,
        sources: vec![Source {
            kind: SourceKind::Personas,
            seed: None,
            manifest: None,
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
    let mut writer = TraceWriter::create(path, &header).unwrap();
    for number in 0..requests {
        let id = Capture {
            name: "id".into(),
            from: CaptureFrom::Json { pointer: "/id".into(), lists: vec![] },
            secret: false,
        };
        let request = Request {
            id: format!("r{number}"),
            at: number as u64 * 1000,
            session: "s".into(),
            persona: Some("visitor".into()),
            account: None,
            name: "GET /".into(),
            http: "1.1".into(),
            method: "GET".into(),
            path: "/".into(),
            headers: vec![("Accept".into(), "application/json".into())],
            body: None,
            bind: vec![],
            after: vec![],
            prologue: false,
            result: trace::format::RecordedResult::Answer(Answer {
                status: 200,
                header_us: 100,
                total_us: 200,
                size: 2,
                shape: None,
                capture: if number % every == 0 { vec![id] } else { vec![] },
                body: None,
            }),
        };
        writer.write(&request).unwrap();
    }
    writer.finish(0).unwrap();
}

const MANIFEST: &str = r#"{"format":"seeder-manifest","version":1,"tool":"t","plan":{"name":"n",
"digest":"sha256:00"},"seed":1,"scale":1,"database":{"system_identifier":"1","name":"n",
"server_version":"15"},"bcrypt_costs":[],"tables":[],"digest":"sha256:00","accounts":[]}"#;

/// Replays so many requests by so many users.
fn replay(folder: &Path, address: SocketAddr, requests: u64, users: u64) {
    let [trace, manifest, out] =
        ["t.jsonl", "manifest.json", "run"].map(|name| folder.join(name).display().to_string());
    let (target, requests) = (format!("http://{address}"), requests.to_string());
    let cli = replayer::cli::Cli::parse_from([
        "replayer",
        "run",
        "--trace",
        &trace,
        "--manifest",
        &manifest,
        "--target",
        &target,
        "--out",
        &out,
        "--force",
        "--users",
        &users.to_string(),
        "--pacing",
        "closed",
        "--duration",
        "10m",
        "--max-requests",
        &requests,
        "--max-rate",
        "1000000000",
        "--threads",
        "1",
        "--no-probe",
        "--quiet",
    ]);
    cli.run(common_net::signals::watch).unwrap();
}

/// Blocks that were allocated while so many requests were replayed.
fn allocated(folder: &Path, address: SocketAddr, requests: u64) -> u64 {
    let before = dhat::HeapStats::get().total_blocks;
    replay(folder, address, requests, 4);
    dhat::HeapStats::get().total_blocks - before
}

/// Bytes that are allocated while so many users wait for an answer, all of whom have had some
/// of this size, of which something was looked for in the first.
fn held_by_waiting(folder: &Path, users: usize, size: usize) -> f64 {
    const ROUNDS: usize = 3;
    let (all_wait, held) = (Barrier::new(users), Arc::new(AtomicUsize::new(0)));
    let noted = Arc::clone(&held);
    let address = serve(answer(size), move || {
        if all_wait.wait().is_leader() {
            noted.store(dhat::HeapStats::get().curr_bytes, Ordering::Relaxed);
        }
    });
    let _profiler = dhat::Profiler::builder().testing().build();
    replay(folder, address, (users * ROUNDS) as u64, users as u64);
    held.load(Ordering::Relaxed) as f64
}

/// What is written once a second allocates, whatever the rate: half of one a request is room for
/// that on a slow machine, and for nothing of a request's.
#[test]
fn a_request_in_steady_state_allocates_nothing() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let folder = tempfile::TempDir::new().unwrap();
    write_trace(&folder.path().join("t.jsonl"), 2_000, usize::MAX);
    std::fs::write(folder.path().join("manifest.json"), MANIFEST).unwrap();
    let address = serve(answer(2), || ());
    // The first pays for what is made once.
    allocated(folder.path(), address, 1000);
    let few = allocated(folder.path(), address, 5_000);
    let many = allocated(folder.path(), address, 25_000);
    let each = (many as f64 - few as f64) / 20_000.0;
    assert!(each < 0.5, "{each} allocations a request ({few} in 5,000, {many} in 25,000)");
}

/// Thousands of users wait for an answer at a time: what they hold meanwhile must be small, and
/// not as large as the answers that they got before. It is 6 KiB each, and where every lane has
/// memory of its own 66. Beside it up to 2 MiB of bodies and of exchanges lie ready, more of it the
/// more answers the machine let come at once.
#[test]
fn a_user_who_waits_holds_little_however_large_the_answers_are() {
    const USERS: usize = 150;
    const MOST: f64 = 1024.0 * 1024.0 * (2.0 + 2.0 + 1.0) + 12.0 * 1024.0 * USERS as f64;
    let folder = tempfile::TempDir::new().unwrap();
    write_trace(&folder.path().join("t.jsonl"), 400, 20);
    std::fs::write(folder.path().join("manifest.json"), MANIFEST).unwrap();
    let held = held_by_waiting(folder.path(), USERS, 60 << 10);
    assert!(held < MOST, "{held} bytes of {MOST}");
}
