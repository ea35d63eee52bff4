//! What goes wrong on the way is one outcome a request, and the right one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use run_log::outcome::{Outcome, Outcomes};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

const OPTIONS: [&str; 2] = ["--no-probe", "--quiet"];

fn gets(count: u64) -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..count).map(|n| (n * 20, "GET", "/")).collect();
    TraceBuilder::default().session("s", &steps)
}

/// Serves each connection, a thread each, until the test ends.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads a request without body; false where the connection has ended.
fn read_head(stream: &mut impl Read) -> bool {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
        if line == "\r\n" {
            return true;
        }
        line.clear();
    }
    false
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// Answers over TLS with a certificate of its own for 127.0.0.1.
fn tls_server() -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    listen(move |mut socket| {
        let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        while read_head(&mut stream) && stream.write_all(OK).is_ok() {}
    })
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_a_tls_failure() {
    let place = Workplace::new(&gets(5), 0);
    let url = format!("https://{}", tls_server());
    let ran = place.run(&url, &[]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("tls-failed"), "{}", ran.stderr);

    let run = place.run(&url, &OPTIONS).checked();
    assert_eq!(run.totals.outcomes, Outcomes::from_iter([(Outcome::TlsFailed, 5)]));
    assert_eq!(run.totals.planned_sent, 0);

    let ran = place.run(&url, &[&OPTIONS[..], &["--insecure", "--force"]].concat());
    let run = ran.checked();
    assert_eq!(run.totals.outcomes, Outcomes::from_iter([(Outcome::Completed, 5)]));
    assert!(run.limitations.iter().any(|text| text.contains("not verified")));
}

#[test]
fn a_server_that_speaks_no_tls_is_a_tls_failure_too() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let url = server.url().replace("http:", "https:");
    let run = Workplace::new(&gets(5), 0).run(&url, &OPTIONS).checked();
    assert_eq!(run.totals.outcomes, Outcomes::from_iter([(Outcome::TlsFailed, 5)]));
}

#[test]
fn a_name_that_does_not_resolve_is_refused_before_the_start() {
    let place = Workplace::new(&gets(1), 0);
    // RFC 2606: there will never be such a name.
    let ran = place.run("http://target.invalid", &OPTIONS);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot resolve target.invalid"), "{}", ran.stderr);
    assert!(!place.path("out").exists());
}

#[test]
fn a_half_closed_connection_is_a_reset() {
    let address = listen(|mut stream| {
        read_head(&mut stream);
        stream.shutdown(Shutdown::Write).unwrap();
        // The other half stays open until the client has had enough.
        while read_head(&mut stream) {}
    });
    let run = Workplace::new(&gets(5), 0).run(&format!("http://{address}"), &OPTIONS).checked();
    assert_eq!(run.totals.outcomes, Outcomes::from_iter([(Outcome::Reset, 5)]));
    assert_eq!(run.totals.planned_sent, 5);
}

/// Closes the connection under its second request, as a server does whose idle time is up
/// while a request is on its way.
fn closes_under_the_second(stream: &mut TcpStream) {
    if read_head(stream) && stream.write_all(OK).is_ok() {
        read_head(stream);
    }
}

#[test]
fn what_is_idempotent_is_sent_again_where_a_used_connection_broke() {
    let address = listen(|mut stream| closes_under_the_second(&mut stream));
    let url = format!("http://{address}");
    let run = Workplace::new(&gets(6), 0).run(&url, &OPTIONS).checked();
    // Each but the first met the close, and came again on a connection of its own.
    assert_eq!(run.totals.outcomes, Outcomes::from_iter([(Outcome::Completed, 6)]));
    assert_eq!((run.totals.planned_sent, run.totals.extra.retries), (6, 5));

    let posts = [(0, "POST", "/"), (20, "POST", "/"), (40, "POST", "/"), (60, "POST", "/")];
    let trace = TraceBuilder::default().session("s", &posts);
    let run = Workplace::new(&trace, 0).run(&url, &OPTIONS).checked();
    assert_eq!(
        run.totals.outcomes,
        Outcomes::from_iter([(Outcome::Completed, 2), (Outcome::Reset, 2)])
    );
    assert_eq!((run.totals.planned_sent, run.totals.extra.retries), (4, 0));
}

#[test]
fn a_retry_counts_only_if_it_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // The first thing that the tool opens is to look for metrics.
        let (mut observer, _) = listener.accept().unwrap();
        read_head(&mut observer);
        observer.write_all(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n").unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        // A retry finds nobody listening.
        drop(listener);
        closes_under_the_second(&mut stream);
    });
    let run = Workplace::new(&gets(2), 0).run(&url, &OPTIONS).checked();
    let expected = Outcomes::from_iter([(Outcome::Completed, 1), (Outcome::ConnectFailed, 1)]);
    assert_eq!(run.totals.outcomes, expected);
    assert_eq!((run.totals.planned_sent, run.totals.extra.retries), (2, 0));
}

#[test]
fn an_early_answer_counts_as_an_answer() {
    // As one that refuses an upload: it answers to the head and closes.
    let address = listen(|mut stream| {
        read_head(&mut stream);
        let answer = b"HTTP/1.1 413 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        drop(stream.write_all(answer));
        drop(stream.shutdown(Shutdown::Write));
        std::io::copy(&mut stream, &mut std::io::sink()).ok();
    });
    let mut trace = TraceBuilder::default();
    for n in 0..3 {
        let mut upload =
            crate::support::trace::request(&format!("r{n}"), "s", n * 50, "POST", "/upload");
        upload.body = Some(trace::format::Body::Text("x".repeat(4 << 20)));
        trace.requests.push(upload);
    }
    let run = Workplace::new(&trace, 0).run(&format!("http://{address}"), &OPTIONS).checked();
    assert_eq!(run.totals.outcomes, Outcomes::from_iter([(Outcome::Completed, 3)]));
    assert_eq!(run.totals.failed_status, 3);
}

#[test]
fn after_a_500_whose_connection_closes_unannounced_nothing_is_lost() {
    let steps: Vec<(u64, &str, &str)> = (0..20)
        .map(|n| (n * 20, "POST", if n % 2 == 0 { "/acknowledge" } else { "/next" }))
        .collect();
    let server = Server::start(|asked| match asked.path.as_str() {
        "/acknowledge" => Answer::JsonThenClose(500, "Internal Server Error".into()),
        _ => Answer::Json(200, "{}".into()),
    });
    let trace = TraceBuilder::default().session("s", &steps);
    let run = Workplace::new(&trace, 0).run(&server.url(), &OPTIONS).checked();
    assert_eq!(run.totals.outcomes, Outcomes::from_iter([(Outcome::Completed, 20)]));
    assert_eq!(run.totals.failed_status, 10);
    // The first, and one after each close, which is noticed before sending.
    assert_eq!(run.totals.connections_opened, 11);
    assert_eq!(server.asked().len(), 20);
}

/// One of the faults, by number.
fn fault(number: usize, is_first: &AtomicBool) -> Answer {
    match number {
        0 => Answer::Json(200, "{}".into()),
        1 => Answer::Json(500, "{}".into()),
        2 => Answer::JsonThenClose(500, "{}".into()),
        3 => Answer::JsonThenClose(200, "{}".into()),
        4 => Answer::RawThenClose(vec![]),
        5 => Answer::RawThenClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec()),
        6 => Answer::RawThenClose(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz".to_vec(),
        ),
        7 => Answer::RawThenClose(b"\x15\x03\x01".to_vec()),
        8 => Answer::Late(std::time::Duration::from_millis(60), 200, "{}".into()),
        // One stall is enough: each takes the time-out.
        _ if is_first.swap(false, Ordering::Relaxed) => Answer::Silence,
        _ => Answer::Json(404, "{}".into()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn planned_is_the_sum_of_outcomes_whatever_the_target_does(
        steps in prop::collection::vec((0_u64..300, any::<bool>(), 0_usize..10), 1..30),
        sessions in 1_u64..4,
        closed in any::<bool>(),
    ) {
        let paths: Vec<String> = steps.iter().map(|(_, _, fault)| format!("/{fault}")).collect();
        let mut trace = TraceBuilder::default();
        for session in 0..sessions {
            let mut steps: Vec<(u64, &str, &str)> = steps
                .iter()
                .zip(&paths)
                .map(|((at, is_get, _), path)| (*at, if *is_get { "GET" } else { "POST" }, &**path))
                .collect();
            steps.sort_unstable();
            trace = trace.session(&format!("s{session}"), &steps);
        }
        let is_first = AtomicBool::new(true);
        let server =
            Server::start(move |asked| fault(asked.path[1..].parse().unwrap(), &is_first));
        let mut options = vec!["--no-probe", "--quiet", "--request-timeout", "500ms"];
        if closed {
            options.extend(["--pacing", "closed"]);
        }
        let run: Ran = Workplace::new(&trace, 0).run(&server.url(), &options);
        let run = run.checked();
        prop_assert_eq!(run.totals.planned, sessions * steps.len() as u64);
        let sent = run.totals.planned_sent + run.totals.extra.of_users();
        let counted = server.asked().len() as u64;
        // What was sent may never arrive, on a connection that the server was closing.
        prop_assert!(counted <= sent, "{} counted, {} sent", counted, sent);
        prop_assert!(sent <= counted + run.totals.outcomes[Outcome::Reset] + run.totals.extra.retries);
    }
}

#[test]
fn samples_of_failing_answers_are_text_whatever_their_coding() {
    fn message() -> String {
        let lines =
            (0..400).map(|n: u64| format!("Maß {} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        lines.collect()
    }
    const PATHS: [&str; 5] = ["/gzip", "/large", "/plain", "/not-gzip", "/noise"];
    let steps = [0, 1, 2, 3, 4].map(|n| (n as u64 * 20, "GET", PATHS[n]));
    let trace = TraceBuilder::default().session("s", &steps);
    let server = Server::start(|asked| {
        let gzip = |text: &str| {
            let mut coder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            coder.write_all(text.as_bytes()).unwrap();
            coder.finish().unwrap()
        };
        let (coding, body) = match asked.path.as_str() {
            "/gzip" => ("gzip", gzip(r#"{"error":"zu groß","password":"of-nobody"}"#)),
            "/large" => ("gzip", gzip(&message())),
            "/plain" => ("identity", format!("x{}", "ß".repeat(5000)).into_bytes()),
            "/not-gzip" => ("gzip", b"out of order".to_vec()),
            _ => ("gzip", vec![0xf5; 100]),
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 500 X\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
        );
        Answer::RawThenClose([head.into_bytes(), body].concat())
    });
    let place = Workplace::new(&trace, 0);
    let ran = place.run(&server.url(), &["--no-probe", "--quiet"]);
    let samples: Vec<_> = ran.reader().errors().unwrap().map(Result::unwrap).collect();
    let body = |path: &str| {
        let sample = samples.iter().find(|sample| sample.endpoint == format!("GET {path}"));
        sample.unwrap().body.clone()
    };
    assert_eq!(body("/gzip").unwrap(), r#"{"error":"zu groß","password":"[redacted]"}"#);
    let large = body("/large").unwrap();
    assert!((2045..=2048).contains(&large.len()), "{}", large.len());
    assert!(message().starts_with(&large), "{large}");
    assert_eq!(body("/plain").unwrap(), format!("x{}", "ß".repeat(1023)));
    assert_eq!(body("/not-gzip").unwrap(), "out of order");
    assert_eq!(body("/noise"), None);
}
