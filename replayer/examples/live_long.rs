//! Serves the live view of a run that nobody made: SECONDS of 200 endpoints at once, then a second a
//! second until a stop is asked for. For the check of the page in a browser (`make test-live`).
//!
//!     live_long ADDRESS SECONDS

use std::process::ExitCode;
use std::time::{Duration, Instant};

use common_net::signals::Interrupt;
use figures::{Histograms, Names};
use replayer::engine::Tick;
use replayer::live::View;
use replayer::measure::Collector;
use run_log::format::{ErrorSample, LatencyKind, Run, Scope, Tag, TargetSample};
use run_log::outcome::Outcome;
use run_log::timeline::Second;
use tokio::runtime::Builder;
use tokio::sync::watch;

const ENDPOINTS: usize = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, seconds] = &arguments[..] else {
        eprintln!("usage: live_long ADDRESS SECONDS");
        return ExitCode::from(2);
    };
    let address = address.parse().expect("an address such as 127.0.0.1:0");
    let seconds: u64 = seconds.parse().expect("a number of seconds");
    serve(address, seconds);
    ExitCode::SUCCESS
}

fn serve(address: replayer::live::LiveAddress, seconds: u64) {
    let golden = include_str!("../../fixtures/runs/01-baseline/run.json");
    let mut run: Run = serde_json::from_str(golden).expect("it is one");
    run.endpoints = (0..ENDPOINTS).map(|n| format!("GET /things/{n}/{{id}}/parts")).collect();
    let view = View::open(address).expect("a free port");
    let start = Instant::now();
    let expectations: Vec<_> =
        ["p95 < 200ms", "failures < 1%", "GET /things/7/{id}/parts: p99 < 1s"]
            .iter()
            .map(|text| text.parse().expect("it is one"))
            .collect();
    let mut watched = view.begin(&run, None, vec![1_000; 3_600], &expectations, start);
    let names = Names { endpoints: run.endpoints.clone(), personas: Vec::new() };
    let mut collector = Collector::new(names, 0);
    let (_signals, none) = watch::channel(Interrupt::None);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut asked = view.interrupts(none);
        for n in 0.. {
            let (row, histograms) = second(n);
            collector.add_second(&row, histograms, run.plateau);
            let observed = [TargetSample {
                second: n,
                metric: "target.cpu_percent".into(),
                value: (n % 90) as f64,
            }];
            let errors = errors(&run, n);
            let tick = Tick {
                row: &row,
                collector: &collector,
                planned_end: None,
                errors: &errors,
                observed: &observed,
                workers: &[],
            };
            watched.second(&tick);
            // The server may be no further behind than its queue is long.
            let pause = Duration::from_millis(if n < seconds { 5 } else { 1000 });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Ok(()) = asked.changed() => break,
            }
        }
    });
}

/// A second in which each endpoint answers a few times, in times that differ.
fn second(n: u64) -> (Second, Histograms) {
    let mut histograms = Histograms::default();
    let mut row = Second {
        second: n,
        users: (n + 1).min(500),
        in_flight: 20 + n % 7,
        generator_cpu_percent: 12.5,
        generator_rss_bytes: 64 << 20,
        ..Second::default()
    };
    for endpoint in 0..ENDPOINTS {
        let scope = Scope::Endpoint(endpoint);
        for request in 0..5_u32 {
            let us = 2_000 + (endpoint as u32 * 37 + request * 911 + n as u32 * 13) % 90_000;
            let is_failed = endpoint % 20 == 3 && request == 0 && n.is_multiple_of(10);
            let kind =
                if is_failed { LatencyKind::ResponseFailed } else { LatencyKind::ResponseOk };
            histograms.record(Tag { scope, kind }, us);
            histograms.record(Tag { scope, kind: LatencyKind::Lag }, us / 100);
            row.outcomes[Outcome::Completed] += 1;
            row.failed_status += u64::from(is_failed);
        }
    }
    row.sent = row.done();
    row.ready = row.done();
    (row, histograms)
}

fn errors(run: &Run, n: u64) -> Vec<ErrorSample> {
    let of = |endpoint: &String| ErrorSample {
        second: n,
        endpoint: endpoint.clone(),
        persona: "p".to_owned(),
        outcome: "completed".to_owned(),
        status: Some(503),
        body: Some("busy".to_owned()),
        check: None,
        lacks: None,
    };
    if n == 0 { run.endpoints.iter().skip(3).step_by(20).map(of).collect() } else { Vec::new() }
}
