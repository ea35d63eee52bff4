//! Nothing that is for a user alone to know is in what a run leaves behind.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::encoding::percent;
use trace::format::{Binding, Capture, CaptureFrom, Encoding, Origin, Part, Request};

use crate::support::trace::{answer, request};
use crate::support::{Answer, Server, TraceBuilder, Workplace};

const PIN: &str = "Pin/of-0ne b0dy here";
const SLOT: &str = "k3y-of+the slot";
const COOKIE: &str = "c00kie.of.a.session";
const EARLIER: &str = "t1cket+of-the 1st-visit";
const LATER: &str = "t1cket+of-the 2nd-visit";
const TOKEN: &str = "t0ken-of-the-login";
const SECRETS: [&str; 6] = [EARLIER, PIN, SLOT, COOKIE, LATER, TOKEN];
/// Says who it is.
const EMAIL: &str = "visitor1@example.org";

/// How servers quote what they do not like.
fn quoted(secret: &str) -> String {
    let mut encoded = Vec::new();
    percent(secret, &mut encoded);
    let encoded = String::from_utf8(encoded).unwrap();
    let base64 = ["", "a", "ab"].map(|before| BASE64_STANDARD.encode(format!("{before}{secret};")));
    format!("<p>no {secret}, {encoded}, {} of {EMAIL}</p>\n", base64.join(" "))
}

fn bound(part: Part, at: usize, from: Origin) -> Binding {
    Binding { part, start: at, end: at, from, encode: Encoding::Percent, ambiguous: false }
}

/// Sessions of one user, each with a ticket of its own that a request needs; the second one fails.
fn trace(sessions: &[&str]) -> TraceBuilder {
    let mut trace = TraceBuilder::default();
    for (&name, at_ms) in sessions.iter().zip([0, 200]) {
        trace = trace.session_with_login(name, &[(at_ms, "GET", &format!("/ticket/{name}"))]);
        let ticket: &mut Request = trace.requests.last_mut().unwrap();
        answer(ticket).capture.push(Capture {
            name: "ticket".into(),
            from: CaptureFrom::Json { pointer: "/ticket".into(), lists: vec![] },
            secret: true,
        });
        let of = ticket.id.clone();
        let mut used = request(&format!("{name}.use"), name, at_ms + 30, "GET", "/use/");
        used.bind.push(bound(Part::Path, 5, Origin::Capture { of, name: "ticket".into() }));
        let mut slot = request(&format!("{name}.slot"), name, at_ms + 60, "GET", "/slot");
        slot.headers.push(("X-Key".into(), String::new()));
        slot.bind.push(bound(Part::Header(1), 0, Origin::Slot("key".into())));
        trace.requests.extend([used, slot]);
        if name == "second" {
            for (number, path) in ["/fail", "/long"].into_iter().enumerate() {
                let (id, at_ms) = (format!("{name}{path}"), at_ms + 90 + 30 * number as u64);
                trace.requests.push(request(&id, name, at_ms, "GET", path));
            }
        }
    }
    trace
}

fn server() -> Server {
    let gave_earlier = AtomicBool::new(false);
    Server::start(move |asked| {
        match asked.path.as_str() {
        "/login" => Answer::RawThenClose(
            format!(
                "HTTP/1.1 200 OK\r\nSet-Cookie: sid={COOKIE}; Path=/\r\nContent-Length: {}\r\n\r\n{{\"access_token\":\"{TOKEN}\"}}",
                TOKEN.len() + 19
            )
            .into_bytes(),
        ),
        "/ticket/first" => {
            gave_earlier.store(true, Ordering::Relaxed);
            Answer::Json(200, format!(r#"{{"ticket":"{EARLIER}"}}"#))
        }
        "/ticket/second" => Answer::Json(200, format!(r#"{{"ticket":"{LATER}"}}"#)),
        "/fail" => {
            let given = if gave_earlier.load(Ordering::Relaxed) { &SECRETS[..] } else { &SECRETS[1..] };
            Answer::Json(500, given.iter().map(|secret| quoted(secret)).collect())
        }
        // Past what is kept of it the last token is half there.
        "/long" => Answer::Json(500, format!("{TOKEN} ").repeat(1000)),
        _ => Answer::Json(200, "{}".into()),
    }
    })
}

fn place(sessions: &[&str]) -> Workplace {
    let place = Workplace::new(&trace(sessions), 1);
    let path = place.path("manifest.json");
    let manifest = std::fs::read_to_string(&path).unwrap();
    let with_pin =
        manifest.replace("\"password\":", &format!("\"door_pin\":\"{PIN}\",\"password\":"));
    assert_ne!(manifest, with_pin);
    std::fs::write(path, with_pin).unwrap();
    place
}

fn assert_free_of_secrets(text: &str) {
    for secret in SECRETS {
        for piece in secret.split(['/', '+', ' ']).filter(|piece| piece.len() > 5) {
            assert!(!text.contains(piece), "{piece}: {text}");
            for cut in 0..3 {
                let core = BASE64_STANDARD.encode(&piece[cut..cut + (piece.len() - cut) / 3 * 3]);
                assert!(!text.contains(&core), "{piece} in base64: {text}");
            }
        }
    }
}

#[test]
fn samples_of_failing_answers_have_nothing_that_the_user_alone_may_know() {
    let (place, server) = (place(&["first", "second"]), server());
    let options =
        ["--no-probe", "--quiet", "--slot", "key=KEY", "--users", "1", "--duration", "3s"];
    let mut command = place.command(&server.url(), &options);
    let ran = place.ran(command.env("KEY", SLOT).output().unwrap());
    let samples: Vec<_> = ran.reader().errors().unwrap().map(Result::unwrap).collect();
    let bodies = |name: &str| -> Vec<String> {
        let of = samples.iter().filter(|sample| sample.endpoint == name);
        of.map(|sample| sample.body.clone().unwrap()).collect()
    };
    let failing = bodies("GET /fail");
    failing.iter().for_each(|body| assert_free_of_secrets(body));
    // What says who it is stays, and so does what the server said. The last one is of a user who
    // ran both sessions.
    let last = failing.last().unwrap_or_else(|| panic!("{samples:?} {}", ran.stderr));
    assert_eq!(last.matches(EMAIL).count(), SECRETS.len(), "{last}");
    let long = &bodies("GET /long")[0];
    assert!(long.starts_with("[redacted]") && !long.contains("t0k"), "{long}");
}

#[test]
fn the_probe_shows_nothing_that_the_user_alone_may_know() {
    let (place, server) = (place(&["second"]), server());
    for options in [&["--json"][..], &[]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_replayer"));
        command.arg("probe").arg("--trace").arg(place.path("t.trace.jsonl.zst"));
        command.arg("--manifest").arg(place.path("manifest.json")).env("KEY", SLOT);
        command.args(["--target", &server.url(), "--slot", "key=KEY"]).args(options);
        let ran = place.ran(command.output().unwrap());
        assert_eq!(ran.code, Some(10), "{}", ran.stderr);
        assert!(options.is_empty() || ran.stdout.contains(EMAIL), "{}", ran.stdout);
        assert_free_of_secrets(&ran.stdout);
        assert_free_of_secrets(&ran.stderr);
    }
}

#[test]
fn a_run_directory_is_its_owner_s_alone() {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&TraceBuilder::default().session("s", &[(0, "GET", "/a")]), 0);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let out = place.path("out");
    // A folder that was there before, and a run that is replaced.
    std::fs::create_dir(&out).unwrap();
    for options in [&["--no-probe", "--quiet"][..], &["--no-probe", "--quiet", "--force"]] {
        std::fs::set_permissions(&out, PermissionsExt::from_mode(0o755)).unwrap();
        let _ = place.run(&server.url(), options).checked();
        assert_eq!(mode(&out), 0o700);
        let files: Vec<_> = out.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 8, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}
