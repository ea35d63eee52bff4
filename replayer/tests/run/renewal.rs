//! Tokens that end before the run does.

use run_log::outcome::Outcome;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use run_log::format::{EndedBy, LatencyKind};
use trace::format::{Binding, Body, Capture, CaptureFrom, Encoding, Origin, Part};

use crate::support::server::Asked;
use crate::support::trace::{answer, request};
use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

/// Where a login says when its token ends.
#[derive(Clone, Copy, PartialEq)]
enum Stated {
    No,
    ByToken,
    BesideIt,
}

/// Tokens that live so long; the requests with one that was over.
#[derive(Clone)]
struct Tokens {
    life: Duration,
    stated: Stated,
    made: Arc<Mutex<HashMap<String, Instant>>>,
    refused: Arc<Mutex<u64>>,
}

impl Tokens {
    fn new(life: Duration, stated: Stated) -> Self {
        Self { life, stated, made: Arc::default(), refused: Arc::default() }
    }

    fn login(&self) -> Answer {
        let mut made = self.made.lock().unwrap();
        let number = made.len();
        let token = match self.stated {
            Stated::ByToken => {
                let ends = SystemTime::now() + self.life;
                let exp = ends.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
                let claims = format!(r#"{{"sub":"{number}","exp":{exp}}}"#);
                format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
            }
            Stated::No | Stated::BesideIt => format!("token-{number}"),
        };
        made.insert(token.clone(), Instant::now());
        let beside = match self.stated {
            Stated::BesideIt => format!(r#","expires_in":{}"#, self.life.as_secs_f64()),
            Stated::No | Stated::ByToken => String::new(),
        };
        Answer::Json(200, format!(r#"{{"access_token":"{token}","refresh_token":"r"{beside}}}"#))
    }

    fn serve(&self, asked: &Asked) -> Answer {
        let token = asked.header("authorization").unwrap().trim_start_matches("Bearer ");
        let made = self.made.lock().unwrap();
        if made.get(token).is_some_and(|made| made.elapsed() < self.life) {
            return Answer::Json(200, "{}".into());
        }
        *self.refused.lock().unwrap() += 1;
        Answer::Json(401, "{}".into())
    }

    fn server(&self) -> Server {
        let tokens = self.clone();
        Server::start(move |asked| match asked.path.as_str() {
            "/login" => tokens.login(),
            _ => tokens.serve(asked),
        })
    }
}

/// A login, and a request each 100 ms for a second.
fn trace() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..10).map(|n| (n * 100, "GET", "/one")).collect();
    TraceBuilder::default().session_with_login("a", &steps)
}

fn logins(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| asked.path == "/login").collect()
}

#[test]
fn a_token_whose_end_is_known_is_renewed_ahead_of_it() {
    for stated in [Stated::ByToken, Stated::BesideIt] {
        let tokens = Tokens::new(Duration::from_secs(2), stated);
        let server = tokens.server();
        let place = Workplace::new(&trace(), 1);
        let options = ["--no-probe", "--users", "1", "--duration", "7s", "--threads", "1"];
        let run = place.run(&server.url(), &options).checked();
        assert_eq!(run.totals.outcomes[Outcome::Completed], run.totals.planned);
        assert_eq!(run.totals.failed_status, 0);
        // A token is good for two seconds, and is renewed in the second half of them.
        let renewals = run.totals.extra.renewals;
        assert!((1..=7).contains(&renewals), "{renewals}");
        // On a busy machine one may come late; those that come in time are refused nowhere.
        assert!(*tokens.refused.lock().unwrap() < renewals);
        let sent = run.totals.planned_sent + run.totals.extra.of_users();
        assert_eq!(sent, server.asked().len() as u64);
    }
}

#[test]
fn renewals_keep_to_the_login_rate_and_requests_wait_for_them() {
    let tokens = Tokens::new(Duration::from_secs(1), Stated::No);
    let server = tokens.server();
    let place = Workplace::new(&trace(), 4);
    let options = ["--no-probe", "--users", "20", "--duration", "5s", "--threads", "1"];
    let rate = ["--login-rate", "5/s", "--grace", "30s", "--max-queue", "100000"];
    let ran = place.run(&server.url(), &[&options[..], &rate].concat());
    let run = ran.checked();
    // 20 users want a token a second each. Every request waits for its user's own.
    assert_eq!(run.totals.outcomes[Outcome::Completed], run.totals.planned, "{}", ran.stderr);
    assert_eq!(run.totals.failed_status, 0);
    let renewals = run.totals.extra.renewals;
    assert!(renewals >= 20, "{renewals} renewals");
    assert!(renewals as f64 <= run.elapsed_s * 5.0 + 1.0, "{renewals} in {} s", run.elapsed_s);
    assert_eq!(logins(&server).len() as u64, renewals + 20);
    let is_listed = run.limitations.iter().any(|text| text.contains("--login-rate"));
    assert!(is_listed, "{:?}", run.limitations);
    assert_eq!(run.personas[0].users_per_account, 5);
}

#[test]
fn the_recorded_refresh_is_used_where_there_is_one() {
    let mut trace = trace();
    let login = trace.requests.iter_mut().find(|request| request.prologue).unwrap();
    answer(login).capture.push(Capture {
        name: "refresh_token".into(),
        from: CaptureFrom::Json { pointer: "/refresh_token".into(), lists: vec![] },
        secret: true,
    });
    let of = login.id.clone();
    let mut refresh = request("a.refresh", "a", 500, "POST", "/refresh");
    refresh.body = Some(Body::Text(r#"{"refresh_token":""}"#.into()));
    refresh.bind.push(Binding {
        part: Part::Body,
        start: 18,
        end: 18,
        from: Origin::Capture { of, name: "refresh_token".into() },
        encode: Encoding::Json,
        ambiguous: false,
    });
    answer(&mut refresh).capture.push(Capture {
        name: "access_token".into(),
        from: CaptureFrom::Json { pointer: "/access_token".into(), lists: vec![] },
        secret: true,
    });
    // What was sent after it was sent with its token.
    for later in trace.requests.iter_mut().filter(|request| request.at > 500_000) {
        for binding in &mut later.bind {
            if let Origin::Capture { of, .. } = &mut binding.from {
                *of = "a.refresh".into();
            }
        }
    }
    trace.requests.push(refresh);
    let tokens = Tokens::new(Duration::from_millis(700), Stated::BesideIt);
    let served = tokens.clone();
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/login" => served.login(),
        "/refresh" if asked.body == r#"{"refresh_token":"r"}"# => served.login(),
        "/refresh" => Answer::Json(400, asked.body.clone()),
        _ => served.serve(asked),
    });
    let place = Workplace::new(&trace, 1);
    let run =
        place.run(&server.url(), &["--no-probe", "--users", "1", "--duration", "4s"]).checked();
    assert_eq!(run.totals.failed_status, 0);
    assert_eq!(logins(&server).len(), 1, "the refresh does all the rest");
    assert!(run.totals.extra.renewals > 0);
    let asked = server.asked();
    let refreshes = asked.iter().filter(|asked| asked.path == "/refresh").count() as u64;
    assert_eq!(refreshes, run.totals.extra.renewals + 4, "one in each second is planned");
}

#[test]
fn a_refused_login_is_not_repeated_for_its_account_and_stops_the_run() {
    let tokens = Tokens::new(Duration::from_millis(500), Stated::No);
    let served = tokens.clone();
    let server = Server::start(move |asked| {
        if asked.path != "/login" {
            return served.serve(asked);
        }
        // All log in when they begin; later nobody does.
        match served.made.lock().unwrap().len() {
            0..12 => {}
            _ => return Answer::Json(423, r#"{"detail":"locked"}"#.into()),
        }
        served.login()
    });
    let place = Workplace::new(&trace(), 4);
    let options = ["--no-probe", "--users", "12", "--duration", "60s", "--threads", "2"];
    let ran = place.run(&server.url(), &options);
    let run = ran.checked();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(run.ended_by, Some(EndedBy::LoginsRefused));
    let mut by_account: HashMap<String, u64> = HashMap::new();
    for asked in logins(&server) {
        *by_account.entry(asked.body).or_default() += 1;
    }
    assert_eq!(by_account.len(), 4);
    // 3 users have each account, and each thread may be asking when it is refused.
    assert!(by_account.values().all(|&logins| logins <= 3 + 2), "{by_account:?}");
}

#[test]
fn a_login_that_is_too_busy_is_no_refusal() {
    let tokens = Tokens::new(Duration::from_secs(1), Stated::No);
    let served = tokens.clone();
    let busy = Mutex::new(0);
    let server = Server::start(move |asked| {
        if asked.path != "/login" {
            return served.serve(asked);
        }
        let mut busy = busy.lock().unwrap();
        *busy += 1;
        match *busy {
            2 => Answer::Json(503, "{}".into()),
            3 => Answer::Json(429, "{}".into()),
            _ => served.login(),
        }
    });
    let place = Workplace::new(&trace(), 1);
    let ran = place.run(&server.url(), &["--no-probe", "--users", "1", "--duration", "4s"]);
    let run = ran.checked();
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    assert_eq!(run.ended_by, Some(EndedBy::Duration));
    assert_eq!(run.totals.failed_status, 2, "those whose login was too busy");
}

#[test]
fn a_user_refused_with_a_new_token_too_does_not_log_in_again_for_it() {
    let steps = [(0, "GET", "/one"), (20, "GET", "/forbidden"), (40, "GET", "/two")];
    let trace = TraceBuilder::default().session_with_login("a", &steps);
    let tokens = Tokens::new(Duration::from_secs(60), Stated::No);
    let served = tokens.clone();
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/login" => served.login(),
        "/forbidden" => Answer::Json(401, "{}".into()),
        _ => served.serve(asked),
    });
    let place = Workplace::new(&trace, 1);
    let run =
        place.run(&server.url(), &["--no-probe", "--users", "1", "--duration", "2s"]).checked();
    assert!(run.totals.failed_status > 5);
    assert_eq!(logins(&server).len(), 2);
    assert_eq!((run.totals.extra.renewals, run.totals.extra.retries), (1, 1));
}

/// A login that takes long is the target's time, and nobody's wait for a connection.
#[test]
fn what_a_renewal_takes_is_no_queueing_and_its_bytes_are_counted() {
    let slow = Duration::from_millis(600);
    let logins = Arc::new(Mutex::new(0));
    let server = Server::start(move |asked| {
        if asked.path != "/login" {
            let is_old = asked.header("authorization") == Some("Bearer token-0");
            return Answer::Json(if is_old { 401 } else { 200 }, "{}".into());
        }
        let mut logins = logins.lock().unwrap();
        let token = format!(r#"{{"access_token":"token-{logins}","pad":"{}"}}"#, "x".repeat(5000));
        *logins += 1;
        Answer::Late(if *logins == 1 { Duration::ZERO } else { slow }, 200, token)
    });
    let steps = [(0, "GET", "/me")];
    let place = Workplace::new(&TraceBuilder::default().session_with_login("s", &steps), 1);
    let ran = place.run(&server.url(), &["--no-probe"]);
    let run = ran.checked();
    assert_eq!(run.totals.extra.renewals, 1, "{}", ran.stderr);
    assert!(run.totals.bytes_received > 10_000, "of both logins: {:?}", run.totals);
    let longest = longest_queue(&ran);
    assert!(longest < slow / 2, "{longest:?}");
}

/// A renewal that fails late is the target's time too: what queued behind it is not late by the
/// generator's fault.
#[test]
fn what_a_renewal_that_fails_takes_is_no_lag() {
    let slow = Duration::from_millis(1500);
    let logins = AtomicU64::new(0);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/login" if logins.fetch_add(1, Ordering::Relaxed) == 0 => {
            Answer::Json(200, r#"{"access_token":"token"}"#.into())
        }
        "/login" => Answer::Late(slow, 503, "{}".into()),
        _ => Answer::Json(401, "{}".into()),
    });
    let steps = [(0, "GET", "/me"), (100, "GET", "/me")];
    let place = Workplace::new(&TraceBuilder::default().session_with_login("s", &steps), 1);
    let ran = place.run(&server.url(), &["--no-probe"]);
    let run = ran.checked();
    assert_eq!(run.totals.extra.renewals, 2, "{}", ran.stderr);
    assert!(Duration::from_micros(run.lag.max_us) < slow / 2, "{:?} {:?}", run.lag, run.validity);
    assert!(longest_queue(&ran) < slow / 2, "nor is it the next one's wait for a connection");
}

fn longest_queue(ran: &Ran) -> Duration {
    Duration::from_micros(ran.recorded(LatencyKind::Queue).max())
}
