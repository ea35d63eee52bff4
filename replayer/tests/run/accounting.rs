//! Nothing is lost, and failure is failure.

use run_log::outcome::Outcome;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use run_log::format::{EndedBy, Judgement, MINOR_OF_ALL, State};
use run_log::stats::StatsRow;

use crate::support::trace::{answer, request};
use crate::support::{Answer, Server, TraceBuilder, Workplace, judged_but_for_lag};

#[test]
fn every_fault_leaves_exactly_one_outcome_a_request() {
    let paths = ["/ok", "/500", "/close", "/short", "/garbage", "/close-after", "/slow"];
    let mut trace = TraceBuilder::default();
    for session in 0..10 {
        let steps: Vec<(u64, &str, &str)> = (0..21)
            .map(|step| (session * 3 + step * 20, "GET", paths[step as usize % paths.len()]))
            .collect();
        trace = trace.session(&format!("s{session}"), &steps);
    }
    let server = Server::start(|asked| match asked.path.as_str() {
        "/500" => Answer::JsonThenClose(500, "Internal Server Error".into()),
        "/close" => Answer::RawThenClose(vec![]),
        "/short" => {
            Answer::RawThenClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec())
        }
        "/garbage" => Answer::RawThenClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        "/close-after" => Answer::JsonThenClose(200, "{}".into()),
        "/slow" => Answer::Silence,
        _ => Answer::Json(200, "{}".into()),
    });
    let place = Workplace::new(&trace, 0);
    let ran = place.run(
        &server.url(),
        &["--no-probe", "--request-timeout", "300ms", "--grace", "2s", "--quiet"],
    );
    let run = ran.checked();
    let outcomes = run.totals.outcomes;
    assert_eq!(run.totals.planned, 210);
    assert!(outcomes[Outcome::Completed] >= 60 && outcomes[Outcome::Reset] >= 60, "{outcomes:?}");
    assert!(outcomes[Outcome::TimedOut] + outcomes[Outcome::CutOff] >= 10, "{outcomes:?}");
    assert!(run.totals.failed_status >= 20, "{outcomes:?}");
    let sent = run.totals.planned_sent + run.totals.extra.sum();
    // A request may be lost on a connection that the server closed without a word.
    let asked = server.asked().len() as u64;
    let lost = outcomes[Outcome::Reset] + run.totals.extra.retries;
    assert!((asked..=asked + lost).contains(&sent), "{sent} sent, {asked} counted, {lost} lost");
}

#[test]
fn what_timed_out_is_in_the_mean_and_in_the_tables_as_long_as_it_had_waited() {
    // Nine sessions are answered, and one in ten requests waits for ever.
    let mut trace = TraceBuilder::default();
    for session in 0..10 {
        let path = if session == 0 { "/hang" } else { "/ok" };
        trace = trace.session(&format!("s{session}"), &[(session * 20, "GET", path)]);
    }
    let server = Server::start(|asked| match asked.path.as_str() {
        "/hang" => Answer::Silence,
        _ => Answer::Json(200, "{\"n\":1}".into()),
    });
    let place = Workplace::new(&trace, 0);
    let scenario = place.scenario("expect = [\"mean < 100ms\"]\n[load]\nclones = 1");
    let options = ["--no-probe", "--scenario", &scenario];
    let ran = place.run(&server.url(), &[&options[..], &["--request-timeout", "2s"]].concat());
    let run = ran.checked();
    assert_eq!(run.totals.outcomes[Outcome::TimedOut], 1);
    let verdict = judged_but_for_lag(&ran.reader()).verdicts[0].record();
    assert_eq!(verdict.result, Judgement::Missed, "200 ms or more: {verdict:?}");
    assert!(verdict.measured.starts_with("≥ "), "{verdict:?}");
    assert!(run.limitations.iter().any(|text| text.contains("stats.csv")), "{run:?}");

    let rows: Vec<StatsRow> = ran.reader().stats().unwrap().map(Result::unwrap).collect();
    let of = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let (hang, all) = (of("/hang"), of("Aggregated"));
    assert!(hang.p50_ms >= 2000.0 && hang.max_ms >= 2000.0, "{hang:?}");
    assert_eq!(hang.average_bytes, 0.0);
    assert!(all.p95_ms >= 2000.0 && all.p100_ms >= 2000.0 && all.average_ms >= 200.0, "{all:?}");
    assert!(all.min_ms < 2000.0 && all.average_bytes == 7.0, "{all:?}");

    // Where all were answered, nothing is said of bounds.
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let run = place.run(&server.url(), &["--no-probe", "--force"]).checked();
    assert!(!run.limitations.iter().any(|text| text.contains("stats.csv")), "{run:?}");
}

#[test]
fn a_target_that_is_not_there_is_reported_before_any_load() {
    let trace = TraceBuilder::default().session("s", &[(0, "GET", "/")]);
    let place = Workplace::new(&trace, 0);
    // Bound and dropped: nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = place.run(&format!("http://{address}"), &[]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("is the target up?"), "{}", ran.stderr);
    let ran = place.run(&format!("http://{address}"), &["--no-probe"]);
    assert_eq!(ran.checked().totals.outcomes[Outcome::ConnectFailed], 1);
}

#[test]
fn a_trace_of_refusals_replays_as_failures() {
    let mut trace = TraceBuilder::default();
    for n in 0..40 {
        let path = if n % 4 == 0 { "/ok" } else { "/refused" };
        let mut request = request(&format!("r{n}"), "s", n * 5, "GET", path);
        answer(&mut request).status = if n % 4 == 0 { 200 } else { 405 };
        trace.requests.push(request);
    }
    let server = Server::start(|asked| {
        Answer::Json(if asked.path == "/ok" { 200 } else { 405 }, "{}".into())
    });
    let place = Workplace::new(&trace, 0);
    let scenario =
        place.scenario("expect = [\"p95 < 200ms\", \"failures < 1%\"]\n[load]\nclones = 1");
    let ran = place.run(&server.url(), &["--no-probe", "--scenario", &scenario]);
    assert_eq!(ran.code_but_for_lag(), Some(10), "{}", ran.stdout);
    let run = ran.checked();
    assert_eq!(run.totals.failed_status, 30);
    assert_eq!(run.fidelity.same_status, 40, "fidelity turns no failure into a success");
    assert!(ran.stdout.contains("failures < 1%: 75.000 %"), "{}", ran.stdout);
    let verdicts = judged_but_for_lag(&ran.reader()).verdicts;
    assert_eq!(verdicts[1].result, Judgement::Missed);
    assert_eq!(verdicts[0].note, "latency is not judged where 75.000 % of the requests fail");
}

#[test]
fn a_recording_that_had_failed_is_as_faithful_as_it_is_bad() {
    let recorded = |refused: u64| {
        let mut trace = TraceBuilder::default();
        for n in 0..40 {
            let path = if n < refused { "/refused" } else { "/ok" };
            let mut request = request(&format!("r{n}"), "s", n * 5, "GET", path);
            answer(&mut request).status = if n < refused { 405 } else { 200 };
            trace.requests.push(request);
        }
        trace
    };
    let server = Server::start(|asked| {
        Answer::Json(if asked.path == "/ok" { 200 } else { 405 }, "{}".into())
    });
    let told = |run: &run_log::format::Run| {
        run.limitations
            .iter()
            .filter(|text| text.contains("recorded answers were failures"))
            .count()
    };
    // Without shapes in the trace, an answer that has one is another: only the status is compared.
    let place = Workplace::new(&recorded(30), 0);
    let options = ["--no-probe", "--verify", "--min-fidelity", "0"];
    let ran = place.run(&server.url(), &options);
    let run = ran.checked();
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stdout);
    assert_eq!((run.fidelity.same_status, run.fidelity.same_failures), (40, 30));
    assert_eq!(told(&run), 1, "{:?}", run.limitations);
    assert!(ran.stdout.contains("of 40 answers"), "{}", ran.stdout);
    assert!(ran.stdout.contains("; 30 of them failures, as recorded\n"), "{}", ran.stdout);

    let place = Workplace::new(&recorded(0), 0);
    let ran = place.run(&server.url(), &options);
    assert_eq!(told(&ran.checked()), 0);
    assert!(!ran.stdout.contains("failures, as recorded"), "{}", ran.stdout);
}

#[test]
fn closed_pacing_waits_for_each_answer_and_keeps_the_think_time() {
    let steps: Vec<(u64, &str, &str)> = (0..10).map(|step| (step * 50, "GET", "/")).collect();
    let trace = TraceBuilder::default().session("s", &steps);
    let server =
        Server::start(|_| Answer::Late(std::time::Duration::from_millis(100), 200, "{}".into()));
    let place = Workplace::new(&trace, 0);
    let options = ["--no-probe", "--pacing", "closed", "--users", "1", "--duration", "2s"];
    let run = place.run(&server.url(), &options).checked();
    // 49 ms of think time and 100 ms of service, no think time where a session begins anew: at
    // most 15 in 2 s, however fast the machine.
    assert!(run.totals.planned <= 15, "{}", run.totals.planned);
    assert_eq!(run.totals.planned, server.asked().len() as u64);
    assert_eq!(run.totals.outcomes[Outcome::Completed], run.totals.planned);
}

#[test]
fn an_interrupt_lets_what_is_under_way_end_and_writes_everything() {
    let steps: Vec<(u64, &str, &str)> = (0..1000).map(|step| (step * 20, "GET", "/")).collect();
    let trace = TraceBuilder::default().session("s", &steps);
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&trace, 0);
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut child = place
            .command(&server.url(), &["--no-probe", "--force"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let output = child.wait_with_output().unwrap();
        let ran = place.ran(output);
        assert_eq!(ran.code, Some(code), "{rest:?}");
        let run = ran.checked();
        assert_eq!(run.state, State::Finished);
        assert!(matches!(run.ended_by, Some(EndedBy::Signal(_))));
        assert!(run.totals.planned < 1000);
    }
}

#[test]
fn a_killed_run_keeps_what_it_has_and_reads_as_incomplete() {
    let steps: Vec<(u64, &str, &str)> = (0..1000).map(|step| (step * 20, "GET", "/")).collect();
    let trace = TraceBuilder::default().session("s", &steps);
    let served = std::sync::Arc::new(AtomicU64::new(0));
    let count = std::sync::Arc::clone(&served);
    let server = Server::start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Answer::Json(200, "{}".into())
    });
    let place = Workplace::new(&trace, 0);
    let mut child =
        place.command(&server.url(), &["--no-probe"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let reader = run_log::reader::RunReader::open(&place.path("out")).unwrap();
    assert_eq!(reader.run().state, State::Running);
    assert_eq!(reader.run().minor, MINOR_OF_ALL, "what it holds already is of this minor");
    let kept: u64 = reader.seconds().unwrap().map(|second| second.unwrap().done()).sum();
    assert!(kept > 0 && kept <= served.load(Ordering::Relaxed));
}
