//! A stall is charged to every request that would have met it.

use run_log::outcome::Outcome;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use run_log::format::{LatencyKind, Scope};

use crate::support::{Answer, Server, TraceBuilder, Workplace};

/// A target that answers in 1 ms and freezes 1 s in every 5 s, asked 500 times a second
/// for 20 s. By arithmetic, of every 2,500 requests 500 meet the freeze and wait 0 to
/// 1,000 ms, evenly: p90 is 500 ms in, p99 950 ms in. A tool that waits for answers
/// before it goes on would send a few slow requests and show a p90 of milliseconds.
#[test]
fn a_freeze_is_seen_by_every_request_that_would_have_met_it() {
    let sessions = 50;
    let mut trace = TraceBuilder::default();
    for session in 0..sessions {
        let steps: Vec<(u64, &str, &str)> =
            (0..200).map(|step| (2 * session + step * 100, "GET", "/")).collect();
        trace = trace.session(&format!("s{session}"), &steps);
    }
    let begun = Instant::now();
    let server = Server::start(move |_| {
        // Frozen from 2 s to 3 s, 7 s to 8 s, and so on.
        let into = begun.elapsed().as_millis() as u64 % 5000;
        let frozen = if (2000..3000).contains(&into) { 3000 - into } else { 0 };
        Answer::Late(Duration::from_millis(frozen + 1), 200, "{}".into())
    });
    let ran = Workplace::new(&trace, 0).run(&server.url(), &["--no-probe"]);
    let run = ran.checked();
    assert_eq!(run.totals.planned, 10_000);
    assert_eq!(run.totals.outcomes[Outcome::Completed], 10_000, "{}", ran.stderr);

    let mut all = Histogram::<u64>::new(3).unwrap();
    for interval in ran.reader().intervals().unwrap() {
        let interval = interval.unwrap();
        if matches!(interval.tag.scope, Scope::Endpoint(_))
            && interval.tag.kind == LatencyKind::ResponseOk
        {
            all.add(interval.histogram).unwrap();
        }
    }
    let ms = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
    println!("p50 {} ms, p90 {} ms, p99 {} ms", ms(0.5), ms(0.9), ms(0.99));
    // A busy machine makes it slower, never faster; to the millisecond it is on paused time, in
    // the engine's tests.
    assert!(ms(0.9) > 459.0, "p90 {} ms", ms(0.9));
    assert!(ms(0.99) > 857.0, "p99 {} ms", ms(0.99));
}
