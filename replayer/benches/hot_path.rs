//! What a request costs in each part of the replayer, without the kernel's share.
//!
//! `cargo bench -p replayer`

use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use figures::Histograms;
use http1::framing::{Limits, Method, decode_all};
use replayer::measure::{FidelityCheck, Sample, record};
use replayer::pacer::Pacer;
use replayer::prepare::{Piece, Selection, prepare};
use replayer::time::Clock;
use run_log::outcome::Outcome;
use tokio::time::Instant;
use trace::reader::TraceReader;

fn golden() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/traces/personas.trace.jsonl")
}

/// A thousand sleepers, woken in the order of their deadlines.
fn pacer(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("pacer");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("insert and wake 1000", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let clock = Clock::starting(Instant::now());
                let pacer = Pacer::new(clock).unwrap();
                let far = clock.now() + Duration::from_secs(3600);
                let sleeps =
                    (0..1000_u64).map(|number| pacer.until(far + Duration::from_micros(number)));
                let mut sleeps: Vec<_> = sleeps.map(Box::pin).collect();
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                for sleep in &mut sleeps {
                    let _ = black_box(sleep.as_mut().poll(&mut context));
                }
                pacer.wake_all();
                for sleep in &mut sleeps {
                    assert!(sleep.as_mut().poll(&mut context).is_ready());
                }
            });
        });
    });
    group.finish();
}

fn histogram(criterion: &mut Criterion) {
    let mut histograms = Histograms::default();
    let mut sample = Sample {
        endpoint: 3,
        persona: 1,
        outcome: Outcome::Completed,
        status: 200,
        is_failed: false,
        missed_check: None,
        was_sent: true,
        second: 0,
        ready_second: Some(0),
        response_us: 1200,
        service_us: Some(900),
        queue_us: 10,
        connect_us: None,
        session_delay_us: Some(5),
        lag_us: 60,
        left_late: false,
        body_bytes: 300,
        fidelity: FidelityCheck::Status { same: true },
        is_rebound: false,
        lacks_by_target: false,
    };
    criterion.bench_function("histogram record", |bencher| {
        bencher.iter(|| {
            sample.response_us = sample.response_us.wrapping_mul(5) % 100_000;
            record(&mut histograms, black_box(&sample));
        });
    });
}

fn patching(criterion: &mut Criterion) {
    let plan = prepare(&golden(), "http://127.0.0.1:8080", &Selection::default(), 1 << 30).unwrap();
    let requests = plan.sessions[0].body.begin().unwrap();
    let (mut out, mut body) = (Vec::new(), Vec::new());
    let mut group = criterion.benchmark_group("request patching");
    group.throughput(Throughput::Elements(requests.len() as u64));
    group.bench_function("a session of the golden trace", |bencher| {
        bencher.iter(|| {
            for request in requests.iter() {
                let rendered = request.template.render(&mut out, &mut body, |piece, out| {
                    if let Piece::Value { .. } = piece {
                        out.extend_from_slice(b"8c1d2f00-0000-4000-8000-0123456789ab");
                    }
                    Ok::<_, ()>(())
                });
                rendered.unwrap();
                black_box(&out);
            }
        });
    });
    group.finish();
}

fn parsing(criterion: &mut Criterion) {
    let body = "x".repeat(300);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\n\
         Content-Type: application/json\r\nContent-Length: 300\r\nConnection: keep-alive\r\n\r\n{body}"
    );
    let mut group = criterion.benchmark_group("response parsing");
    group.throughput(Throughput::Bytes(answer.len() as u64));
    group.bench_function("300 bytes of JSON", |bencher| {
        bencher.iter(|| {
            let decoded =
                decode_all(black_box(answer.as_bytes()), Method::Other, Limits::default());
            black_box(decoded.unwrap());
        });
    });
    group.finish();
}

fn decoding(criterion: &mut Criterion) {
    let bytes = std::fs::read(golden()).unwrap();
    let count = TraceReader::open(&golden()).unwrap().finish().unwrap().requests;
    let mut group = criterion.benchmark_group("trace decoding");
    group.throughput(Throughput::Elements(count));
    group.bench_function("the golden trace", |bencher| {
        bencher.iter(|| {
            let input = Box::new(Cursor::new(bytes.clone()));
            let reader = TraceReader::from_input(Path::new("golden"), input).unwrap();
            black_box(reader.finish().unwrap());
        });
    });
    group.finish();
}

criterion_group!(benches, pacer, histogram, patching, parsing, decoding);
criterion_main!(benches);
