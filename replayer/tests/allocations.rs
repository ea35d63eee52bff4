//! What a request costs in allocations: nothing, once its session runs. A binary of its own,
//! because the allocator counts for all of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use clap::Parser as _;
use trace::format::{
    Answer, Capture, CaptureFrom, FORMAT, Header, PersonaWeight, Request, Source, SourceKind,
    VERSION,
};
use trace::writer::TraceWriter;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// With a body of so many bytes and a little more.
fn answer(size: usize) -> &'static [u8] {
    let body = format!("{{\"id\":\"one\",\"rest\":\"{}\"}}", "x".repeat(size));
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
    format!("{head}: {length}\r\n\r\n{body}").leak().as_bytes()
}

/// A server that allocates nothing for a request, and answers after this time.
fn serve(answer: &'static [u8], after: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // Closed pacing: no request comes before the answer to the one before it.
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    std::thread::sleep(after);
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
        }],
        personas: vec![PersonaWeight { name: "visitor".into(), weight: 1.0 }],
        redaction: vec![],
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

/// The most bytes that were allocated at once.
fn most_at_once(folder: &Path, address: SocketAddr, requests: u64, users: u64) -> usize {
    let _profiler = dhat::Profiler::builder().testing().build();
    replay(folder, address, requests, users);
    dhat::HeapStats::get().max_bytes
}

/// What is written once a second allocates, whatever the rate: half of one a request is room for
/// that on a slow machine, and for nothing of a request's.
#[test]
fn a_request_in_steady_state_allocates_nothing() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let folder = tempfile::TempDir::new().unwrap();
    write_trace(&folder.path().join("t.jsonl"), 2_000, usize::MAX);
    std::fs::write(folder.path().join("manifest.json"), MANIFEST).unwrap();
    let address = serve(answer(2), Duration::ZERO);
    // The first pays for what is made once.
    allocated(folder.path(), address, 1000);
    let few = allocated(folder.path(), address, 5_000);
    let many = allocated(folder.path(), address, 25_000);
    let each = (many as f64 - few as f64) / 20_000.0;
    assert!(each < 0.5, "{each} allocations a request ({few} in 5,000, {many} in 25,000)");
}

/// All users wait for an answer at the same time, and then it comes, of 28 KiB, and something is
/// looked for in it. Before memory was shared it was 65 KiB a user, and it is 6. The answers take
/// long, so that histograms reach as far for few users as for many.
#[test]
fn a_user_costs_little_however_large_the_answers_are() {
    let folder = tempfile::TempDir::new().unwrap();
    write_trace(&folder.path().join("t.jsonl"), 400, 20);
    std::fs::write(folder.path().join("manifest.json"), MANIFEST).unwrap();
    let address = serve(answer(28 << 10), Duration::from_millis(600));
    let [few, many] =
        [50, 350].map(|users| most_at_once(folder.path(), address, users * 3, users) as f64);
    let each = (many - few) / 300.0 / 1024.0;
    assert!(each < 12.0, "{each:.1} KiB a user ({few} bytes for 50, {many} for 350)");
}
