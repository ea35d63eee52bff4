//! A rate: what is planned, what is said of it, and what the target gets.

use std::time::{Duration, Instant};

use crate::support::{Answer, Server, TraceBuilder, Workplace};

/// A login of a second, as its slow target recorded it, and 15 requests in a second and a half.
fn slow_login() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..15).map(|n| (1_490 + n * 100, "GET", "/")).collect();
    let mut trace = TraceBuilder::default().session_with_login("s", &steps);
    trace.requests[0].at = 0;
    crate::support::trace::answer(&mut trace.requests[0]).total_us = 1_400_000;
    trace
}

#[test]
fn a_rate_counts_logins_and_begins_of_users_and_is_said_the_same_everywhere() {
    let arrivals = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&arrivals);
    let server = Server::start(move |asked| {
        seen.lock().unwrap().push(Instant::now());
        let login = r#"{"access_token":"t"}"#;
        match asked.path.as_str() {
            // As slow as recorded: a login that is quicker makes no user begin earlier.
            "/login" => Answer::Late(Duration::from_millis(1_390), 200, login.into()),
            _ => Answer::Json(200, "{}".into()),
        }
    });
    let place = Workplace::new(&slow_login(), 3);
    let options = ["--no-probe", "--rate", "104/s", "--duration", "4s"];
    let dry = place.run(&server.url(), &[&options[..], &["--dry-run"]].concat());
    let said = |text: &str| {
        let line = text.lines().find(|line| line.contains("/s planned, 104.0/s asked"));
        line.unwrap_or_else(|| panic!("{text}")).split("rate").nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    let of_dry = said(&dry.stdout);
    let planned: f64 = of_dry.split('/').next().unwrap().parse().unwrap();
    assert!((103.0..=105.0).contains(&planned), "{of_dry}");

    let ran = place.run(&server.url(), &options);
    let run = ran.checked();
    assert_eq!(said(&ran.stderr), of_dry);
    let ready: u64 = ran.reader().seconds().unwrap().take(4).map(|row| row.unwrap().ready).sum();
    let made = ready as f64 / 4.0;
    assert!((made / planned - 1.0).abs() < 0.1, "{made}/s became ready, {planned}/s planned");
    // By the server, which counts from the first arrival.
    let arrivals = arrivals.lock().unwrap().clone();
    assert_eq!(arrivals.len() as u64, run.totals.planned_sent);
    let first = *arrivals.iter().min().unwrap();
    let within = arrivals.iter().filter(|at| **at - first < Duration::from_secs(4)).count();
    let made = within as f64 / 4.0;
    assert!((made / planned - 1.0).abs() < 0.1, "{made}/s arrived, {planned}/s planned");
}

#[test]
fn a_rate_that_no_number_of_users_makes_is_refused_with_the_reason() {
    // All of a session lies in its first second.
    let steps: Vec<(u64, &str, &str)> =
        (0..10).map(|n| (n * 100, "GET", "/")).chain([(5_000, "GET", "/late")]).collect();
    let place = Workplace::new(&TraceBuilder::default().session("s", &steps), 0);
    let cases: [(&[&str], &[&str]); 4] = [
        (&["--rate", "4/s"], &["1 user makes 2.500/s and 2 users make 5.000/s", "25.0 % off"]),
        (&["--rate", "GET /late=5/s"], &["however many the users", "none of it is due"]),
        (
            &["--rate", "100/s", "--spawn-rate", "2/s"],
            &["/s and with ", "the ramp and the warm-up"],
        ),
        (&["--rate", "30000/s"], &["over the bound of 20000/s", "--max-rate"]),
    ];
    for (options, words) in cases {
        for dry_run in [&["--dry-run"][..], &[]] {
            let options = [&["--no-probe", "--duration", "4s"], options, dry_run].concat();
            let ran = place.run("http://127.0.0.1:9", &options);
            let code = if words[1] == "--max-rate" { 3 } else { 2 };
            assert_eq!(ran.code, Some(code), "{options:?}: {}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
            for word in words {
                assert!(ran.stderr.contains(word), "{word:?} is not in {}", ran.stderr);
            }
        }
    }
}
