//! What was ready and got no answer had waited; what never became ready is load that was not held.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use figures::Reading;
use run_log::format::{Judgement, LatencyKind, LoadHeld, Run, ValidityState};
use run_log::outcome::Outcome;
use scenario::Percentile;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace, plateau};

const OPTIONS: [&str; 2] = ["--no-probe", "--quiet"];

/// A scenario with these expectations and this load; the options that name it.
fn scenario(place: &Workplace, expect: &str, load: &str) -> [String; 2] {
    let lines = format!("expect = [{expect}]\n[load]\n{load}");
    ["--scenario".to_owned(), place.scenario(&lines)]
}

fn run(place: &Workplace, target: &str, options: &[&[&str]]) -> Ran {
    place.run(target, &[&OPTIONS[..], &options.concat()].concat())
}

/// Sessions of which each request comes after the one before.
fn chained(sessions: u64, requests: u64, gap_ms: u64) -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..requests).map(|n| (n * gap_ms, "GET", "/")).collect();
    let trace = (0..sessions)
        .fold(TraceBuilder::default(), |trace, n| trace.session(&format!("s{n}"), &steps));
    trace.in_order()
}

/// Never accepts: two connections are taken by the kernel, all others hang.
fn listens_in_vain() -> (SocketAddr, tokio::runtime::Runtime, tokio::net::TcpListener) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.listen(1).unwrap()
    });
    (listener.local_addr().unwrap(), runtime, listener)
}

#[test]
fn connections_that_could_not_be_had_had_waited() {
    let (address, _runtime, _listener) = listens_in_vain();
    // The queue of the kernel is full before the run begins.
    let in_queue: Vec<TcpStream> = std::iter::from_fn(|| {
        TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
    })
    .collect();
    assert!(!in_queue.is_empty());
    let mut trace = TraceBuilder::default();
    for session in 0..20 {
        trace = trace.session(&format!("s{session}"), &[(session * 10, "GET", "/")]);
    }
    let place = Workplace::new(&trace, 0);
    let named = scenario(&place, "\"p50 < 400ms\", \"failures <= 100%\"", "clones = 1");
    let named = named.each_ref().map(String::as_str);
    let options = [&named[..], &["--connect-timeout", "500ms"]];
    let ran = run(&place, &format!("http://{address}"), &options);
    let read = ran.checked();
    assert_eq!(read.totals.outcomes[Outcome::ConnectFailed], 20);
    let censored = ran.recorded(LatencyKind::Censored);
    assert_eq!(censored.len(), 20);
    assert!(censored.min() >= 499_000, "{} µs", censored.min());
    assert!(ran.recorded(LatencyKind::Lost).is_empty());
    let p50 = plateau(&ran.reader(), &[]).all.responses.percentile(Percentile::P50);
    assert!(p50.at_least && p50.value >= Some(499_000.0), "{p50:?}");
    let verdict = &read.verdicts[0];
    assert_eq!(verdict.expectation, "p50 < 400ms");
    assert!(verdict.measured.starts_with("≥ "), "{verdict:?}");
    assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
}

#[test]
fn what_was_shed_is_in_the_percentiles_as_long_as_it_had_waited() {
    let server = Server::start(|_| Answer::Late(Duration::from_millis(400), 200, "{}".into()));
    let steps: Vec<(u64, &str, &str)> = (0..50).map(|n| (n * 20, "GET", "/")).collect();
    let place = Workplace::new(&TraceBuilder::default().session("s", &steps), 0);
    let ran = run(&place, &server.url(), &[&["--max-queue", "5"]]);
    let read = ran.checked();
    let shed = read.totals.outcomes[Outcome::Shed];
    assert!(shed > 25, "{:?}", read.totals.outcomes);
    assert_eq!(ran.recorded(LatencyKind::Censored).len(), shed);
    let responses = &plateau(&ran.reader(), &[]).all.responses;
    assert_eq!((responses.ok(), responses.censored()), (50 - shed, shed));
    // Most were shed: however long these would have taken, that is what half of them takes.
    assert!(responses.percentile(Percentile::P50).at_least);
    assert_eq!(responses.percentile_at_most(Percentile::P50), None);
    let held = LoadHeld { planned: 50, ready: 50 };
    assert_eq!(read.load_held, Some(held), "shed is what became ready and was too much");
    // As they became ready, not as a lane came to them to shed them.
    let rows = ran.reader().seconds().unwrap().map(Result::unwrap);
    let ready: Vec<u64> = rows.map(|row| row.ready).collect();
    assert_eq!(ready.iter().sum::<u64>(), 50);
    assert!(ready[0] >= 48, "all were due in second 0: {ready:?}");
}

#[test]
fn a_load_that_was_not_held_fails_the_run_and_its_latencies_are_of_what_was_let_through() {
    // By the plan 5 sessions of 40 requests in 2 s; by the target each request takes 225 ms.
    let server = Server::start(|_| Answer::Late(Duration::from_millis(225), 200, "{}".into()));
    let place = Workplace::new(&chained(5, 40, 50), 0);
    let load = "clones = 1\nduration = \"2s\"";
    let of = |expect: &str, more: &[&str]| {
        let named = scenario(&place, expect, load);
        let named = named.each_ref().map(String::as_str);
        run(&place, &server.url(), &[&named, &["--force", "--grace", "500ms"], more])
    };
    let ran = of("\"p50 < 1s\", \"failures <= 100%\"", &[]);
    let read = ran.checked();
    let LoadHeld { planned, ready } = read.load_held.unwrap();
    assert_eq!(planned, 200);
    // Each session begins one request every 274 ms, so 8 in 2 s, and fewer on a busy machine. The
    // last is ready 80 ms before the end: at 249 ms it was 8, and one that is ready at the end
    // itself may be cut off before it is sent.
    assert!((5..=45).contains(&ready), "{ready} of {planned}");
    let under_way = read.totals.outcomes[Outcome::CutOff] - read.totals.never_ready;
    assert!(under_way <= 5, "one a session: {:?}", read.totals);
    assert!(read.totals.never_ready > 100, "{:?}", read.totals);
    let asked = server.asked().len() as u64;
    assert_eq!(read.totals.never_ready + asked, planned, "what was not ready was not sent");
    // No time of these is anywhere in the latencies.
    assert_eq!(ran.recorded(LatencyKind::Censored).len(), under_way);
    assert_eq!(ran.recorded(LatencyKind::Lost).len(), read.totals.never_ready);
    assert_eq!(ran.recorded(LatencyKind::SessionDelay).len(), asked);
    // It is the target's doing, so that the run is none that measured the generator.
    assert_ne!(read.validity.state, ValidityState::Invalid, "{:?}", read.validity);
    assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
    let is_valid = read.validity.state == ValidityState::Valid;
    assert!(
        ran.stdout.contains("latencies are of the load that was let through"),
        "{}",
        ran.stdout
    );
    if is_valid {
        assert!(ran.stdout.starts_with("FAILED: not met: `load_held >= 98%`\n"), "{}", ran.stdout);
        let expectations: Vec<(&str, Judgement)> =
            read.verdicts.iter().map(|v| (v.expectation.as_str(), v.result)).collect();
        assert_eq!(
            expectations,
            [
                ("p50 < 1s", Judgement::Met),
                ("failures <= 100%", Judgement::Met),
                ("load_held >= 98%", Judgement::Missed),
            ]
        );
        let latency = &read.verdicts[0].measured;
        assert!(latency.ends_with("; of the load that was let through"), "{latency}");
    }

    let ran = of("\"load_held >= 5 %\", \"failures <= 100%\"", &[]);
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stdout);
    assert_eq!(ran.checked().verdicts.len(), 2, "the scenario says itself what is to be held");
}

#[test]
fn a_target_as_fast_as_recorded_holds_the_load_and_by_closed_pacing_there_is_none_to_hold() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    // Due within half a second, so that a busy machine leaves it in its second.
    let place = Workplace::new(&chained(3, 10, 50), 0);
    let read = run(&place, &server.url(), &[]).checked();
    assert_eq!(read.load_held, Some(LoadHeld { planned: 30, ready: 30 }));
    assert_eq!((read.minor, read.totals.never_ready), (run_log::format::MINOR_OF_ALL, 0));
    let ran = run(&place, &server.url(), &[&["--pacing", "closed", "--force"]]);
    let closed: Run = ran.checked();
    assert_eq!(
        (closed.load_held, closed.verdicts.len(), closed.minor),
        (None, 0, run_log::format::MINOR_OF_ALL)
    );
    assert_eq!(plateau(&ran.reader(), &[]).load_held(), Reading::NONE);
}
